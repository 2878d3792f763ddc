//! Deliveries: outbound actions, each with an idempotency key.

use serde::{Deserialize, Serialize};

use super::id::{IncidentId, PostmortemId};

/// One thing to do outside, with a key that makes a repeat harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Equal keys are one delivery.
    pub key: String,
    /// Deliveries to one destination go out in order.
    pub destination: String,
    /// What to do.
    pub action: DeliveryAction,
}

/// What a delivery does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum DeliveryAction {
    /// Bring the file of a postmortem up to date, sparing what people wrote.
    WriteDraft {
        /// Which.
        postmortem: PostmortemId,
        /// File name within the directory of postmortems.
        file: String,
        /// The text generated before; empty at first.
        before: String,
        /// The text generated now.
        text: String,
    },
    /// Write a picture beside the draft, as it is drawn by then.
    WritePicture {
        /// File name within the directory of postmortems.
        file: String,
        /// The incident.
        incident: IncidentId,
        /// What is drawn of it: the name of a condition.
        condition: String,
    },
    /// Visit an address once, by which a subscription is confirmed.
    Confirm {
        /// What is subscribed to.
        topic: String,
        /// The address, which was checked.
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
