//! The manual steps of an incident that count under a criterion.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::context::EvaluationContext;
use super::expr_context;
use super::hours::{self, counts_at};
use crate::engine::correlation::context::STEP_WITHIN;
use crate::engine::environment::environment;
use crate::engine::incident::attributes::{ROLLBACK, opener, step_service};
use crate::engine::incident::signals;
use crate::expr::truth::Truth;
use crate::model::event::{ActorKind, Event, Fact, Intervention};
use crate::model::id::EventId;
use crate::model::settings::Maintenance;
use crate::model::spans::SpanState;
use crate::model::time::Time;
use crate::rules::rule_set::Criterion;

/// The time after an incident's end in which a step still belongs to the response.
const RESPONSE_AFTER: TimeDelta = TimeDelta::minutes(15);
/// The longest time between two reports of one act: clocks differ, and one system may react to the
/// report of another.
const ONE_ACT: TimeDelta = TimeDelta::minutes(2);

/// A step that counts, or may count.
struct ManualStep<'a> {
    event: &'a Event,
    action: Cow<'a, str>,
    /// True if a person reported it, rather than a system.
    stated: bool,
    /// True if a human is known to have taken it.
    sure: bool,
}

/// One act of a person, however many reports there are of it.
pub(crate) struct ManualAct {
    /// Its first report.
    pub(crate) at: Time,
    pub(crate) action: String,
    pub(crate) service: String,
    /// True if a human is known to have taken it.
    pub(crate) sure: bool,
    pub(crate) events: Vec<EventId>,
}

/// The manual steps of an incident.
#[derive(Default)]
pub(crate) struct CountedSteps {
    /// In the order of time.
    pub(crate) acts: Vec<ManualAct>,
    /// The number of reports, whether they count or not.
    pub(crate) reported: usize,
    /// The number of reports that do not count, by reason.
    pub(crate) excluded: BTreeMap<&'static str, usize>,
}

/// The steps of the incident that count, or may count, under the criterion.
pub(crate) fn counted(context: &EvaluationContext<'_>, criterion: &Criterion) -> CountedSteps {
    let response = LazyCell::new(|| response_time(context));
    let mut counted: Vec<ManualStep<'_>> = Vec::new();
    let mut found = CountedSteps::default();
    for &event in &context.rest {
        let Some(step) = step_of(context, event) else {
            continue;
        };
        found.reported += 1;
        let (from, until) = *response;
        let outside =
            event.occurred_at < from || until.is_some_and(|until| event.occurred_at > until);
        let reason = if outside {
            Some("outside the incident")
        } else if !counts_at(criterion, event.occurred_at) {
            Some(hours::OUTSIDE)
        } else {
            exclusion(context, event, &step)
        };
        let automatic = should_be_automatic(context, event, &step);
        let sure = match reason {
            Some(reason) => Err(reason),
            None => match passes(context, criterion, event, &step, automatic) {
                Truth::False => {
                    let would = passes(context, criterion, event, &step, true);
                    Err(if !automatic && would == Truth::True {
                        "not listed or marked as one that should be automatic"
                    } else {
                        "excluded by `where`"
                    })
                }
                Truth::Unknown(_) => Ok(false),
                // A person who reports a step took it; an observed one needs a known human actor.
                Truth::True => {
                    Ok(step.stated || acting_kind(context, event) == Some(ActorKind::Human))
                }
            },
        };
        match sure {
            Ok(sure) => counted.push(ManualStep {
                event,
                stated: matches!(&event.fact, Fact::Intervention(step) if step.stated),
                action: match step {
                    Cow::Borrowed(step) => Cow::Borrowed(step.action.as_str()),
                    Cow::Owned(step) => Cow::Owned(step.action),
                },
                sure,
            }),
            Err(reason) => *found.excluded.entry(reason).or_default() += 1,
        }
    }
    let acts = acts(&counted);
    let repeated = counted.len() - acts.len();
    if repeated > 0 {
        found.excluded.insert("reported more than once", repeated);
    }
    found.acts = acts
        .iter()
        .filter_map(|act| {
            let first = act.first()?;
            let named = act.iter().min_by_key(|step| step.action != ROLLBACK)?;
            Some(ManualAct {
                at: first.event.occurred_at,
                action: named.action.to_string(),
                service: step_service(context.incident, first.event),
                sure: act.iter().any(|step| step.sure),
                events: act.iter().map(|step| step.event.id).collect(),
            })
        })
        .collect();
    found
}

/// The step that an event reports, if any; a deploy of an earlier revision is one too.
fn step_of<'a>(context: &EvaluationContext<'_>, event: &'a Event) -> Option<Cow<'a, Intervention>> {
    match &event.fact {
        Fact::Intervention(step) => Some(Cow::Borrowed(step)),
        Fact::Change(change) if context.incident.rollbacks.contains(&event.id) => {
            Some(Cow::Owned(Intervention {
                action: ROLLBACK.to_owned(),
                why: change.title.clone(),
                stated: false,
                should_be_automatic: None,
                dry_run: false,
                refused: false,
                planned: false,
            }))
        }
        _ => None,
    }
}

