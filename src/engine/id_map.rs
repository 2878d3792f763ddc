//! Maps keyed by ids, which are hashes already: hashing them again with a keyed hasher would cost
//! more than the lookup.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// A map by [`EventId`](crate::model::id::EventId), [`Subject`](crate::model::id::Subject)
/// or a part of one.
pub(crate) type IdMap<K, V> = HashMap<K, V, RandomState>;
