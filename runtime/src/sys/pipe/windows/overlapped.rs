//! Calls on a pipe's handle that wait, and that another thread can end.
//!
//! Each is given an event of its own. A handle that was opened for overlapped operations answers at once
//! that the operation is under way, and the thread waits for its end or the request to stop. One that was
//! not waits within the call: there the request to stop cancels what the thread is in.

#![allow(unsafe_code)] // what the system is given has to stay until it is done

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_IO_PENDING, ERROR_MORE_DATA, ERROR_OPERATION_ABORTED, ERROR_PIPE_CONNECTED, FALSE,
    STATUS_PENDING, TRUE, WAIT_OBJECT_0,
};
use windows_sys::Win32::Storage::FileSystem::{ReadFile, WriteFile};
use windows_sys::Win32::System::IO::{
    CancelIoEx, CancelSynchronousIo, GetOverlappedResult, OVERLAPPED,
};
use windows_sys::Win32::System::Pipes::ConnectNamedPipe;
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, SetEvent, WaitForMultipleObjects, WaitForSingleObject,
};
use windows_sys::core::BOOL;

/// How often a thread is looked for in its call. It is between two instructions when it is not found.
const TRIES: usize = 10_000;

/// Something that happens once, or is told by the system.
#[derive(Debug)]
struct Event(OwnedHandle);

impl Event {
    fn new() -> io::Result<Self> {
        // SAFETY: neither attributes nor a name are given; a handle that is returned is ours.
        let raw = unsafe { CreateEventW(ptr::null(), TRUE, FALSE, ptr::null()) };
        if raw.is_null() {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was just made, and nobody else has it.
        Ok(Self(unsafe { OwnedHandle::from_raw_handle(raw) }))
    }

    fn set(&self) {
        // SAFETY: the event is open. It can't fail then.
        unsafe { SetEvent(self.0.as_raw_handle()) };
    }
}

/// The request to a thread to wait no longer.
#[derive(Debug)]
pub(super) struct Stop {
    event: Event,
    is_set: AtomicBool,
    /// The thread is about to make a call, or in it.
    is_in_call: AtomicBool,
}

impl Stop {
    pub(super) fn new() -> io::Result<Self> {
        let (is_set, is_in_call) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { event: Event::new()?, is_set, is_in_call })
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_set.load(SeqCst)
    }

    /// Makes a call, unless it is to be stopped.
    fn let_begin(stop: Option<&Self>, call: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let Some(stop) = stop else { return call() };
        stop.is_in_call.store(true, SeqCst);
        let begun = if stop.is_set() { Err(raw_error(ERROR_OPERATION_ABORTED)) } else { call() };
        stop.is_in_call.store(false, SeqCst);
        begun
    }

    /// Waits at most `limit` for the request.
    pub(super) fn is_set_within(&self, limit: Duration) -> bool {
        let limit = u32::try_from(limit.as_millis()).unwrap_or(INFINITE);
        // SAFETY: the event is open.
        unsafe { WaitForSingleObject(self.event.0.as_raw_handle(), limit) };
        self.is_set()
    }

    /// Asks `thread` to stop, and ends what it waits for. It does not wait for the thread.
    pub(super) fn stop(&self, thread: &JoinHandle<()>) {
        self.is_set.store(true, SeqCst);
        self.event.set();
        // The thread says that it is in a call, then looks at `is_set`: one of us sees the other.
        for _ in 0..TRIES {
            if !self.is_in_call.load(SeqCst) {
                return;
            }
            // SAFETY: the thread's handle is open as long as `thread` is. What is cancelled is the one
            // call that the thread is in, on the handle of the pipe, or an attempt of it to hand over
            // what nobody reads any more.
            let found = unsafe { CancelSynchronousIo(thread.as_raw_handle()) };
            if found != FALSE {
                return;
            }
            thread::yield_now();
        }
    }
}

/// Makes calls on handles for one thread.
#[derive(Debug)]
pub(super) struct Caller {
    done: Event,
}

