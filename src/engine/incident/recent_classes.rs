//! A small cache by signal class: nearly all signals of a storm have one of a few classes.

use std::sync::Arc;

use crate::model::signal::SignalClass;

/// The number of cached classes.
const CAPACITY: usize = 8;

/// The most recent classes, each with a value computed for it.
#[derive(Debug)]
pub(crate) struct RecentClasses<T> {
    entries: [Option<(Arc<SignalClass>, T)>; CAPACITY],
    next: usize,
}

impl<T> Default for RecentClasses<T> {
    fn default() -> Self {
        Self {
            entries: Default::default(),
            next: 0,
        }
    }
}

impl<T: Clone> RecentClasses<T> {
    /// The value cached for this class, else the result of `find`, which is cached.
    pub(crate) fn get_or_insert_with(
        &mut self,
        sort: &Arc<SignalClass>,
        find: impl FnOnce() -> T,
    ) -> T {
        if let Some((_, found)) = self
            .entries
            .iter()
            .flatten()
            .find(|(known, _)| Arc::ptr_eq(known, sort))
        {
            return found.clone();
        }
        let found = find();
        self.entries[self.next % CAPACITY] = Some((Arc::clone(sort), found.clone()));
        self.next += 1;
        found
    }
}
