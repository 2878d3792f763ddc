//! Fingerprint of an incident's members, to detect cheaply that they have changed.

use crate::model::id::EventId;
use crate::model::incident::Incident;
use crate::model::member::Members;
use crate::model::member::{JoinReason, Member};

/// Fingerprint of an incident's members, their context and their rollbacks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MemberFingerprint {
    /// The checksum of the members that are not context.
    pub(crate) sum: u128,
    pub(crate) context: Vec<EventId>,
    /// Its rollbacks, which depend on deploys outside of the incident too.
    pub(crate) rollbacks: Vec<EventId>,
}

impl MemberFingerprint {
    pub(crate) fn from_incident(incident: &Incident) -> Self {
        let (context, own): (Vec<&Member>, Vec<&Member>) = incident
            .members
            .iter()
            .partition(|member| member.reason == JoinReason::Context);
        Self {
            sum: own.into_iter().cloned().collect::<Members>().sum(),
            context: context.iter().map(|member| member.event.id).collect(),
            rollbacks: incident.rollbacks.clone(),
        }
    }
}
