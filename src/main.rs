//! The `afterword` binary.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// mimalloc, since events are allocated on one thread and freed on another, which it handles fast.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    afterword::cli::run()
}
