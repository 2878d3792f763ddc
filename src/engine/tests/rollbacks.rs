//! Changes that went back to an earlier revision, and when two tellings are one act.

use chrono::TimeDelta;
use proptest::prelude::{any, prop_assert_eq, proptest};

use super::{State, alert, at, only, pass, policy_of};
use crate::engine::policy::Policy;
use crate::model::event::{Actor, ActorKind, Change, Event, Fact, Intervention};
use crate::model::id::EventId;
use crate::model::incident::Incident;
use crate::model::settings::Service;
use crate::model::verdict::Outcome;
use crate::rules::parse;

const BY_HAND: &str = "criteria: [{name: by-hand, on: intervention, where: intervention.should_be_automatic, decision: suggest}, {name: all, on: intervention, at_least: 9, decision: suggest}]";

/// Rules that expect a rollback of checkout to be automatic.
fn automatic() -> Policy {
    let rules = parse::load(&[("rules.yaml".to_owned(), BY_HAND.to_owned())]).unwrap();
    let service = Service {
        name: "checkout".to_owned(),
        automatic: vec!["rollback".to_owned()],
        ..Service::default()
    };
    Policy::new(rules, &[service], &[])
}

fn told(source: &str, seconds: i64, actor: &str, fact: Fact) -> Event {
    let mut event = Event::new(source, at(0) + TimeDelta::seconds(seconds), fact);
    event.service = Some("checkout".into());
    let kind = if actor == "robot" {
        ActorKind::Robot
    } else {
        ActorKind::Human
    };
    event.actor = (!actor.is_empty()).then(|| {
        Box::new(Actor {
            id: actor.to_owned(),
            kind,
        })
    });
    event.identify();
    event
}

fn deploy(minutes: i64, revision: &str, actor: &str) -> Event {
    let change = Change {
        what: "deploy".to_owned(),
        title: String::new(),
        revision: Some(revision.to_owned()),
        line: None,
    };
    told("argocd", minutes * 60, actor, Fact::Change(change))
}

fn step(seconds: i64, action: &str, actor: &str, stated: bool) -> Event {
    let step = Intervention {
        action: action.to_owned(),
        why: String::new(),
        stated,
        should_be_automatic: None,
        dry_run: false,
        refused: false,
        planned: false,
    };
    told("audit", seconds, actor, Fact::Intervention(step))
}

/// The incident after all of it, an alert at minute 0 being what opened it.
fn after(events: &[Event], policy: &Policy) -> Incident {
    let mut state = State::default();
    state.apply(vec![alert("A", "checkout", 0, None)], policy, at(0));
    state.apply(events.to_vec(), policy, at(20));
    only(&state)
}

fn rolled_back(events: &[Event]) -> Vec<EventId> {
    after(events, &automatic()).rollbacks
}

/// Number of manual steps.
fn acts(events: &[Event]) -> f64 {
    after(events, &automatic()).verdicts[1]
        .measure
        .unwrap()
        .upper
}

#[test]
fn a_deploy_of_what_was_there_before_the_current_one_is_a_rollback() {
    let back = deploy(5, "one", "ada");
    assert_eq!(
        rolled_back(&[
            deploy(-90, "one", "robot"),
            deploy(-10, "two", "robot"),
            back.clone()
        ]),
        [back.id]
    );
    // The same one again, a new one, and forward again to the newer one are none.
    assert!(rolled_back(&[deploy(-90, "one", "robot"), deploy(5, "one", "ada")]).is_empty());
    assert!(rolled_back(&[deploy(-90, "one", "robot"), deploy(5, "two", "ada")]).is_empty());
    let all = [
        deploy(-90, "one", "robot"),
        deploy(-10, "two", "robot"),
        back.clone(),
        deploy(9, "two", "ada"),
    ];
    assert_eq!(rolled_back(&all), [back.id]);
    let further = deploy(9, "one", "ada");
    let all = [
        deploy(-90, "one", "robot"),
        deploy(-30, "two", "robot"),
        deploy(-10, "three", "robot"),
        deploy(5, "two", "ada"),
        further,
    ];
    assert_eq!(rolled_back(&all).len(), 2);
}

