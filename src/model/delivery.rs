//! Deliveries: outbound actions, each with an idempotency key.

use serde::{Deserialize, Serialize};

use super::id::{IncidentId, PostmortemId};

/// One outbound action, with a key that makes repeating it harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Idempotency key: deliveries with equal keys are one delivery.
    pub key: String,
    /// Deliveries to one destination go out in order.
    pub destination: String,
    /// The action.
    pub action: DeliveryAction,
}

/// The actions a delivery can perform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum DeliveryAction {
    /// Updates the file of a postmortem and keeps the sections people edited.
    WriteDraft {
        /// The postmortem.
        postmortem: PostmortemId,
        /// File name within the directory of postmortems.
        file: String,
        /// The text generated before; empty at first.
        before: String,
        /// The text generated now.
        text: String,
    },
    /// Writes a picture beside the draft, in the version current at that time.
    WritePicture {
        /// File name within the directory of postmortems.
        file: String,
        /// The incident.
        incident: IncidentId,
        /// Name of the plotted condition.
        condition: String,
    },
    /// Requests an address once to confirm a subscription.
    Confirm {
        /// The topic subscribed to.
        topic: String,
        /// The confirmation address, already validated.
        url: String,
    },
    /// Write an invite.
    WriteInvite {
        /// File name within the directory of invites.
        file: String,
        /// iCalendar text.
        text: String,
    },
}

/// Outcome of one delivery attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeliveryOutcome {
    /// It is done, now or before.
    Delivered,
    /// Not done, but a later attempt may succeed; what is in the way and what to do, in a sentence.
    Retry(String),
    /// Not done, and no later attempt will; why, in a sentence.
    Refused(String),
}
