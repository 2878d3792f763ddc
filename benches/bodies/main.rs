//! Benchmark of the memory that large request bodies leave behind. `cargo bench --bench bodies`
//!
//! Bodies arrive in pieces of 16 KiB, eight at a time, and are dropped. Each line says what the
//! process held while they were there and what it still holds when they are gone, by
//! `VmRSS`, and the time a body took:
//!
//! - `mapped`: the receiver's own buffer, which maps a large body by itself;
//! - `grown`: a `BytesMut` that grows, as a straightforward receiver does, from the allocator of
//!   the program.
//!
//! In 2026 a server that has read eight bodies of 16 MiB holds 0.1 MiB more than before with the
//! first, and 110 to 160 MiB more with the second. A body takes 3 ms per MiB with the first, since
//! the kernel clears each page, and 0.5 ms per MiB with the second.

use std::io::Write as _;
use std::time::Instant;

use afterword::http::body_buffer::BodyBuffer;
use bytes::{Bytes, BytesMut};

#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PIECE: [u8; 16 * 1024] = [7; 16 * 1024];
const AT_ONCE: usize = 8;

fn main() {
    for mebibytes in [1, 4, 16] {
        check("mapped", mebibytes, |pieces| {
            let mut body = BodyBuffer::up_to(32 << 20);
            (0..pieces).for_each(|_| body.write_all(&PIECE).expect("the body is below its limit"));
            body.into_bytes()
        });
        check("grown", mebibytes, |pieces| {
            let mut body = BytesMut::new();
            (0..pieces).for_each(|_| body.extend_from_slice(&PIECE));
            body.freeze()
        });
    }
}

#[expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark tells its figures, time among them"
)]
fn check(name: &str, mebibytes: usize, read: impl Fn(usize) -> Bytes) {
    let before = resident();
    let start = Instant::now();
    let held: Vec<Bytes> = (0..AT_ONCE)
        .map(|_| read(mebibytes * (1 << 20) / PIECE.len()))
        .collect();
    let took = start.elapsed().as_secs_f64() * 1e3 / AT_ONCE as f64;
    let during = resident() - before;
    drop(held);
    let after = resident() - before;
    println!(
        "{name}, {AT_ONCE} bodies of {mebibytes} MiB: {during:.1} MiB held, {after:.1} MiB left, {took:.1} ms a body"
    );
}

/// Resident memory of this process in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kibibytes.expect("a number of kB") / 1024.0
}
