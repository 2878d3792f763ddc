//! TLS of outgoing requests: rustls with ring.

/// A client builder whose TLS is backed by ring, the process-wide provider from the first call on.
pub fn client_builder() -> reqwest::ClientBuilder {
    // An error means that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}
