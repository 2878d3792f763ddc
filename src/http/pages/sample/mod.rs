//! Sample data and pages for tests.

pub(crate) mod all;
pub(crate) mod backtests;
pub(crate) mod ledger;
pub(crate) mod model;
