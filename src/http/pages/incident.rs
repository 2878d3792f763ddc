//! `GET /incidents/{id}`: one incident, what was decided and why, and what people can add.

use askama::Template;

use super::chart;
use super::chart::Chart;
use super::review;
use super::review::{Form, Invitation};
use super::{Notice, Tab, show};
use crate::app::conditions::plots::Picture;
use crate::http::format;
use crate::http::format::Names;
use crate::model::directory::key;
use crate::model::event::{ActorKind, Event, Fact};
use crate::model::id::{EventId, Subject};
use crate::model::incident::Incident;
use crate::model::lifecycle::ReviewState;
use crate::model::member::Joined;
use crate::model::milestone::{Milestone, MilestoneKind};
use crate::model::on_call::Duty;
use crate::model::postmortem::Postmortem;
use crate::model::time::Time;
use crate::model::verdict::Verdict;

/// Parts offered to be moved at the most.
const PARTS: usize = 100;
/// Names that are asked about at the most.
const STRANGERS: usize = 20;

/// What the page shows.
pub(crate) struct View<'a> {
    /// The time at which it is looked at.
    pub(crate) now: Time,
    /// The incident.
    pub(crate) incident: &'a Incident,
    /// Its postmortem, once opened.
    pub(crate) postmortem: Option<&'a Postmortem>,
    /// What accepting would call, where a slot was found.
    pub(crate) invitation: Option<Invitation>,
    /// The incident that speaks for it, where it waits in a bundle.
    pub(crate) lead: Option<&'a Incident>,
    /// Those that wait in its bundle.
    pub(crate) bundled: &'a [Incident],
    /// Others that it may be one with.
    pub(crate) others: &'a [Incident],
    /// Its conditions over time.
    pub(crate) pictures: &'a [Picture],
    /// Who was on call for its services when it was detected, where that is asked.
    pub(crate) on_call: &'a [Duty],
    /// What people are called.
    pub(crate) names: Names<'a>,
    /// A word at the top: an answer taken, or "this changed since you looked".
    pub(crate) notice: Option<Notice>,
}

#[derive(Template)]
#[template(path = "http/pages/incident.html")]
struct Page<'a> {
    tab: Tab,
    view: &'a View<'a>,
    incident: &'a Incident,
    chart: Option<Chart>,
}

/// A milestone, known or not.
struct Turn<'a> {
    name: &'static str,
    known: Option<&'a Milestone>,
}

/// A name that the settings do not know.
struct Stranger<'a> {
    /// As it came.
    name: &'a str,
    /// Whose it is, by what somebody stated: the person's id.
    person: Option<&'a str>,
}

/// A verdict's evidence: where it stands in the timeline below, when it is there.
struct Evidence {
    href: Option<String>,
    text: String,
}

impl Page<'_> {
    fn form(&self) -> Option<Form> {
        review::form(self.incident, self.view.invitation.as_ref())
    }

    fn turns(&self) -> Vec<Turn<'_>> {
        let turns = &self.incident.milestones;
        [
            (MilestoneKind::Began, &turns.began),
            (MilestoneKind::Detected, &turns.detected),
            (MilestoneKind::Acknowledged, &turns.acknowledged),
            (MilestoneKind::Mitigated, &turns.mitigated),
            (MilestoneKind::Resolved, &turns.resolved),
        ]
        .map(|(kind, known)| Turn {
            name: format::milestone(kind),
            known: known.as_ref(),
        })
        .into()
    }

    fn evidence(&self, verdict: &Verdict) -> Vec<Evidence> {
        verdict.evidence.iter().map(|id| self.cite(id)).collect()
    }

    /// An event by its time, linked to its row; one that is not of this incident by the beginning of its id.
    fn cite(&self, id: &EventId) -> Evidence {
        match self
            .incident
            .members
            .iter()
            .find(|member| member.event.id == *id)
        {
            Some(member) => Evidence {
                href: Some(format!("#e-{id}")),
                text: member.event.occurred_at.format("%H:%M:%S").to_string(),
            },
            None => Evidence {
                href: None,
                text: format!(
                    "event {}",
                    id.to_string().chars().take(8).collect::<String>()
                ),
            },
        }
    }

    fn would_have(&self, shadow: &Verdict) -> &'static str {
        format::would_have(shadow.leads_to(self.view.incident.phase))
    }

    fn called<'n>(&'n self, id: &'n str) -> &'n str {
        self.view.names.called("", id)
    }

    /// Names here of which nobody could say whose they are, or somebody did.
    fn strangers(&self) -> Vec<Stranger<'_>> {
        let Names { who, stated } = self.view.names;
        let mut found: Vec<Stranger<'_>> = Vec::new();
        if who.people().is_empty() {
            return found;
        }
        let acted = self
            .incident
            .members
            .iter()
            .filter_map(|member| Some((&*member.event, member.event.actor.as_deref()?)));
        for (event, actor) in acted {
            let person = stated.get(&key(&actor.id)).map(String::as_str);
            let unknown = person.is_some()
                || who.person(&event.source, &actor.id, stated).is_none()
                    && who.kind(&event.source, actor, stated) != ActorKind::Robot;
            if unknown
                && found.len() < STRANGERS
                && !found.iter().any(|known| key(known.name) == key(&actor.id))
            {
                found.push(Stranger {
                    name: &actor.id,
                    person,
                });
            }
        }
        found
    }

    /// Its parts, by their first event: what can be moved elsewhere.
    fn parts(&self) -> Vec<&Event> {
        let mut seen: Vec<&Subject> = Vec::new();
        let own = self
            .incident
            .members
            .iter()
            .filter(|member| member.reason != Joined::Context)
            .map(|member| &*member.event);
        let firsts = own.filter(|event| {
            let new = !seen.contains(&&event.subject);
            seen.push(&event.subject);
            new
        });
        firsts
            .filter(|event| !matches!(event.fact, Fact::Edit(_) | Fact::Review(_)))
            .take(PARTS)
            .collect()
    }

    /// The decision of the rules as they stand, where it is no longer the one announced.
    fn drifted(&self) -> Option<&'static str> {
        let announced = self.incident.announced.as_ref()?;
        (announced.decision != self.incident.decision)
            .then(|| format::decision(&self.incident.decision))
    }
}

