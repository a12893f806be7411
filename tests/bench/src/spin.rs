//! Jobs of a size: turns of a chain that no compiler shortens and no processor runs ahead in.

use std::hint::black_box;
use std::time::Instant;

/// Takes so many turns: the same in C and in Rust, since each waits for the one before.
pub fn spin(turns: u64) {
    let mut state = black_box(0x9e37_79b9_7f4a_7c15_u64);
    for _ in 0..turns {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state);
}

/// Returns what a turn takes here, in nanoseconds: the best of several tries.
#[must_use]
pub fn ns_per_turn() -> f64 {
    const TURNS: u64 = 1_000_000;
    let measure = || {
        let start = Instant::now();
        spin(TURNS);
        start.elapsed().as_nanos() as f64 / TURNS as f64
    };
    (0..9).map(|_| measure()).fold(f64::INFINITY, f64::min)
}
