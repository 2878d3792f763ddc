//! The meeting: who is asked, when it is, and its iCalendar text. Pure: the time is an argument.

pub mod ical;
pub mod people;
pub mod slot;