/// From shortly before the incident began until shortly after it ended; without an end while it
/// lasts or is unknown.
fn response_time(context: &EvaluationContext<'_>) -> (Time, Option<Time>) {
    let incident = context.incident;
    let onset = opener(incident).map_or(incident.phase_since, signals::onset);
    let began = incident
        .milestones
        .began
        .as_ref()
        .map_or(onset, |began| began.at.min(onset));
    let spans = || {
        incident
            .signals
            .iter()
            .flat_map(|signal| &signal.spans)
            .filter(|span| span.state != SpanState::Planned)
    };
    let lasts = spans().any(|span| span.end.is_none());
    let ended = spans().filter_map(|span| span.end).max().filter(|_| !lasts);
    (
        began - STEP_WITHIN,
        ended.map(|ended| ended + RESPONSE_AFTER),
    )
}

fn acting_kind(context: &EvaluationContext<'_>, event: &Event) -> Option<ActorKind> {
    context
        .policy
        .who
        .actor_kind(event, &context.incident.identities)
}

/// The value of the criterion's `where` for a step.
fn passes(
    context: &EvaluationContext<'_>,
    criterion: &Criterion,
    event: &Event,
    step: &Intervention,
    automatic: bool,
) -> Truth {
    let actor = event.actor.as_ref().map_or("", |actor| {
        let identities = &context.incident.identities;
        let person = context
            .policy
            .who
            .person(&event.source, &actor.id, identities);
        person.map_or(actor.id.as_str(), |person| person.id.as_str())
    });
    let kind = acting_kind(context, event).unwrap_or_default();
    let facts = expr_context::intervention(event, step, actor, kind, automatic);
    context.passes(criterion, Some(&facts))
}

/// True if the step should be automatic: as stated, else if the service lists its action.
fn should_be_automatic(
    context: &EvaluationContext<'_>,
    event: &Event,
    step: &Intervention,
) -> bool {
    let listed = || {
        let service = event.service.as_ref();
        let service = service.and_then(|name| context.policy.service(name));
        service.is_some_and(|service| {
            service
                .automatic
                .iter()
                .any(|action| action.eq_ignore_ascii_case(&step.action))
        })
    };
    step.should_be_automatic.unwrap_or_else(listed)
}

/// The reason why a step is no manual intervention under any criterion.
fn exclusion(
    context: &EvaluationContext<'_>,
    event: &Event,
    step: &Intervention,
) -> Option<&'static str> {
    let at = event.occurred_at;
    let reported = signals::reported_windows(&context.incident.members);
    let covers = |window: &Maintenance| {
        (window.service.is_none() || window.service.as_deref() == event.service.as_deref())
            && window.from <= at
            && at < window.to
    };
    if acting_kind(context, event) == Some(ActorKind::Robot) {
        Some("taken by automation")
    } else if step.dry_run {
        Some("a dry run")
    } else if step.refused {
        Some("refused by the system")
    } else if step.planned
        || context
            .policy
            .maintenance
            .iter()
            .chain(&reported)
            .any(covers)
    {
        Some("planned")
    } else {
        None
    }
}

/// The steps by act: kubectl's undo of a Deployment, its audit log entry and the deploy that follows
/// are one rollback, and the twenty evictions of a drained node are one eviction.
///
/// The steps of an act are of one service, each at most [`ONE_ACT`] after the one before. They are
/// all rollbacks; or of one action by the same actor, or reported by a person and seen by a system;
/// or parts of one message about one actor and instant. Two reports by people are two acts.
fn acts<'s, 'a>(steps: &'s [ManualStep<'a>]) -> Vec<Vec<&'s ManualStep<'a>>> {
    let mut acts: Vec<Vec<&ManualStep<'a>>> = Vec::new();
    // Members are in the order of time.
    for step in steps {
        let belongs = |act: &&mut Vec<&ManualStep<'a>>| {
            let near = act
                .last()
                .is_some_and(|last| step.event.occurred_at - last.event.occurred_at <= ONE_ACT);
            near && act.iter().any(|other| is_same_act(other, step))
                && !(step.stated && act.iter().any(|other| other.stated))
        };
        match acts.iter_mut().find(belongs) {
            Some(act) => act.push(step),
            None => acts.push(vec![step]),
        }
    }
    acts
}

fn is_same_act(one: &ManualStep<'_>, other: &ManualStep<'_>) -> bool {
    let (a, b) = (one.event, other.event);
    if a.service != b.service || environment(a) != environment(b) {
        return false;
    }
    let same_actor = a.actor.is_some() && a.actor == b.actor;
    if same_actor
        && a.occurred_at == b.occurred_at
        && (one.action == ROLLBACK || other.action == ROLLBACK)
    {
        return true;
    }
    one.action.eq_ignore_ascii_case(&other.action)
        && (one.action.eq_ignore_ascii_case(ROLLBACK) || same_actor || one.stated != other.stated)
}
