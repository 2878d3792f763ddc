//! The input of a draft.

use crate::model::directory::Directory;
use crate::model::incident::Incident;
use crate::model::meeting::Meeting;
use crate::model::on_call::ServiceOnCall;
use crate::model::plot::Plot;
use crate::model::postmortem::Postmortem;
use crate::model::settings::Person;

/// What a draft is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DraftInput<'a> {
    /// The incident.
    pub incident: &'a Incident,
    /// Incidents that began with it, look like one with it, and wait for this postmortem.
    pub bundled: &'a [&'a Incident],
    /// Its postmortem.
    pub postmortem: &'a Postmortem,
    /// Directory is who.
    pub who: &'a Directory,
    /// Ids of the owners of the services; the first is named as lead until somebody else takes it.
    pub owners: &'a [String],
    /// Directory leads the meeting; `None`: one is wanted, or there is none.
    pub facilitator: Option<&'a Person>,
    /// The meeting, once there is one.
    pub meeting: Option<&'a Meeting>,
    /// How people reach the pages; sources without an address of their own are linked there.
    pub external_url: &'a str,
    /// How people are called.
    pub names: PersonNaming,
    /// Its conditions as they are drawn, in files beside the draft.
    pub plots: &'a [&'a Plot],
    /// Directory was on call for its services when it was detected, where their calendars are named.
    pub on_call: &'a [ServiceOnCall],
}

/// How people are called in a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PersonNaming {
    /// By name.
    Full,
    /// By role: `responder 1`, `owner 1`, `stakeholder 1`. The facilitator, who did not respond, is named in either case.
    Role,
}