#[test]
fn other_services_environments_and_lines_have_revisions_of_their_own() {
    let with = |change: &dyn Fn(&mut Event)| {
        let mut new = deploy(-10, "two", "robot");
        change(&mut new);
        new.identify();
        rolled_back(&[deploy(-90, "one", "robot"), new, deploy(5, "one", "ada")]).len()
    };
    assert_eq!(with(&|_| ()), 1);
    assert_eq!(with(&|event| event.environment = Some("staging".into())), 0);
    assert_eq!(with(&|event| event.service = Some("payments".into())), 0);
    let other = |event: &mut Event| {
        if let Fact::Change(change) = &mut event.fact {
            change.line = Some("github:shop/checkout".to_owned());
        }
    };
    assert_eq!(with(&other), 0);
}

#[test]
fn a_humans_rollback_is_a_step_and_a_robots_is_none() {
    let history = [deploy(-90, "one", "robot"), deploy(-10, "two", "robot")];
    let with = |last: Event| after(&[&history[..], &[last]].concat(), &automatic());
    let by_hand = with(deploy(5, "one", "ada"));
    assert_eq!(
        by_hand.verdicts[0].outcome,
        Outcome::Met,
        "{:?}",
        by_hand.verdicts
    );
    assert_eq!(
        by_hand.verdicts[0].sentence,
        "1 manual rollback (threshold 1)."
    );
    assert_eq!(by_hand.milestones.acknowledged.unwrap().at, at(5));
    let by_robot = with(deploy(5, "one", "robot"));
    assert_eq!(by_robot.verdicts[0].outcome, Outcome::NotMet);
    assert!(
        by_robot.verdicts[0]
            .sentence
            .contains("1 taken by automation"),
        "{}",
        by_robot.verdicts[0].sentence
    );
    assert_eq!(by_robot.milestones.acknowledged, None);
    // The actor may or may not be a person.
    assert_eq!(
        with(deploy(5, "one", "")).verdicts[0].outcome,
        Outcome::Unknown
    );
}

#[test]
fn one_rollback_reported_by_several_systems_counts_once() {
    let history = [deploy(-90, "one", "robot"), deploy(-10, "two", "robot")];
    let with = |more: &[Event]| acts(&[&history[..], more].concat());
    assert_eq!(with(&[deploy(5, "one", "argocd:admin")]), 1.0);
    // kubectl's undo half a minute before the sync, and the person who ran it saying so.
    assert_eq!(
        with(&[
            step(270, "rollback", "kubernetes:ada", false),
            deploy(5, "one", "argocd:admin")
        ]),
        1.0
    );
    let said = step(240, "rollback", "", true);
    assert_eq!(
        with(&[
            said.clone(),
            step(270, "rollback", "kubernetes:ada", false),
            deploy(5, "one", "argocd:admin")
        ]),
        1.0
    );
    // Argo CD tells of the sync as a step, in the same message.
    assert_eq!(
        with(&[
            step(300, "sync", "argocd:admin", false),
            deploy(5, "one", "argocd:admin")
        ]),
        1.0
    );
    // Later, it is another one.
    assert_eq!(
        with(&[
            step(30, "rollback", "kubernetes:ada", false),
            deploy(5, "one", "argocd:admin")
        ]),
        2.0
    );
    // A drained node is one, two people are two, and what people say they did is what they did.
    assert_eq!(
        with(
            &(1..30)
                .map(|n| step(n * 20, "evict", "kubernetes:ada", false))
                .collect::<Vec<_>>()
        ),
        1.0
    );
    assert_eq!(
        with(&[
            step(60, "exec", "kubernetes:ada", false),
            step(70, "exec", "kubernetes:bo", false)
        ]),
        2.0
    );
    assert_eq!(
        with(&[step(60, "restart", "", true), step(70, "restart", "", true)]),
        2.0
    );
    assert_eq!(
        with(&[
            step(60, "exec", "kubernetes:ada", false),
            step(70, "restart", "kubernetes:ada", false)
        ]),
        2.0
    );
}

