//! Who was on call: an answer that may be nobody, and may be that nobody can say.

/// Who was on call at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnCall {
    /// These; at least one.
    These(Vec<OnCallPerson>),
    /// Nobody: the rota is known, and names nobody then.
    Nobody,
    /// Nobody can say; why, in a few words.
    Unknown(String),
}

/// Somebody on call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnCallPerson {
    /// Their name; of whom the settings do not know, what the rota says.
    pub name: String,
    /// Their id, where the settings know them.
    pub person: Option<String>,
}

/// Who was on call for a service at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceOnCall {
    /// The service.
    pub service: String,
    /// Who.
    pub who: OnCall,
}
