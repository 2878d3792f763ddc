//! People: who is on call, what they answer and correct, and the work they planned.

pub(crate) mod corrections;
pub(crate) mod maintenance;
pub(crate) mod on_call;
pub(crate) mod reviews;