#[test]
fn late_report_of_an_earlier_deploy_makes_a_rollback() {
    let policy = automatic();
    let mut state = State::default();
    let back = deploy(5, "one", "ada");
    state.apply(
        vec![
            alert("A", "checkout", 0, None),
            deploy(-500, "two", "robot"),
            back.clone(),
        ],
        &policy,
        at(6),
    );
    assert!(only(&state).rollbacks.is_empty());
    let changes = state.apply(vec![deploy(-900, "one", "robot")], &policy, at(7));
    assert_eq!(only(&state).rollbacks, [back.id]);
    assert!(
        changes.changed.contains(&only(&state).id),
        "it is stored again"
    );
    // And one between the two takes that back.
    state.apply(vec![deploy(2, "one", "robot")], &policy, at(8));
    assert!(!only(&state).rollbacks.contains(&back.id));
}

#[test]
fn what_was_current_weeks_ago_is_still_known() {
    const DAY: i64 = 24 * 60;
    let policy = automatic();
    let mut state = State::default();
    // The newest revision came during an incident that is forgotten meanwhile, the one before it long ago.
    state.apply(
        (0..40)
            .map(|n| deploy(n - 60, &format!("old {n}"), "robot"))
            .collect(),
        &policy,
        at(0),
    );
    state.apply(
        vec![
            alert("A", "checkout", 0, None),
            deploy(3, "new", "robot"),
            alert("A", "checkout", 0, Some(4)),
        ],
        &policy,
        at(4),
    );
    for day in 1..60 {
        pass(&mut state, &policy, day * DAY);
        state.tidy(&policy);
    }
    assert_eq!(state.incidents().count(), 0);
    let kept = super::loose(&state).count();
    assert_eq!(kept, 10, "a summary is kept");
    let loose = super::loose(&state).cloned().collect();
    let mut restarted = State::restore(Vec::new(), loose, &policy, at(60 * DAY));
    for state in [&mut state, &mut restarted] {
        let back = deploy(60 * DAY + 5, "old 39", "ada");
        state.apply(
            vec![alert("A", "checkout", 60 * DAY, None), back.clone()],
            &policy,
            at(60 * DAY + 6),
        );
        assert_eq!(only(state).rollbacks, [back.id]);
    }
}

/// The same by the words of the documentation: it was deployed before what it replaces was.
fn plainly(history: &[(i64, &str)], at: usize) -> bool {
    let (before, (_, revision)) = (&history[..at], history[at]);
    let first = |wanted: &str| before.iter().position(|(_, known)| *known == wanted);
    let Some((_, current)) = before.last() else {
        return false;
    };
    *current != revision
        && first(revision).is_some_and(|mine| first(current).is_some_and(|theirs| mine < theirs))
}

proptest! {
    #[test]
    fn rollbacks_do_not_depend_on_order_or_batches(revisions in proptest::collection::vec("[abc]", 1..14), seed in any::<u64>(), split in 1usize..5) {
        let policy = policy_of(BY_HAND);
        let history: Vec<(i64, &str)> = (1..).zip(revisions.iter().map(String::as_str)).collect();
        let events: Vec<Event> = history.iter().map(|(minutes, revision)| deploy(*minutes, revision, "ada")).collect();
        let mut state = State::default();
        for batch in super::properties::shuffled(&events, 3, seed).chunks(split) {
            state.apply(batch.to_vec(), &policy, at(30));
        }
        state.apply(vec![alert("A", "checkout", 0, None)], &policy, at(30));
        let expected: Vec<EventId> = (0..events.len()).filter(|place| plainly(&history, *place)).map(|place| events[place].id).collect();
        prop_assert_eq!(only(&state).rollbacks, expected);
    }
}

#[test]
fn steps_of_which_more_may_count_say_at_least() {
    let rules = "criteria: [{name: one, on: intervention, decision: suggest}, {name: nine, on: intervention, at_least: 9, decision: suggest}]";
    let steps = [
        step(60, "failover", "", false),
        step(600, "restart", "ann", false),
    ];
    let verdicts = after(&steps, &policy_of(rules)).verdicts;
    let [one, nine] = &verdicts[..] else {
        panic!("{verdicts:#?}");
    };
    assert_eq!(
        (
            one.outcome,
            one.sentence.as_str(),
            one.would_change.as_str()
        ),
        (
            Outcome::Met,
            "At least 1 manual restart (threshold 1).",
            "With 1 fewer known manual step it would be unknown."
        )
    );
    assert_eq!(
        (nine.outcome, nine.sentence.as_str()),
        (
            Outcome::NotMet,
            "At most 2 manual steps counted; 9 are needed."
        )
    );
}
