//! A subset of PromQL over recent samples, evaluated as Prometheus would.

pub mod sample_buffer;
mod silence;
