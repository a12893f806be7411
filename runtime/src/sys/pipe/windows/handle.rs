//! Handles of pipes: what they are, and named ones.

#![allow(unsafe_code)] // calls that the standard library has no word for

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::time::{Duration, Instant};

use windows_sys::Wdk::Foundation::{NtQueryObject, ObjectBasicInformation};
use windows_sys::Wdk::Storage::FileSystem::{
    FILE_SYNCHRONOUS_IO_ALERT, FILE_SYNCHRONOUS_IO_NONALERT, FileModeInformation,
    NtQueryInformationFile,
};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_PIPE_BUSY, FALSE, INVALID_HANDLE_VALUE, RtlNtStatusToDosError,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_FLAG_FIRST_PIPE_INSTANCE, FILE_FLAG_OVERLAPPED, FILE_READ_DATA, FILE_TYPE_CHAR,
    FILE_TYPE_DISK, FILE_TYPE_PIPE, FILE_WRITE_DATA, GetFileType, PIPE_ACCESS_DUPLEX,
    SECURITY_IDENTIFICATION,
};
use windows_sys::Win32::System::Console::{GetConsoleMode, GetNumberOfConsoleInputEvents};
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;
use windows_sys::Win32::System::Pipes::{
    CreateNamedPipeW, GetNamedPipeClientProcessId, GetNamedPipeInfo, PIPE_READMODE_BYTE,
    PIPE_REJECT_REMOTE_CLIENTS, PIPE_TYPE_BYTE, PIPE_UNLIMITED_INSTANCES, PIPE_WAIT,
    WaitNamedPipeW,
};
use windows_sys::Win32::System::WindowsProgramming::PUBLIC_OBJECT_BASIC_INFORMATION;

use super::overlapped::{is, raw_error};

/// What the system buffers for each direction of a pipe, as libuv asks for it.
const BUFFER: u32 = 64 * 1024;
/// How long a client waits for a server that is busy, as libuv.
const BUSY: Duration = Duration::from_secs(30);

/// What a handle was opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) reads: bool,
    pub(super) writes: bool,
}

impl Access {
    pub(super) const READ: Self = Self { reads: true, writes: false };
    pub(super) const WRITE: Self = Self { reads: false, writes: true };
}

/// What a handle that is to be a pipe may be used for.
pub(super) fn check_pipe(handle: &OwnedHandle) -> io::Result<Access> {
    match file_type(handle) {
        FILE_TYPE_CHAR if is_console_input(handle) => return Ok(Access::READ),
        FILE_TYPE_CHAR if is_console(handle) => return Ok(Access::WRITE),
        FILE_TYPE_CHAR => {}
        FILE_TYPE_PIPE if is_pipe(handle) => {}
        FILE_TYPE_PIPE => return Err(no_pipe("it is a socket, which has types of its own")),
        FILE_TYPE_DISK => return Err(no_pipe("a file is nothing to wait for")),
        _ => return Err(no_pipe("the system does not know its type")),
    }
    let access = access(handle)?;
    if access.reads && access.writes && is_synchronous(handle)? {
        // A read that waits would keep all writes waiting: the system makes one call at a time.
        let why =
            "it can't read and write at a time, for it was opened without FILE_FLAG_OVERLAPPED";
        return Err(io::Error::new(io::ErrorKind::Unsupported, why));
    }
    Ok(access)
}

fn no_pipe(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("this is no pipe: {why}"))
}

/// Whether it is what a console reads from. It may be open for writing too, which has no meaning.
fn is_console_input(handle: &OwnedHandle) -> bool {
    let mut events = 0;
    // SAFETY: the handle is open; the system writes to `events`.
    unsafe { GetNumberOfConsoleInputEvents(handle.as_raw_handle(), &mut events) != FALSE }
}

fn is_console(handle: &OwnedHandle) -> bool {
    let mut mode = 0;
    // SAFETY: the handle is open; the system writes to `mode`.
    unsafe { GetConsoleMode(handle.as_raw_handle(), &mut mode) != FALSE }
}

fn file_type(handle: &OwnedHandle) -> u32 {
    // SAFETY: the handle is open.
    unsafe { GetFileType(handle.as_raw_handle()) }
}

/// Whether it is a pipe, and not a console or a socket.
pub(super) fn is_pipe(handle: &OwnedHandle) -> bool {
    let none = ptr::null_mut();
    // SAFETY: the handle is open, and nothing is to be written.
    let told = unsafe { GetNamedPipeInfo(handle.as_raw_handle(), none, none, none, none) };
    // An end that may only be written to does not tell: a socket has another error.
    told != FALSE || is(&io::Error::last_os_error(), ERROR_ACCESS_DENIED)
}

fn access(handle: &OwnedHandle) -> io::Result<Access> {
    let mut told = PUBLIC_OBJECT_BASIC_INFORMATION::default();
    let size = size_of_val(&told) as u32;
    let at = (&raw mut told).cast();
    // SAFETY: the handle is open; the system writes at most `size` bytes to `told`.
    let status = unsafe {
        let handle = handle.as_raw_handle();
        NtQueryObject(handle, ObjectBasicInformation, at, size, ptr::null_mut())
    };
    check(status)?;
    let may = |right| told.GrantedAccess & right != 0;
    Ok(Access { reads: may(FILE_READ_DATA), writes: may(FILE_WRITE_DATA) })
}

