//! Objects of the rules that an expression may name.

/// An object that a `where` expression may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Root {
    /// `incident`
    Incident,
    /// `signal`
    Signal,
    /// `intervention`
    Intervention,
    /// `request`
    Request,
    /// `near_miss`
    NearMiss,
}
