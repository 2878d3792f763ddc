//! Input of a draft.

use crate::model::directory::Directory;
use crate::model::incident::Incident;
use crate::model::meeting::Meeting;
use crate::model::on_call::ServiceOnCall;
use crate::model::plot::Plot;
use crate::model::postmortem::Postmortem;
use crate::model::settings::Person;
use crate::model::time::Time;

/// Facts from which a draft is generated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DraftInput<'a> {
    /// The incident.
    pub incident: &'a Incident,
    /// Time of its figures while it goes on; `None` once they are final.
    pub as_of: Option<Time>,
    /// Incidents bundled into this postmortem: they began with it and resemble it or one another.
    pub bundled: &'a [&'a Incident],
    /// Its postmortem.
    pub postmortem: &'a Postmortem,
    /// Directory of people and services.
    pub who: &'a Directory,
    /// Ids of the owners of the services; the first is named as lead until another person takes
    /// over.
    pub owners: &'a [String],
    /// Facilitator of the meeting; `None`: one is still needed, or there is no meeting.
    pub facilitator: Option<&'a Person>,
    /// The meeting, once there is one.
    pub meeting: Option<&'a Meeting>,
    /// External URL of the pages, to which sources without an address of their own are linked.
    pub external_url: &'a str,
    /// Naming of people.
    pub names: PersonNaming,
    /// Plots of its conditions, in files beside the draft.
    pub plots: &'a [&'a Plot],
    /// On-call people of its services at detection, for services with a calendar.
    pub on_call: &'a [ServiceOnCall],
}

/// Naming of people in a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PersonNaming {
    /// Full names.
    Full,
    /// Roles: `responder 1`, `owner 1`, `stakeholder 1`. The facilitator, who did not respond, is
    /// named in either case.
    Role,
}
