//! The attribute macros of `runtime`.
