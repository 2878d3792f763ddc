//! Signal classes: groups of signals that are equal to `where` except for their labels. The signals of
//! a storm differ only by labels, which most criteria do not use.

use std::cell::OnceCell;

use foldhash::HashMap;

use super::expr_context;
use crate::engine::incident::recent_classes::RecentClasses;
use crate::expr::facts::Facts;
use crate::expr::truth::Truth;
use crate::model::incident::Incident;
use crate::model::labels::LabelsRef;
use crate::model::signal::{Signal, SignalClass};

/// The signals of an incident by class.
pub(crate) struct SignalClasses<'a> {
    incident: &'a Incident,
    /// The class of each signal.
    class_of: Vec<u32>,
    /// The fields of each class, without labels.
    facts: Vec<Facts<'a>>,
    /// The labels of each signal, filled in once an expression depends on them.
    labels: OnceCell<Vec<LabelsRef<'a>>>,
}

impl<'a> SignalClasses<'a> {
    pub(crate) fn from_incident(incident: &'a Incident) -> Self {
        let mut known: HashMap<&'a SignalClass, u32> = HashMap::default();
        let mut recent = RecentClasses::default();
        let mut classes = Self {
            incident,
            class_of: Vec::with_capacity(incident.signals.len()),
            facts: Vec::new(),
            labels: OnceCell::new(),
        };
        for signal in &incident.signals {
            let number = recent.get_or_insert_with(&signal.sort, || {
                *known.entry(&signal.sort).or_insert_with(|| {
                    classes.facts.push(expr_context::signal(signal));
                    u32::try_from(classes.facts.len() - 1).unwrap_or(u32::MAX)
                })
            });
            classes.class_of.push(number);
        }
        classes
    }

    fn labels(&self) -> &[LabelsRef<'a>] {
        self.labels.get_or_init(|| {
            let stated = expr_context::labels(self.incident);
            let of = |signal: &Signal| {
                stated
                    .get(&signal.event)
                    .map(|labels| labels.all())
                    .unwrap_or_default()
            };
            self.incident.signals.iter().map(of).collect()
        })
    }

    /// Each signal with the value of `expression`, which is evaluated once a class, and for each signal
    /// where it depends on labels.
    pub(crate) fn evaluate<'s>(
        &'s self,
        expression: impl Fn(&Facts<'_>) -> Truth + 's,
    ) -> impl Iterator<Item = (&'a Signal, Truth)> + 's {
        let of_class: Vec<Truth> = self.facts.iter().map(&expression).collect();
        // The fields of the last class, with the labels of one signal after the other.
        let mut last: Option<(usize, Facts<'a>)> = None;
        self.incident
            .signals
            .iter()
            .zip(&self.class_of)
            .enumerate()
            .map(move |(index, (signal, class))| {
                let class = *class as usize;
                let truth = match &of_class[class] {
                    Truth::Unknown(_) => {
                        let (_, facts) = match &mut last {
                            Some(known) if known.0 == class => known,
                            _ => last.insert((class, self.facts[class].clone())),
                        };
                        facts.set("labels", self.labels()[index]);
                        expression(facts)
                    }
                    truth => truth.clone(),
                };
                (signal, truth)
            })
    }
}
