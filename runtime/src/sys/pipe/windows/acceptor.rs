//! Where the clients of a named pipe arrive.
//!
//! ```text
//!   thread: ConnectNamedPipe ─▶ the next instance ─▶ waiting [ handle, handle ] ─▶ accept
//!                                                    bell: a byte each, on a socket ─▶ the loop
//! ```
//!
//! There is always an instance that listens, so a client who comes never finds the name gone.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::mem::replace;
use std::os::windows::io::{AsRawSocket, AsSocket, BorrowedSocket, OwnedHandle, RawSocket};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use socket2::Socket;
use windows_sys::Win32::Foundation::ERROR_NO_DATA;

use super::PipeEnd;
use super::handle::{client_process, make_instance};
use super::overlapped::{Caller, Stop, is};
use super::pump::start_thread;
use crate::sys;

/// Clients that are connected and not accepted yet; others wait to be connected.
const WAITING: usize = 128;
/// How long it waits until it tries to make an instance again.
const PAUSE: Duration = Duration::from_millis(100);

/// The loop's end of a listener for a named pipe.
#[derive(Debug)]
pub(crate) struct PipeAcceptor {
    /// Has a byte for each that waits.
    bell: Socket,
    arrivals: Arc<Arrivals>,
    thread: JoinHandle<()>,
}

/// What the thread and the loop share.
#[derive(Debug)]
struct Arrivals {
    name: OsString,
    stop: Stop,
    waiting: Mutex<VecDeque<io::Result<OwnedHandle>>>,
    /// Told when one is taken, and at the end.
    room: Condvar,
}

impl PipeAcceptor {
    /// Listens at `name`, which must be nobody else's.
    pub(crate) fn new(name: &OsStr) -> io::Result<Self> {
        let first = make_instance(name, true)?;
        let (bell, ringer) = sys::loopback_pair()?;
        ringer.set_nonblocking(false)?;
        ringer.set_tcp_nodelay(true)?;
        let arrivals = Arc::new(Arrivals {
            name: name.to_owned(),
            stop: Stop::new()?,
            waiting: Mutex::default(),
            room: Condvar::new(),
        });
        let (shared, caller) = (arrivals.clone(), Caller::new()?);
        let thread =
            start_thread("pipe-listener", move || shared.take_clients(first, &caller, &ringer))?;
        Ok(Self { bell, arrivals, thread })
    }

    pub(crate) fn name(&self) -> &OsStr {
        &self.arrivals.name
    }

    /// The next client, and the number of its process. `WouldBlock` if none waits.
    pub(crate) fn accept(&self) -> io::Result<(PipeEnd, u32)> {
        sys::recv(&self.bell, &mut [0])?;
        let next = self.arrivals.waiting.lock().pop_front();
        self.arrivals.room.notify_one();
        let pipe = next.unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))?;
        let process = client_process(&pipe);
        Ok((PipeEnd::new(pipe)?, process))
    }
}

impl Drop for PipeAcceptor {
    fn drop(&mut self) {
        self.arrivals.stop.stop(&self.thread);
        // With the lock, so that the thread does not miss it between its look and its wait.
        let _waiting = self.arrivals.waiting.lock();
        self.arrivals.room.notify_one();
    }
}

impl AsSocket for PipeAcceptor {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        self.bell.as_socket()
    }
}

impl AsRawSocket for PipeAcceptor {
    fn as_raw_socket(&self) -> RawSocket {
        self.bell.as_raw_socket()
    }
}

impl Arrivals {
    /// Until the listener is closed.
    fn take_clients(&self, mut listening: OwnedHandle, caller: &Caller, ringer: &Socket) {
        loop {
            let arrived = caller.accept(&listening, &self.stop);
            let Some(next) = self.next_instance(ringer) else { return };
            let client = replace(&mut listening, next);
            match arrived {
                Ok(()) => self.put(Ok(client), ringer),
                // It has gone already.
                Err(error) if is(&error, ERROR_NO_DATA) => {}
                Err(error) => self.put(Err(error), ringer),
            }
        }
    }

    /// Another one to listen; none at the end. If it can't be made that is told once.
    fn next_instance(&self, ringer: &Socket) -> Option<OwnedHandle> {
        let mut is_told = false;
        while !self.stop.is_set() {
            match make_instance(&self.name, false) {
                Ok(next) => return Some(next),
                Err(error) if !is_told => {
                    is_told = true;
                    self.put(Err(error), ringer);
                }
                Err(_) => {}
            }
            self.stop.is_set_within(PAUSE);
        }
        None
    }

    /// Lets one wait for the loop, once there is room.
    fn put(&self, arrived: io::Result<OwnedHandle>, mut ringer: &Socket) {
        let mut waiting = self.waiting.lock();
        while waiting.len() >= WAITING && !self.stop.is_set() {
            self.room.wait(&mut waiting);
        }
        waiting.push_back(arrived);
        // It fails if the loop's end is gone.
        let _ = ringer.write_all(&[0]);
    }
}
