//! Fetches samples: asks a Prometheus, scrapes targets. Decides nothing.
