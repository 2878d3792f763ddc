//! Form to answer a suggestion, rendered by the partial `review.html`. It carries the revision that
//! the person saw.

use crate::app::App;
use crate::app::judge::effects;
use crate::http::format::terms::REASONS;
use crate::model::incident::Incident;
use crate::model::lifecycle::{Phase, ReviewState};
use crate::model::time::Time;
use chrono_tz::Tz;

/// Meeting that accepting would schedule.
#[derive(Debug, Clone)]
pub(crate) struct ProposedMeeting {
    /// Number of people invited.
    pub(crate) people: usize,
    pub(crate) starts_at: Time,
    pub(crate) ends_at: Time,
    /// Time zone for display.
    pub(crate) zone: Tz,
}

/// `POST /incidents/{id}/review`: `revision`, `answer` and, by answer, `reason`, `until`, `comment`.
pub(crate) struct ReviewForm {
    pub(crate) id: String,
    pub(crate) revision: u64,
    /// Label of the accept button; `None` if there is nothing to accept.
    pub(crate) accept: Option<String>,
    /// Effect of accepting, in full.
    pub(crate) consequence: Option<String>,
    pub(crate) dismiss: &'static str,
    pub(crate) may_snooze: bool,
    pub(crate) reasons: &'static [(&'static str, &'static str)],
    pub(crate) active: bool,
}

/// Form for an incident with an announced decision; `None` for others and for dismissed ones.
pub(crate) fn review_form(
    incident: &Incident,
    invitation: Option<&ProposedMeeting>,
) -> Option<ReviewForm> {
    let asked = match incident.standing {
        ReviewState::Suggested | ReviewState::Snoozed => true,
        // A bundled incident can get a postmortem of its own.
        ReviewState::Held => incident.bundle.is_some(),
        ReviewState::None | ReviewState::Dismissed => return None,
    };
    let accept = match invitation {
        Some(ProposedMeeting {
            people,
            starts_at,
            zone,
            ..
        }) => {
            let noun = if *people == 1 { "person" } else { "people" };
            format!(
                "Accept: invite {people} {noun}, {}",
                starts_at.with_timezone(zone).format("%a %H:%M")
            )
        }
        None => "Accept: open the postmortem".to_owned(),
    };
    let consequence = match invitation {
        Some(ProposedMeeting { starts_at, ends_at, zone, .. }) => {
            let (from, to) = (starts_at.with_timezone(zone), ends_at.with_timezone(zone));
            format!("The meeting would be on {}–{} ({zone}).", from.format("%A, %-d %B %Y, %H:%M"), to.format("%H:%M"))
        }
        None if incident.phase == Phase::Active => "A meeting is scheduled once the incident is resolved.".to_owned(),
        None => "No meeting will be scheduled: fewer than two people have an email address in the settings. The postmortem is written without one.".to_owned(),
    };
    Some(ReviewForm {
        id: incident.id.to_string(),
        revision: incident.revision,
        accept: asked.then_some(accept),
        consequence: asked.then_some(consequence),
        dismiss: if asked {
            "Dismiss"
        } else {
            "Not needed after all"
        },
        may_snooze: asked,
        reasons: &REASONS,
        active: incident.phase == Phase::Active,
    })
}

pub(crate) fn proposed_meeting(app: &App, incident: &Incident) -> Option<ProposedMeeting> {
    let settings = app.core.settings();
    let (people, starts_at) = effects::invitation(incident, &settings, app.core.now())?;
    let ends_at = starts_at + chrono::TimeDelta::minutes(settings.config.meetings.minutes);
    Some(ProposedMeeting {
        people,
        starts_at,
        ends_at,
        zone: settings.config.time_zone,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
    use super::review_form;
    use crate::http::pages::sample;
    use crate::model::lifecycle::{Phase, ReviewState};

    #[test]
    fn the_button_says_what_accepting_does() {
        let incident = sample::model::incident();
        let with = review_form(&incident, Some(&sample::model::invitation())).unwrap();
        insta::assert_snapshot!(with.accept.unwrap(), @"Accept: invite 6 people, Tue 10:00");
        insta::assert_snapshot!(with.consequence.unwrap(), @"The meeting would be on Tuesday, 24 November 2026, 10:00–11:00 (Europe/Berlin).");
        assert_eq!(
            review_form(&incident, None).unwrap().accept.unwrap(),
            "Accept: open the postmortem"
        );
    }

    #[test]
    fn only_what_was_announced_can_be_answered() {
        let mut incident = sample::model::incident();
        for standing in [ReviewState::None, ReviewState::Dismissed] {
            incident.standing = standing;
            assert!(review_form(&incident, None).is_none());
        }
        incident.standing = ReviewState::Held;
        let held = review_form(&incident, None).unwrap();
        assert!(held.accept.is_none() && !held.may_snooze);
    }

    #[test]
    fn active_incident_says_the_meeting_follows_resolution() {
        let mut incident = sample::model::incident();
        incident.phase = Phase::Active;
        assert!(
            review_form(&incident, None)
                .unwrap()
                .consequence
                .unwrap()
                .contains("once the incident is resolved")
        );
    }
}
