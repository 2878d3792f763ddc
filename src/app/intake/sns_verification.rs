//! Verification of messages that carry their signature in the body: Amazon SNS signs them and
//! names the certificate.

use std::sync::Arc;

use crate::app::core::Core;
use crate::clients::sns::SnsClient;
use crate::config::credentials::Auth;
use crate::config::source_auth::SourceAuth;
use crate::config::sources::Source;
use crate::ingest::message::Message;
use crate::ingest::sns;
use crate::ingest::sns::envelope::{SnsEnvelope, envelopes};
use crate::ingest::sns::signature;
use crate::model::delivery::DeliveryOutcome;
use crate::model::delivery::{Delivery, DeliveryAction};
use crate::model::id::hex;
use crate::model::source::SourceKind;
use crate::store::error::StoreError;

/// Reason why a message was not verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unverified {
    /// Its sender is not who it claims to be, or not allowed.
    #[error("{0}")]
    Refused(String),
    /// That cannot be decided at present; the sender should try again.
    #[error("the sender cannot be verified now: {0}")]
    Unknown(String),
}

/// Verifies messages of Amazon SNS and confirms its subscriptions.
#[derive(Debug)]
pub(crate) struct SnsVerifier {
    core: Arc<Core>,
    pub(crate) client: SnsClient,
}

impl SnsVerifier {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            client: SnsClient::default(),
        }
    }

    /// Verifies the signatures in a message. Other sources are authenticated by what comes beside
    /// the body.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub(crate) async fn verify(
        &self,
        source: &Source,
        message: &Message<'_>,
    ) -> Result<(), Unverified> {
        if source.kind != SourceKind::Sns {
            return Ok(());
        }
        let verified = self.signed(source, message).await;
        if let Err(why) = &verified {
            self.core.faults.report(
                &format!("a message to `{}` was rejected", source.name),
                &anyhow::anyhow!("{why}"),
            );
        }
        verified
    }

    async fn signed(&self, source: &Source, message: &Message<'_>) -> Result<(), Unverified> {
        let refused = |why: String| Unverified::Refused(why);
        let all = envelopes(message.body);
        let Some(topics) = sns::topics(message) else {
            // An unreadable body names no topic. From a sender with other credentials it is kept,
            // as for every source.
            let is_kept = all.is_err() && source.auth != SourceAuth::Certificate;
            return if is_kept {
                Ok(())
            } else {
                Err(refused("it names no topic".to_owned()))
            };
        };
        // What cannot be read as an envelope is bare text.
        let all = all.unwrap_or_default();
        if topics.iter().any(|topic| !source.topics.contains(topic)) {
            // The topic is left out of the message: an attacker could fill the log with names.
            return Err(refused(
                "its topic is not among the source's `topics`; if it is yours, add it there"
                    .to_owned(),
            ));
        }
        if source.auth == SourceAuth::Shown(Auth::None) {
            return Ok(());
        }
        if all.is_empty() && source.auth == SourceAuth::Certificate {
            return Err(refused(
                "raw message delivery is not signed; turn it off for the subscription, or give the source another `auth`".to_owned(),
            ));
        }
        for envelope in &all {
            self.signed_by_its_topic(envelope, message).await?;
        }
        Ok(())
    }

    async fn signed_by_its_topic(
        &self,
        envelope: &SnsEnvelope,
        message: &Message<'_>,
    ) -> Result<(), Unverified> {
        let refused = |doubt: signature::SnsFault| Unverified::Refused(doubt.to_string());
        let url = signature::certificate_url(envelope, message.now).map_err(refused)?;
        let certificate = self.client.certificate(&url, message.now).await;
        let certificate = certificate.map_err(|why| {
            Unverified::Unknown(format!("the certificate cannot be fetched: {why}"))
        })?;
        signature::verify(envelope, &certificate, message.now).map_err(refused)
    }

    /// Confirms the subscription that a verified message asks for; without authentication none is
    /// confirmed.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn confirm(&self, source: &Source, url: String) -> Result<(), StoreError> {
        if source.auth == SourceAuth::Shown(Auth::None) {
            return Ok(());
        }
        let topic = source
            .topics
            .iter()
            .find(|topic| url.contains(topic.as_str()))
            .or(source.topics.first())
            .cloned()
            .unwrap_or_default();
        let key = format!("confirm-{}", hex(&url, 8));
        let delivery = Delivery {
            key,
            destination: format!("subscription to {topic}"),
            action: DeliveryAction::Confirm { topic, url },
        };
        let core = Arc::clone(&self.core);
        let ordered =
            tokio::task::spawn_blocking(move || core.store.add_delivery(&delivery, core.now()))
                .await;
        // Wakes the deliverer.
        self.core.progress.wake_delivery();
        match ordered {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Visits the URL that confirms a subscription. Blocks.
    pub(crate) fn visit(&self, url: &str) -> DeliveryOutcome {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => runtime.block_on(self.client.confirm(url)),
            Err(_) => DeliveryOutcome::Retry("the confirmation needs the async runtime".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
