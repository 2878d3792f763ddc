//! Exit codes and output of the commands.

use std::io::Write;

/// Exit code: the input has faults.
pub(crate) const FAULTS: u8 = 1;
/// Exit code: wrong usage, the same as clap's.
pub(crate) const USAGE: u8 = 2;
/// Exit code: the service is unreachable.
pub(crate) const UNREACHABLE: u8 = 3;

/// Prints a line to standard output. A closed pipe is not an error.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Formats a result as JSON. Plain data always serializes.
pub(crate) fn json(result: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(result).unwrap_or_default()
}

/// Prints a line to standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Runs async work on a current-thread runtime.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}
