//! Client for Amazon SNS: fetches signing certificates and confirms subscriptions. The addresses
//! arrive validated; requests use `https`, follow no redirects, and are limited to a few seconds
//! and bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Semaphore;

use super::credentials::{ServerAccess, TlsMaterial};
use super::http::{HttpClient, RedirectPolicy};
use crate::model::delivery::DeliveryOutcome;
use crate::model::time::Time;

/// Time-out of one request: SNS waits fifteen seconds for a response that comes after this.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Limit on a response in bytes. A certificate has about two thousand.
const MAX_RESPONSE_BYTES: usize = 64_000;
/// Capacity of the certificate cache. A region has one certificate, replaced after years.
const KEPT: usize = 64;
/// Maximum concurrent fetches, so that a sender of many certificate addresses delays no other.
const AT_ONCE: usize = 4;
/// Negative cache: time before a failed certificate is fetched again.
const RETRY_AFTER_FAILURE: TimeDelta = TimeDelta::seconds(30);

/// SNS client with a cache of signing certificates.
#[derive(Debug)]
pub(crate) struct SnsClient {
    http: OnceLock<Result<HttpClient, String>>,
    known: Mutex<BTreeMap<String, CachedCertificate>>,
    fetching: Semaphore,
}

#[derive(Debug, Clone)]
enum CachedCertificate {
    Certificate(Arc<[u8]>),
    Failed { until: Time, why: String },
}

impl Default for SnsClient {
    fn default() -> Self {
        Self {
            http: OnceLock::new(),
            known: Mutex::default(),
            fetching: Semaphore::new(AT_ONCE),
        }
    }
}

impl SnsClient {
    /// Fetches the certificate at a validated address, in PEM, or from the cache.
    ///
    /// # Errors
    /// The reason why it is unavailable now.
    pub(crate) async fn certificate(&self, url: &str, now: Time) -> Result<Arc<[u8]>, String> {
        match self.known(url) {
            Some(CachedCertificate::Certificate(pem)) => return Ok(pem),
            Some(CachedCertificate::Failed { until, why }) if now < until => return Err(why),
            _ => {}
        }
        let Ok(_permit) = self.fetching.try_acquire() else {
            return Err("other certificates are being fetched".to_owned());
        };
        let fetched = self.get(url).await.and_then(|(status, pem)| match status {
            200 => Ok(pem),
            status => Err(format!("its server answers with status {status}")),
        });
        match fetched {
            Ok(pem) => {
                let pem: Arc<[u8]> = pem.into();
                self.cache(url, &pem);
                Ok(pem)
            }
            Err(why) => {
                self.note(
                    url,
                    CachedCertificate::Failed {
                        until: now + RETRY_AFTER_FAILURE,
                        why: why.clone(),
                    },
                );
                Err(why)
            }
        }
    }

    /// Caches the certificate of an address, whose content never changes.
    pub(crate) fn cache(&self, url: &str, pem: &Arc<[u8]>) {
        self.note(url, CachedCertificate::Certificate(Arc::clone(pem)));
    }

    /// Requests a validated address that confirms a subscription. Idempotent.
    pub(crate) async fn confirm(&self, url: &str) -> DeliveryOutcome {
        match self.get(url).await {
            Ok((200..=299, _)) => DeliveryOutcome::Delivered,
            Ok((status @ (408 | 429 | 500..), _)) => {
                DeliveryOutcome::Retry(format!("Amazon SNS answers with status {status}"))
            }
            Ok((status, _)) => DeliveryOutcome::Refused(format!(
                "Amazon SNS answers with status {status}; have the confirmation sent again, in the list of subscriptions"
            )),
            Err(why) => DeliveryOutcome::Retry(why),
        }
    }

    fn known(&self, url: &str) -> Option<CachedCertificate> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(url)
            .cloned()
    }

    fn note(&self, url: &str, what: CachedCertificate) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT && !known.contains_key(url) {
            // Those that are in use are fetched again.
            let failed = known
                .iter()
                .find(|(_, known)| matches!(known, CachedCertificate::Failed { .. }))
                .map(|(url, _)| url.clone());
            match failed {
                Some(failed) => drop(known.remove(&failed)),
                None => drop(known.pop_first()),
            }
        }
        known.insert(url.to_owned(), what);
    }

    async fn get(&self, url: &str) -> Result<(u16, Vec<u8>), String> {
        let http = self.http.get_or_init(tls_client).as_ref()?;
        let response = http.get(url, MAX_RESPONSE_BYTES, |request| request).await;
        response
            .map(|(head, body)| (head.status, body))
            .map_err(|error| error.to_string())
    }
}

fn tls_client() -> Result<HttpClient, String> {
    let access = ServerAccess {
        tls: TlsMaterial {
            required: true,
            ..TlsMaterial::default()
        },
        ..ServerAccess::default()
    };
    HttpClient::new(&access, TIMEOUT, RedirectPolicy::Stop, [])
}

#[cfg(test)]
mod tests;
