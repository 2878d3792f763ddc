//! The `afterword` binary.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Much of what is judged comes from one thread and goes on another, which it is made for.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    afterword::cli::run()
}
