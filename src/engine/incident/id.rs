//! Names of incidents, derived from the opening event; sources may assign names of their own.

use crate::model::event::Event;

/// The name an incident has when `event` opens it.
pub(crate) fn natural_name(event: &Event) -> String {
    name_of(natural_number(event))
}

/// The number in that name, of forty bits.
pub(crate) fn natural_number(event: &Event) -> u64 {
    event.id.digest() >> 24
}

/// The name with that number.
pub(crate) fn name_of(number: u64) -> String {
    format!("i-{number:010x}")
}

/// The number in a name, if an event could give such a one.
pub(crate) fn number_of(name: &str) -> Option<u64> {
    let number = u64::from_str_radix(name.strip_prefix("i-")?, 16).ok()?;
    (name_of(number) == name).then_some(number)
}

/// True for a name that a source assigned; none is derived from an opening event.
pub(crate) fn is_foreign(name: &str) -> bool {
    number_of(name).is_none()
}
