//! `metrics:` - where samples come from.
