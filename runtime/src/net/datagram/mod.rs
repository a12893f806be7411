//! Sockets for datagrams: the resource behind `UdpSocket` and `UnixDatagram`.
//!
//! ```text
//!                    ┌────────── DatagramSocket ──────────┐
//!   kernel ─ Ready ─▶│ receiving  callback, waiting tasks │─▶ datagram, error
//!   kernel ◀─ send ──│ sending    queue, requests         │◀─ send, send_to
//!                    └────────────────────────────────────┘
//!            how to receive and to send is told by the handle type: DatagramHandle
//! ```
//!
//! What stands here is who waits, who is told, and when the loop holds the socket. How the system is
//! asked, what comes with the bytes and in what order the queue is sent is each type's own.

mod kind;
mod many;
pub(super) mod queue;
mod receiving;
mod resource;
mod sending;

pub(super) use kind::DatagramHandle;
pub use many::Unsent;
pub(super) use resource::{DatagramSocket, FIRST_OWN, READABLE, RECEIVING};

/// Datagrams of one event, as libuv's of UDP: a flood must not starve the other sockets.
pub(super) const DATAGRAMS_PER_EVENT: usize = 32;
/// System calls to send what is queued in one event: a long queue must not starve the others.
pub(super) const SENDS_PER_EVENT: usize = 32;