/// The page.
pub(crate) fn render(view: &View<'_>) -> String {
    let chart = chart::chart(view.incident, view.now);
    show(&Page {
        tab: Tab::Incidents,
        view,
        incident: view.incident,
        chart,
    })
}

#[cfg(test)]
mod tests {
    use super::{Picture, View, render};
    use crate::http::format::Names;
    use crate::http::pages::{Notice, sample};
    use crate::model::directory::Identities;
    use crate::model::event::{Fact, Link, Note};
    use crate::model::incident::Incident;
    use crate::model::lifecycle::ReviewState;

    fn page(incident: &Incident) -> String {
        with_pictures(incident, &[])
    }

    fn with_pictures(incident: &Incident, pictures: &[Picture]) -> String {
        let (who, stated) = (sample::who(), Identities::new());
        let names = Names {
            who: &who,
            stated: &stated,
        };
        let invitation = Some(sample::invitation());
        render(&View {
            now: sample::at(7200),
            incident,
            postmortem: None,
            invitation,
            lead: None,
            bundled: &[],
            others: &[],
            pictures,
            on_call: &[],
            names,
            notice: None,
        })
    }

    #[test]
    fn a_picture_is_found_whatever_its_condition_is_called() {
        let picture = Picture {
            condition: "a /b#c?d%e".to_owned(),
            words: String::new(),
            head: Vec::new(),
            rows: Vec::new(),
        };
        let html = with_pictures(&sample::incident(), &[picture]);
        assert!(html.contains("/plots/a%20%2Fb%23c%3Fd%25e.svg\""), "{html}");
    }

    #[test]
    fn it_explains_itself() {
        let html = page(&sample::incident());
        for wanted in [
            "A postmortem is suggested",
            "Checkout was degraded for 47m in one stretch; 30m is enough.",
            "47m of 30m",
            "payments is one dependency away",
            "Ada L.",
            "a person said so",
            "HighErrorRate fires, critical",
            "role=\"img\"",
            "action=\"/incidents/i-3f2a91c0de/notes\"",
            "action=\"/ask\"",
        ] {
            assert!(html.contains(wanted), "lacks {wanted}");
        }
    }

    #[test]
    fn evidence_leads_to_its_row() {
        let incident = sample::incident();
        let html = page(&incident);
        let id = &incident.verdicts[0].evidence[0];
        assert!(
            html.contains(&format!("href=\"#e-{id}\"")) && html.contains(&format!("id=\"e-{id}\""))
        );
    }

    #[test]
    fn a_milestone_nobody_knows_stays_unknown() {
        let mut incident = sample::incident();
        incident.milestones.mitigated = None;
        let html = page(&incident);
        let row = html
            .split("Mitigated</th>")
            .nth(1)
            .and_then(|rest| rest.split("</tr>").next());
        assert!(
            row.is_some_and(|row| row.contains("unknown") && !row.contains("<time")),
            "{row:?}"
        );
    }

    #[test]
    fn hostile_text_stays_text() {
        let mut incident = sample::incident();
        incident.title = "<script>alert(1)</script>".to_owned();
        incident.services = vec!["\"><img src=x onerror=alert(1)>".to_owned()];
        let mut members = incident.members.to_vec();
        let event = std::sync::Arc::make_mut(&mut members[0].event);
        event.fact = Fact::Note(Note {
            text: "<b onmouseover=alert(1)>x".to_owned(),
        });
        event.links = vec![Link {
            title: "run".to_owned(),
            url: "javascript:alert(1)".to_owned(),
        }]
        .into();
        incident.members = members.into();
        let html = page(&incident);
        for banned in ["<script>", "<img", "<b on", "href=\"javascript"] {
            assert!(!html.contains(banned), "{banned}");
        }
        assert!(html.contains("alert(1)"), "it is shown, as text");
    }

    #[test]
    fn a_stale_answer_is_told_at_the_top() {
        let incident = sample::incident();
        let notice = Some(Notice {
            warning: true,
            text: "This changed since you looked.".to_owned(),
        });
        let html = {
            let (who, stated) = (sample::who(), Identities::new());
            let names = Names {
                who: &who,
                stated: &stated,
            };
            let (lead, bundled, others) = (None, &[][..], &[][..]);
            render(&View {
                now: sample::at(7200),
                incident: &incident,
                postmortem: None,
                invitation: None,
                lead,
                bundled,
                others,
                pictures: &[],
                on_call: &[],
                names,
                notice,
            })
        };
        assert!(html.contains(
            "<p class=\"notice warning\" role=\"status\">This changed since you looked.</p>"
        ));
    }

    #[test]
    fn what_was_dismissed_is_not_asked_again() {
        let mut incident = sample::incident();
        incident.standing = ReviewState::Dismissed;
        assert!(!page(&incident).contains("name=\"answer\""));
    }
}
