//! The decision core. Events go in, incidents with their verdicts come out; time is an argument.
//!
//! Total: nothing here fails. It does not know where an event came from, nor how a decision is
//! carried out.

mod announce;
pub(crate) mod as_of;
pub mod changes;
pub(crate) mod clock_step;
pub mod conditions;
pub(crate) mod correlation;
mod criteria;
mod environment;
pub(crate) mod horizons;
mod id_map;
pub(crate) mod incident;
pub(crate) mod interner;
mod phrases;
pub mod policy;
pub mod replay;
mod retention;
pub(crate) mod service_aliases;
pub mod state;
mod sweep_key;

#[cfg(test)]
pub(crate) mod tests;
