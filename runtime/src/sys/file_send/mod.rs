//! Files that go to a socket without a detour, and what of them is in memory.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux;
#[cfg(any(target_os = "linux", target_os = "android"))]
use linux as system;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod other;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use other as system;

pub(super) use system::send_file;
pub(crate) use system::{is_cached, read_cached};
