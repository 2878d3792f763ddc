//! TLS of outgoing requests: rustls with ring.

/// Builds a client builder with TLS backed by ring, installed process-wide at the first call.
pub fn client_builder() -> reqwest::ClientBuilder {
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}
