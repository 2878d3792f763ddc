//! Signals by what `where` sees of them: a storm has many that differ by their labels alone, and most criteria ask for none of these.

use std::collections::HashMap;
use std::sync::Arc;

use super::scope;
use crate::expr::Truth;
use crate::expr::facts::Facts;
use crate::model::event::{EventId, LabelSet};
use crate::model::incident::{Incident, Signal, Sort};

/// The signals of an incident, sorted.
pub(super) struct Sorts<'a> {
    incident: &'a Incident,
    /// Which sort each signal is of.
    of: Vec<u32>,
    /// What is seen of each sort, its labels not known.
    facts: Vec<Facts<'a>>,
}

impl<'a> Sorts<'a> {
    pub(super) fn of(incident: &'a Incident) -> Self {
        let mut known: HashMap<&'a Sort, u32> = HashMap::new();
        let mut sorts = Self { incident, of: Vec::with_capacity(incident.signals.len()), facts: Vec::new() };
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

    /// Each signal with what `asks` says of it. It is asked once a sort, and of each signal where that hangs on the labels.
    pub(super) fn asked<'s>(&'s self, asks: impl Fn(&Facts<'_>) -> Truth + 's) -> impl Iterator<Item = (&'a Signal, Truth)> + 's {
        let of_sort: Vec<Truth> = self.facts.iter().map(&asks).collect();
        let unclear = of_sort.iter().any(|truth| matches!(truth, Truth::Unknown(_)));
        let labels: HashMap<EventId, &'a LabelSet> = if unclear { scope::labels(self.incident) } else { HashMap::new() };
        self.incident.signals.iter().zip(&self.of).map(move |(signal, sort)| {
            let sort = *sort as usize;
            let truth = match &of_sort[sort] {
                Truth::Unknown(_) => {
                    let mut facts = self.facts[sort].clone();
                    facts.set("labels", labels.get(&signal.event).map(|labels| labels.all()).unwrap_or_default());
                    asks(&facts)
                }
                truth => truth.clone(),
            };
            (signal, truth)
        })
    }
}
