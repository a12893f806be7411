//! A libuv-style event loop with Node's phases.
