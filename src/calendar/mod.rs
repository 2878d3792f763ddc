//! The meeting: who is asked, when it is, and its iCalendar text; and who is on call, by the calendars of others. Pure: the time is an argument.

pub mod ical;
pub mod people;
pub mod rota;
pub mod slot;
