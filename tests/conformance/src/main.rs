//! Trace programs.
fn main() {}
