//! Prometheus remote write 1.0: what a Prometheus pushes to samples.
