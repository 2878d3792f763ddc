//! Validated settings: parses the text of the file to [`settings::Config`].

pub(crate) mod api;
pub(crate) mod credentials;
pub(crate) mod http_client;
mod label_names;
pub(crate) mod mapping;
pub mod metrics;
pub(crate) mod parse;
pub(crate) mod people;
mod scalars;
pub(crate) mod settings;
pub(crate) mod severities;
pub(crate) mod silence;
mod sns;
pub(crate) mod source_auth;
pub(crate) mod sources;
pub(crate) mod storage;

#[cfg(test)]
mod tests;