/// Whether each call on it waits for its end. To be asked of a handle that nobody reads from.
fn is_synchronous(handle: &OwnedHandle) -> io::Result<bool> {
    let (mut block, mut mode) = (IO_STATUS_BLOCK::default(), 0_u32);
    // SAFETY: the handle is open; the system writes 4 bytes to `mode`, and to `block`, before it returns.
    let status = unsafe {
        let (handle, at) = (handle.as_raw_handle(), (&raw mut mode).cast());
        NtQueryInformationFile(handle, &mut block, at, 4, FileModeInformation)
    };
    check(status)?;
    Ok(mode & (FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT) != 0)
}

/// The kernel's statuses are another set of numbers.
fn check(status: i32) -> io::Result<()> {
    match status {
        0.. => Ok(()),
        // SAFETY: it is given a number.
        _ => Err(raw_error(unsafe { RtlNtStatusToDosError(status) })),
    }
}

/// Whether `name` is one of a pipe, such as `\\.\pipe\name`.
fn check_name(name: &OsStr) -> io::Result<()> {
    let text = name.to_string_lossy().replace('/', "\\");
    let mut parts = text.strip_prefix(r"\\").unwrap_or_default().splitn(3, '\\');
    let (server, folder, rest) = (parts.next(), parts.next(), parts.next());
    let is_name = server.is_some_and(|server| !server.is_empty())
        && folder.is_some_and(|folder| folder.eq_ignore_ascii_case("pipe"))
        && rest.is_some_and(|rest| !rest.is_empty());
    if !is_name || text.contains('\0') {
        let message = format!(r"{name:?} is no name of a pipe: those are like \\.\pipe\name");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(())
}

fn wide(name: &OsStr) -> Vec<u16> {
    name.encode_wide().chain([0]).collect()
}

/// Opens a named pipe as its client, and waits if all ends of the server's are taken: for the pool.
pub(crate) fn open_pipe(name: &OsStr) -> io::Result<OwnedHandle> {
    check_name(name)?;
    let deadline = Instant::now() + BUSY;
    loop {
        match open_as_allowed(name) {
            Err(error) if is(&error, ERROR_PIPE_BUSY) => wait_for_room(name, deadline)?,
            opened => return opened,
        }
    }
}

/// For both directions, or for the one that the server allows.
fn open_as_allowed(name: &OsStr) -> io::Result<OwnedHandle> {
    let open = |reads, writes| {
        let mut options = OpenOptions::new();
        // Or the server could act in our name.
        options.custom_flags(FILE_FLAG_OVERLAPPED).security_qos_flags(SECURITY_IDENTIFICATION);
        options.read(reads).write(writes).open(name).map(OwnedHandle::from)
    };
    let denied = |error: &io::Error| is(error, ERROR_ACCESS_DENIED);
    match open(true, true) {
        Err(error) if denied(&error) => match open(true, false) {
            Err(error) if denied(&error) => open(false, true),
            opened => opened,
        },
        opened => opened,
    }
}

fn wait_for_room(name: &OsStr, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now()).as_millis() as u32;
    // 0 would be the server's default. Somebody may be quicker to take the end: then it is asked again.
    // SAFETY: the name ends with 0.
    match unsafe { WaitNamedPipeW(wide(name).as_ptr(), left.max(1)) } {
        FALSE => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// A server's end of a named pipe, which nobody is connected to yet. The first one makes the name.
pub(super) fn make_instance(name: &OsStr, is_first: bool) -> io::Result<OwnedHandle> {
    check_name(name)?;
    let first = if is_first { FILE_FLAG_FIRST_PIPE_INSTANCE } else { 0 };
    // SAFETY: the name ends with 0; a handle that is returned is ours.
    let raw = unsafe {
        CreateNamedPipeW(
            wide(name).as_ptr(),
            PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | first,
            PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
            PIPE_UNLIMITED_INSTANCES,
            BUFFER,
            BUFFER,
            0,
            ptr::null(),
        )
    };
    if raw == INVALID_HANDLE_VALUE {
        let error = io::Error::last_os_error();
        let is_taken =
            is_first && [ERROR_ACCESS_DENIED, ERROR_PIPE_BUSY].iter().any(|&c| is(&error, c));
        let taken = || io::Error::new(io::ErrorKind::AddrInUse, "somebody listens there");
        return Err(if is_taken { taken() } else { error });
    }
    // SAFETY: it was just made, and nobody else has it.
    Ok(unsafe { OwnedHandle::from_raw_handle(raw) })
}

/// The process at the other end of a server's end; 0 if the system does not tell.
pub(super) fn client_process(pipe: &OwnedHandle) -> u32 {
    let mut id = 0;
    // SAFETY: the handle is open; the system writes to `id`.
    match unsafe { GetNamedPipeClientProcessId(pipe.as_raw_handle(), &mut id) } {
        FALSE => 0,
        _ => id,
    }
}
