use std::collections::BTreeMap;
use std::sync::Arc;

use super::{apply, at, incident, note, record};
use crate::model::event::Severity;
use crate::model::id::{IncidentId, hex};
use crate::model::incident::Incident;
use crate::model::labels::Labels;
use crate::model::lifecycle::Phase;
use crate::model::plot::Plot;
use crate::model::sample::{STALE, Sample};
use crate::model::signal::{Signal, SignalClass, SignalKind};
use crate::store::apply::Changes;
use crate::store::condition_state::{SavedState, StateOwner};
use crate::store::error::StoreError;
use crate::store::plot::StoredPlot;
use crate::store::testbed::stores;

fn sample(second: i64, value: f64) -> Sample {
    Sample {
        name: "up".to_owned(),
        labels: Labels::from([("job".to_owned(), "a\"b".to_owned())]),
        at: at(second),
        value,
    }
}

fn remembered(name: &str, state: Option<&str>) -> SavedState {
    SavedState {
        name: name.to_owned(),
        state: state.map(str::to_owned),
    }
}

#[test]
fn samples_keep_their_order_and_every_bit_of_their_values() {
    for (_home, store) in stores() {
        let odd = [
            sample(1, f64::from_bits(STALE)),
            sample(2, f64::NAN),
            sample(3, f64::INFINITY),
            sample(4, -0.0),
            sample(5, 0.1),
        ];
        store.add_samples("web", &odd, at(5)).unwrap();
        store.add_samples("web", &[], at(6)).unwrap();
        store.add_samples("pushed", &odd[..1], at(7)).unwrap();
        let positions = |metrics, after| {
            let read = store.samples_after(metrics, after, 10).unwrap();
            read.iter().map(|batch| batch.position).collect::<Vec<_>>()
        };
        assert_eq!(
            (
                positions("web", 0),
                positions("pushed", 0),
                positions("web", 1)
            ),
            (vec![1], vec![2], vec![])
        );
        let read = store.samples_after("web", 0, 10).unwrap();
        let bits = |samples: &[Sample]| {
            samples
                .iter()
                .map(|sample| sample.value.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(bits(&read[0].samples), bits(&odd));
        assert_eq!(read[0].samples[4], odd[4]);
        store.add_samples("web", &odd, at(8)).unwrap();
        assert_eq!(positions("web", 1), [3]);
    }
}

#[test]
fn samples_expire_by_time_of_receipt() {
    for (_home, store) in stores() {
        store
            .add_samples("web", &[sample(250_000_000_000, 1.0)], at(1))
            .unwrap();
        store.add_samples("web", &[sample(0, 1.0)], at(2)).unwrap();
        store.forget_samples(at(2)).unwrap();
        let read = store.samples_after("web", 0, 10).unwrap();
        assert_eq!(
            read.iter().map(|batch| batch.position).collect::<Vec<_>>(),
            [2]
        );
    }
}

#[test]
fn condition_state_and_its_events_are_stored_together() {
    for (_home, store) in stores() {
        let epoch = store.take_leadership().unwrap();
        let both = [remembered("a", Some("1")), remembered("b", Some("2"))];
        assert_eq!(
            store
                .save_states(epoch, StateOwner::Conditions, &both, &[], at(1))
                .unwrap(),
            []
        );
        let logged = store
            .save_states(
                epoch,
                StateOwner::Conditions,
                &[remembered("a", None)],
                &[record("prom", &[note("x")])],
                at(2),
            )
            .unwrap();
        assert_eq!(logged.len(), 1);
        store
            .save_states(
                epoch,
                StateOwner::Alerts,
                &[remembered("prom", Some("3"))],
                &[],
                at(2),
            )
            .unwrap();
        let later = store.take_leadership().unwrap();
        for records in [&[][..], &[record("prom", &[note("y")])]] {
            let refused = store.save_states(
                epoch,
                StateOwner::Conditions,
                &[remembered("b", Some("9"))],
                records,
                at(3),
            );
            assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
        }
        assert_eq!(
            store.saved_states(StateOwner::Conditions).unwrap(),
            [remembered("b", Some("2"))]
        );
        assert_eq!(
            store.saved_states(StateOwner::Alerts).unwrap(),
            [remembered("prom", Some("3"))]
        );
        assert_eq!(store.log_after(0, 10).unwrap().len(), 1);
        store
            .save_states(
                later,
                StateOwner::Conditions,
                &[remembered("b", Some("4"))],
                &[],
                at(4),
            )
            .unwrap();
        assert_eq!(
            store.saved_states(StateOwner::Conditions).unwrap(),
            [remembered("b", Some("4"))]
        );
    }
}

#[test]
fn the_last_drawing_of_a_condition_is_kept() {
    for (_home, store) in stores() {
        let plot = |condition: &str| Plot {
            condition: condition.to_owned(),
            service: "shop".to_owned(),
            query: "up".to_owned(),
            from: at(0),
            to: at(60),
            lines: Vec::new(),
            bounds: Vec::new(),
            spans: Vec::new(),
            milestones: Vec::new(),
            left_out: 0,
        };
        let id = IncidentId("i-1".to_owned());
        let drawn = |condition, svg: &str, second| StoredPlot {
            plot: plot(condition),
            svg: svg.to_owned(),
            at: at(second),
        };
        store
            .save_plots(&id, &[drawn("b", "<1/>", 1), drawn("a", "<2/>", 1)])
            .unwrap();
        store.save_plots(&id, &[drawn("b", "<3/>", 2)]).unwrap();
        let shown = store.plot_headers(&id).unwrap();
        assert_eq!(
            shown
                .iter()
                .map(|outline| &outline.plot)
                .collect::<Vec<_>>(),
            [&plot("a"), &plot("b")]
        );
        assert_eq!(
            shown
                .iter()
                .map(|outline| &*outline.hash)
                .collect::<Vec<_>>(),
            [hex("<2/>", 8), hex("<3/>", 8)]
        );
        assert_eq!(
            store.drawn_at(&id).unwrap(),
            BTreeMap::from([("a".to_owned(), at(1)), ("b".to_owned(), at(2))])
        );
        assert_eq!(store.plot(&id, "b").unwrap(), Some(drawn("b", "<3/>", 2)));
        assert_eq!(
            store.plot(&IncidentId("i-2".to_owned()), "b").unwrap(),
            None
        );
    }
}

#[test]
fn incidents_with_a_condition_are_found_while_open_and_a_while_after() {
    for (_home, store) in stores() {
        let measured = |id: &str, phase, kind| {
            let sort = SignalClass {
                kind,
                name: "errors".into(),
                severity: Severity::Critical,
                service: None,
                environment: None,
                role: None,
            };
            let signal = Signal {
                subject: note(id).subject,
                sort: sort.into(),
                spans: Vec::new().into(),
                event: note(id).id,
            };
            Arc::new(Incident {
                signals: vec![signal],
                ..incident(id, 0, phase)
            })
        };
        let incidents = vec![
            measured("i-1", Phase::Active, SignalKind::Condition),
            measured("i-2", Phase::Closed, SignalKind::Condition),
            measured("i-3", Phase::Active, SignalKind::Alert),
            Arc::new(incident("i-4", 0, Phase::Active)),
        ];
        apply(
            &store,
            &Changes {
                incidents,
                now: at(10),
                ..Changes::default()
            },
        );
        let found = |since| {
            store
                .incidents_with_conditions(at(since))
                .unwrap()
                .into_iter()
                .map(|(id, changed)| (id.0, changed))
                .collect::<Vec<_>>()
        };
        let (first, second) = (("i-1".to_owned(), at(10)), ("i-2".to_owned(), at(10)));
        assert_eq!(found(9), [first.clone(), second]);
        assert_eq!(found(10), [first]);
    }
}
