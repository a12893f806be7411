//! Datagrams that came in one system call.
//!
//! ```text
//!   the thread's spare ── fill ──▶ [ left of a socket ] ── next, next, or all ──▶ empty ──▶ spare
//!                                          │
//!                     a callback stopped: what is behind it waits here for the next reader
//! ```

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use socket2::Socket;

use crate::sys::{self, MANY, Received};

/// A place for one datagram: as long as the longest, so that none is cut off.
///
/// And a bit more: places that are a power of two apart would all compete for the same few lines of
/// the processor's cache.
const STRIDE: usize = 64 * 1024 + 192;

/// Received datagrams, taken one by one. Who takes one may be called back meanwhile and others may take
/// the next, so it is shared, and filled again by its only owner.
///
/// Of its two megabytes the system provides what is written to: a page for each short datagram.
pub(crate) struct Batch {
    bytes: Vec<u8>,
    found: [Received; MANY],
    count: usize,
    next: Cell<usize>,
}

thread_local! {
    /// One for all sockets of a thread: datagrams stay in a batch only while callbacks run.
    static SPARE: Cell<Option<Rc<Batch>>> = const { Cell::new(None) };
}

impl Batch {
    fn new() -> Self {
        let bytes = vec![0; MANY * STRIDE];
        Self { bytes, found: [Received::NOTHING; MANY], count: 0, next: Cell::new(0) }
    }

    /// Receives what is there, up to [`MANY`] datagrams.
    pub(super) fn receive(socket: &Socket) -> io::Result<Rc<Self>> {
        let mut batch =
            SPARE.try_with(Cell::take).ok().flatten().unwrap_or_else(|| Self::new().into());
        let filled =
            Rc::get_mut(&mut batch).expect("a spare batch has no other owner").fill(socket);
        match filled {
            Ok(()) => Ok(batch),
            Err(error) => {
                batch.recycle();
                Err(error)
            }
        }
    }

    fn fill(&mut self, socket: &Socket) -> io::Result<()> {
        (self.count, self.next) = (0, Cell::new(0));
        self.count = sys::recv_many(socket, &mut self.bytes, STRIDE, &mut self.found)?;
        Ok(())
    }

    /// Makes it the thread's spare, if nobody else looks at it.
    pub(super) fn recycle(mut self: Rc<Self>) {
        if Rc::get_mut(&mut self).is_some() {
            // In a thread that ends there is no place for it.
            let _ = SPARE.try_with(|spare| spare.set(Some(self)));
        }
    }

    /// Whether the system had more than it could take.
    pub(super) fn was_full(&self) -> bool {
        self.count == MANY
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next.get() == self.count
    }

    fn at(&self, place: usize) -> Option<(&[u8], SocketAddr)> {
        let found = self.found[..self.count].get(place)?;
        Some((&self.bytes[place * STRIDE..][..found.len], found.from))
    }

    /// The next datagram, which stays.
    pub(super) fn peek(&self) -> Option<(&[u8], SocketAddr)> {
        self.at(self.next.get())
    }

    /// Takes the next datagram.
    pub(super) fn next(&self) -> Option<(&[u8], SocketAddr)> {
        let datagram = self.peek()?;
        self.next.set(self.next.get() + 1);
        Some(datagram)
    }

    /// Takes all datagrams that are left, and lends them to `f`.
    pub(super) fn take_all<R>(&self, f: impl FnOnce(&[(&[u8], SocketAddr)]) -> R) -> R {
        let first = self.next.replace(self.count);
        let mut all = [(&[][..], Received::NOWHERE); MANY];
        let mut len = 0;
        for (place, datagram) in all.iter_mut().zip((first..self.count).filter_map(|n| self.at(n)))
        {
            *place = datagram;
            len += 1;
        }
        f(&all[..len])
    }
}
