//! Files, by their descriptors: what std has no portable name for.

#![allow(dead_code, reason = "what is at the position follows")]

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;
