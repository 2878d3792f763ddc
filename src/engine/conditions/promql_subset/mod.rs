//! A subset of PromQL over the samples of the last while, evaluated as Prometheus would.

pub mod sample_buffer;
mod silence;
