//! UDP: datagrams, for callbacks and tasks.
//!
//! ```text
//!              ┌───────────────── UdpSocket ──────────────────┐
//!   Ready ────▶│ receiving   32 at once into the loop's batch │─▶ callback, or waiting tasks
//!   sendto ◀───│ sending     at once, else a queue            │◀─ send, send_to
//!   options ◀──│ settings, multicast                          │
//!              └──────────────────────────────────────────────┘
//! ```
//!
//! A datagram stands for itself: an error of one (too long, nobody at that port) is told to the request
//! or the callback that meets it, and neither ends the socket nor what is queued behind it.
//!
//! Who waits and who is told is the same for all datagrams: `net/datagram`. Here is how the system is asked.

mod batch;
mod multicast;
mod options;
mod receiving;
mod resource;
mod sending;
mod settings;
mod socket;

pub use crate::sys::{Interface, Received, Undelivered};
pub use options::UdpOptions;
pub(super) use settings::check_hops;
pub use socket::UdpSocket;
