//! The servers over TCP: one wait, one read and one write for what comes.

use std::io::{Error, Result};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read, write};
use rustix::net::{SocketFlags, accept_with, sockopt};

use super::epoll::Epoll;
use crate::args::Args;
use crate::serve;

const BUFFER: usize = 64 * 1024;
/// The listener's key; a connection's is its descriptor, which is never that large.
const LISTENER: u64 = u64::MAX;

pub(super) fn echo(args: &Args) -> Result<()> {
    serve::tcp(args, |listener| {
        serve(&listener, |connection, data| match data {
            [] => Ok(Next::Close),
            data => write_all(&connection.fd, data).map(|()| Next::GoOn),
        })
    })
}

pub(super) fn sink(args: &Args) -> Result<()> {
    serve::tcp(args, |listener| {
        serve(&listener, |connection, data| {
            connection.total += data.len() as u64;
            if data.is_empty() {
                write_all(&connection.fd, &connection.total.to_le_bytes())?;
                return Ok(Next::Close);
            }
            Ok(Next::GoOn)
        })
    })
}

pub(super) fn accept(args: &Args) -> Result<()> {
    serve::tcp(args, |listener| {
        let mut epoll = Epoll::new()?;
        epoll.add(&listener, LISTENER)?;
        loop {
            for _ in epoll.wait(None)? {
                drop(accept_one(&listener)?);
            }
        }
    })
}

struct Connection {
    fd: OwnedFd,
    /// Bytes that were read.
    total: u64,
}

enum Next {
    GoOn,
    Close,
}

/// Gives `on_data` what each connection sends; an empty slice is the end.
fn serve(
    listener: &TcpListener,
    on_data: impl Fn(&mut Connection, &[u8]) -> Result<Next>,
) -> Result<()> {
    let mut epoll = Epoll::new()?;
    epoll.add(listener, LISTENER)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        let mut is_listener_ready = false;
        for key in epoll.wait(None)? {
            if key == LISTENER {
                is_listener_ready = true;
                continue;
            }
            let slot = &mut connections[key as usize];
            let connection = slot.as_mut().expect("closed ones are not reported");
            let next = match read(&connection.fd, &mut buffer) {
                Ok(read) => on_data(connection, &buffer[..read]),
                Err(error) => Err(error.into()),
            };
            // An error is a reset, or the like: it ends this connection and nothing else.
            if !matches!(next, Ok(Next::GoOn)) {
                *slot = None;
            }
        }
        if is_listener_ready {
            let fd = accept_one(listener)?;
            let index = fd.as_raw_fd() as usize;
            epoll.add(&fd, index as u64)?;
            if connections.len() <= index {
                connections.resize_with(index + 1, || None);
            }
            connections[index] = Some(Connection { fd, total: 0 });
        }
    }
}

fn accept_one(listener: &TcpListener) -> Result<OwnedFd> {
    let connection = accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    sockopt::set_tcp_nodelay(&connection, true)?;
    Ok(connection)
}

/// Writes all, and waits where the peer is slow: there is no queue here.
fn write_all(connection: &OwnedFd, mut data: &[u8]) -> Result<()> {
    while !data.is_empty() {
        match write(connection, data) {
            Ok(written) => data = &data[written..],
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::new(connection, PollFlags::OUT)], None)?;
            }
            Err(error) => return Err(Error::from(error)),
        }
    }
    Ok(())
}
