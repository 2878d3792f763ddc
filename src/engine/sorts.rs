//! Signals by what `where` sees of them: a storm has many that differ by their labels alone, and most criteria ask for none of these.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::scope;
use crate::expr::Truth;
use crate::expr::facts::Facts;
use crate::model::incident::{Incident, Signal, Sort};
use crate::model::labels::LabelsOf;

/// The signals of an incident, sorted.
pub(super) struct Sorts<'a> {
    incident: &'a Incident,
    /// Which sort each signal is of.
    of: Vec<u32>,
    /// What is seen of each sort, its labels not known.
    facts: Vec<Facts<'a>>,
    /// The labels of each signal, once some criterion asks for them.
    labels: OnceCell<Vec<LabelsOf<'a>>>,
}

impl<'a> Sorts<'a> {
    pub(super) fn of(incident: &'a Incident) -> Self {
        let mut known: HashMap<&'a Sort, u32> = HashMap::new();
        let mut sorts = Self { incident, of: Vec::with_capacity(incident.signals.len()), facts: Vec::new(), labels: OnceCell::new() };
        let mut last: Option<(&Arc<Sort>, u32)> = None;
        for signal in &incident.signals {
            let number = match last.filter(|(other, _)| Arc::ptr_eq(other, &signal.sort)) {
                Some((_, number)) => number,
                None => *known.entry(&signal.sort).or_insert_with(|| {
                    sorts.facts.push(scope::signal(signal));
                    u32::try_from(sorts.facts.len() - 1).unwrap_or(u32::MAX)
                }),
            };
            last = Some((&signal.sort, number));
            sorts.of.push(number);
        }
        sorts
    }

    fn labels(&self) -> &[LabelsOf<'a>] {
        self.labels.get_or_init(|| {
            let stated = scope::labels(self.incident);
            let of = |signal: &Signal| stated.get(&signal.event).map(|labels| labels.all()).unwrap_or_default();
            self.incident.signals.iter().map(of).collect()
        })
    }

    /// Each signal with what `asks` says of it. It is asked once a sort, and of each signal where that hangs on the labels.
    pub(super) fn asked<'s>(&'s self, asks: impl Fn(&Facts<'_>) -> Truth + 's) -> impl Iterator<Item = (&'a Signal, Truth)> + 's {
        let of_sort: Vec<Truth> = self.facts.iter().map(&asks).collect();
        self.incident.signals.iter().zip(&self.of).enumerate().map(move |(index, (signal, sort))| {
            let sort = *sort as usize;
            let truth = match &of_sort[sort] {
                Truth::Unknown(_) => {
                    let mut facts = self.facts[sort].clone();
                    facts.set("labels", self.labels()[index]);
                    asks(&facts)
                }
                truth => truth.clone(),
            };
            (signal, truth)
        })
    }
}
