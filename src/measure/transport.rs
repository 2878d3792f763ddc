//! HTTP as both clients need it.

use super::reach::Reach;

/// What is wrong with `reach`; repeats none of it.
pub(super) fn check(_reach: &Reach) -> Result<(), String> {
    Ok(())
}
