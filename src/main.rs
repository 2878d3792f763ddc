//! The `afterword` binary.
fn main() {}