impl Caller {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { done: Event::new()? })
    }

    /// Reads what comes next.
    ///
    /// # Errors
    /// `ERROR_OPERATION_ABORTED` if it was stopped; the system's.
    pub(super) fn read(
        &self,
        pipe: &OwnedHandle,
        buffer: &mut [u8],
        stop: &Stop,
    ) -> io::Result<usize> {
        let length = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        self.call(pipe, Some(stop), |overlapped| {
            // SAFETY: `call` does not return before the system is done with the buffer and `overlapped`.
            unsafe {
                let to = buffer.as_mut_ptr();
                ReadFile(pipe.as_raw_handle(), to, length, ptr::null_mut(), overlapped)
            }
        })
    }

    /// Writes some of `bytes`.
    pub(super) fn write(&self, pipe: &OwnedHandle, bytes: &[u8]) -> io::Result<usize> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.call(pipe, None, |overlapped| {
            // SAFETY: as for reading.
            unsafe {
                let from = bytes.as_ptr();
                WriteFile(pipe.as_raw_handle(), from, length, ptr::null_mut(), overlapped)
            }
        })
    }

    /// Waits until somebody is at the other end of a pipe that listens.
    pub(super) fn accept(&self, pipe: &OwnedHandle, stop: &Stop) -> io::Result<()> {
        let accepted = self.call(pipe, Some(stop), |overlapped| {
            // SAFETY: as for reading.
            unsafe { ConnectNamedPipe(pipe.as_raw_handle(), overlapped) }
        });
        match accepted {
            // It was quicker.
            Err(error) if is(&error, ERROR_PIPE_CONNECTED) => Ok(()),
            accepted => accepted.map(drop),
        }
    }

    /// Begins an operation by `begin` and waits for its end, or for `stop`: then it is cancelled. Gives
    /// the number of bytes.
    fn call(
        &self,
        pipe: &OwnedHandle,
        stop: Option<&Stop>,
        begin: impl FnOnce(*mut OVERLAPPED) -> BOOL,
    ) -> io::Result<usize> {
        // With the lowest bit set no completion port is told, should the handle have one.
        let event = self.done.0.as_raw_handle().map_addr(|raw| raw | 1);
        let mut overlapped = OVERLAPPED { hEvent: event, ..OVERLAPPED::default() };
        let at = &raw mut overlapped;
        let begun = Stop::let_begin(stop, || match begin(at) {
            FALSE => Err(io::Error::last_os_error()),
            _ => Ok(()),
        });
        match begun {
            Ok(()) => {}
            Err(error) if is(&error, ERROR_IO_PENDING) => {
                if !self.wait_unless(stop) {
                    // SAFETY: the operation is that of `overlapped`, on this handle, which is open. That
                    // it is done by now is no error for us.
                    unsafe { CancelIoEx(pipe.as_raw_handle(), at) };
                }
            }
            // Of a message there is more; the first part of it was read.
            Err(error) if is(&error, ERROR_MORE_DATA) => {}
            Err(error) => return Err(error),
        }
        let mut bytes = 0;
        // SAFETY: the operation was begun on this handle with `overlapped`, which lives until it is done.
        let result =
            match unsafe { GetOverlappedResult(pipe.as_raw_handle(), at, &mut bytes, TRUE) } {
                FALSE => Err(io::Error::last_os_error()),
                _ => Ok(()),
            };
        // SAFETY: it is ours to read.
        if unsafe { (&raw const (*at).Internal).read_volatile() } == STATUS_PENDING as usize {
            // The wait can't fail. If it did the system would write to memory that is somebody else's by
            // then.
            std::process::abort();
        }
        match result {
            Err(error) if !is(&error, ERROR_MORE_DATA) => Err(error),
            _ => Ok(bytes as usize),
        }
    }

    /// Waits until the operation is done, or until the request to stop: false.
    fn wait_unless(&self, stop: Option<&Stop>) -> bool {
        let Some(stop) = stop else { return true };
        let either = [self.done.0.as_raw_handle(), stop.event.0.as_raw_handle()];
        // SAFETY: both events are open, and two of them are named.
        let first = unsafe { WaitForMultipleObjects(2, either.as_ptr(), FALSE, INFINITE) };
        first == WAIT_OBJECT_0
    }
}

/// Whether an error is the system's of this code.
pub(super) fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code as i32)
}

pub(super) fn raw_error(code: u32) -> io::Error {
    io::Error::from_raw_os_error(code as i32)
}
