//! Roots: the objects an expression may refer to.

/// An object that a `where` expression may refer to.
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
