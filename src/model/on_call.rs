//! On-call answers: people, nobody, or unknown.

/// The people on call at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnCall {
    /// At least one person.
    These(Vec<OnCallPerson>),
    /// Nobody: the rota is known and empty at that time.
    Nobody,
    /// Unknown, with the reason in a few words.
    Unknown(String),
}

/// A person on call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnCallPerson {
    /// Their name; the one in the rota when the settings do not know them.
    pub name: String,
    /// Their id, when the settings know them.
    pub person: Option<String>,
}

/// The people on call for a service at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceOnCall {
    /// The service.
    pub service: String,
    /// The people on call.
    pub who: OnCall,
}
