//! Local datagrams, for callbacks and tasks.
//!
//! ```text
//!              ┌──────────────── UnixDatagram ────────────────┐
//!   Ready ────▶│ receiving   whole messages, in order         │─▶ callback, or waiting tasks
//!   sendmsg ◀──│ sending     at once, else a lane of its      │◀─ send, send_to
//!              │             destination                      │
//!              └──────────────────────────────────────────────┘
//! ```
//!
//! Unlike a datagram of the network none is lost: a destination that does not receive lets its senders wait.
//! So each destination has a lane of its own, and one that never receives holds up nobody else.
//!
//! Who waits and who is told is the same for all datagrams: `net/datagram`. Here is how the system is asked.

mod buffer;
mod lanes;
mod receiving;
mod resource;
mod sending;
mod socket;

pub use socket::UnixDatagram;
