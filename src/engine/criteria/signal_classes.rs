//! Signals by what `where` sees of them: a storm has many that differ by their labels alone, and most criteria ask for none of these.

use std::cell::OnceCell;
use std::sync::Arc;

use foldhash::HashMap;

use super::expr_context;
use crate::expr::facts::Facts;
use crate::expr::truth::Truth;
use crate::model::incident::Incident;
use crate::model::labels::LabelsRef;
use crate::model::signal::{Signal, SignalClass};

/// How many sorts are kept at hand.
const AT_HAND: usize = 8;

/// The sorts that were met last, with what was found for each: of a storm's signals nearly all have one of a few.
#[derive(Debug)]
pub(crate) struct RecentClasses<T> {
    met: [Option<(Arc<SignalClass>, T)>; AT_HAND],
    next: usize,
}

impl<T> Default for RecentClasses<T> {
    fn default() -> Self {
        Self {
            met: Default::default(),
            next: 0,
        }
    }
}

impl<T: Clone> RecentClasses<T> {
    /// What was found for that very sort, or what `find` finds.
    pub(crate) fn or_find(&mut self, sort: &Arc<SignalClass>, find: impl FnOnce() -> T) -> T {
        if let Some((_, found)) = self
            .met
            .iter()
            .flatten()
            .find(|(met, _)| Arc::ptr_eq(met, sort))
        {
            return found.clone();
        }
        let found = find();
        self.met[self.next % AT_HAND] = Some((Arc::clone(sort), found.clone()));
        self.next += 1;
        found
    }
}

/// The signals of an incident, sorted.
pub(crate) struct SignalClasses<'a> {
    incident: &'a Incident,
    /// Which sort each signal is of.
    of: Vec<u32>,
    /// What is seen of each sort, its labels not known.
    facts: Vec<Facts<'a>>,
    /// The labels of each signal, once some criterion asks for them.
    labels: OnceCell<Vec<LabelsRef<'a>>>,
}

impl<'a> SignalClasses<'a> {
    pub(crate) fn of(incident: &'a Incident) -> Self {
        let mut known: HashMap<&'a SignalClass, u32> = HashMap::default();
        let mut lately = RecentClasses::default();
        let mut sorts = Self {
            incident,
            of: Vec::with_capacity(incident.signals.len()),
            facts: Vec::new(),
            labels: OnceCell::new(),
        };
        for signal in &incident.signals {
            let number = lately.or_find(&signal.sort, || {
                *known.entry(&signal.sort).or_insert_with(|| {
                    sorts.facts.push(expr_context::signal(signal));
                    u32::try_from(sorts.facts.len() - 1).unwrap_or(u32::MAX)
                })
            });
            sorts.of.push(number);
        }
        sorts
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

    /// Each signal with what `asks` says of it. It is asked once a sort, and of each signal where that hangs on the labels.
    pub(crate) fn asked<'s>(
        &'s self,
        asks: impl Fn(&Facts<'_>) -> Truth + 's,
    ) -> impl Iterator<Item = (&'a Signal, Truth)> + 's {
        let of_sort: Vec<Truth> = self.facts.iter().map(&asks).collect();
        // The facts of the sort that was asked last, with the labels of one signal after the other.
        let mut last: Option<(usize, Facts<'a>)> = None;
        self.incident.signals.iter().zip(&self.of).enumerate().map(
            move |(index, (signal, sort))| {
                let sort = *sort as usize;
                let truth = match &of_sort[sort] {
                    Truth::Unknown(_) => {
                        let (_, facts) = match &mut last {
                            Some(known) if known.0 == sort => known,
                            _ => last.insert((sort, self.facts[sort].clone())),
                        };
                        facts.set("labels", self.labels()[index]);
                        asks(facts)
                    }
                    truth => truth.clone(),
                };
                (signal, truth)
            },
        )
    }
}
