//! The `afterword` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    afterword::cli::run()
}
