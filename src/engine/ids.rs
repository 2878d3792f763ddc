//! Maps by ids. These are hashes already, which nobody can pick to meet each other; to hash them again in full would cost more than what is
//! looked up.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// A map by [`EventId`](crate::model::id::EventId), [`Subject`](crate::model::id::Subject) or a part of one.
pub(crate) type IdMap<K, V> = HashMap<K, V, RandomState>;
