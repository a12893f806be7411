//! The threads that carry bytes between a pipe and a socket: one for each direction.
//!
//! The handle closes when the last of them ends. The one that reads ends with the pipe's data, or when the
//! loop's end is dropped, which stops it. The one that writes ends when it has written all that the loop
//! has sent. If nobody reads any more it goes on, and throws away what is sent, until the loop has
//! noticed. Nobody waits for these threads: the end of the process ends them.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::windows::io::OwnedHandle;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use socket2::Socket;
use windows_sys::Win32::Foundation::{
    ERROR_BROKEN_PIPE, ERROR_HANDLE_EOF, ERROR_PIPE_NOT_CONNECTED,
};

use super::handle::{Access, is_pipe};
use super::link::Link;
use super::overlapped::{Caller, Stop, is};

/// Bytes that are carried at a time.
const CHUNK: usize = 16 * 1024;
const STACK: usize = 64 * 1024;

/// What the threads of one pipe share.
struct Pump {
    pipe: OwnedHandle,
    socket: Socket,
    link: Arc<Link>,
}

/// The thread that reads, for the loop's end: to be stopped with it.
#[derive(Debug)]
pub(super) struct Reader {
    stop: Arc<Stop>,
    thread: JoinHandle<()>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.stop(&self.thread);
    }
}

/// Starts the threads that `access` asks for.
pub(super) fn begin(
    pipe: OwnedHandle,
    socket: Socket,
    link: &Arc<Link>,
    access: Access,
) -> io::Result<Option<Reader>> {
    let pump = Arc::new(Pump { pipe, socket, link: link.clone() });
    let reader = if access.reads { Some(begin_to_read(pump.clone())?) } else { None };
    if access.writes {
        let caller = Caller::new()?;
        start_thread("pipe-writer", move || pump.write_all_that_comes(&caller))?;
    }
    Ok(reader)
}

fn begin_to_read(pump: Arc<Pump>) -> io::Result<Reader> {
    let (caller, stop) = (Caller::new()?, Arc::new(Stop::new()?));
    let stopped = stop.clone();
    let thread = start_thread("pipe-reader", move || pump.read_all_that_comes(&caller, &stopped))?;
    Ok(Reader { stop, thread })
}

pub(super) fn start_thread(
    name: &str,
    f: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).stack_size(STACK).spawn(f)
}

impl Pump {
    /// From the pipe to the loop.
    fn read_all_that_comes(&self, caller: &Caller, stop: &Stop) {
        let mut buffer = vec![0; CHUNK];
        loop {
            match caller.read(&self.pipe, &mut buffer, stop) {
                _ if stop.is_set() => return,
                // A message of no bytes. Of a console it is the end: ctrl-z.
                Ok(0) if is_pipe(&self.pipe) => {}
                Ok(0) => break,
                Ok(read) => {
                    // The loop's end is gone.
                    let Ok(()) = (&self.socket).write_all(&buffer[..read]) else { return };
                }
                Err(error) => {
                    if !is_end(&error) {
                        self.link.fail_reads(&error);
                    }
                    break;
                }
            }
        }
        // It fails if the loop's end is gone, who does not care any more.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// From the loop to the pipe.
    fn write_all_that_comes(&self, caller: &Caller) {
        let mut buffer = vec![0; CHUNK];
        // An error is that the loop's end is gone, and what it had sent with it.
        while let Ok(read @ 1..) = (&self.socket).read(&mut buffer) {
            if self.link.check_written().is_ok()
                && let Err(error) = self.write(caller, &buffer[..read])
            {
                self.link.fail_writes(&error);
            }
            self.link.unwritten.remove(read);
        }
    }

    fn write(&self, caller: &Caller, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = caller.write(&self.pipe, bytes)?;
            bytes = &bytes[written..];
        }
        Ok(())
    }
}

/// Whether an error is the way in which a pipe says that nobody writes to it any more.
fn is_end(error: &io::Error) -> bool {
    [ERROR_BROKEN_PIPE, ERROR_HANDLE_EOF, ERROR_PIPE_NOT_CONNECTED]
        .into_iter()
        .any(|code| is(error, code))
}
