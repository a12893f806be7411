//! Accept: connections that the server accepts and closes at once.

use std::io::{Error, Read, Result};
use std::net::TcpStream;

use super::Load;

/// So many are opened before the first is waited for, so that the server always has one to accept.
const GROUP: u64 = 32;

pub(super) fn run(load: &Load) -> Result<()> {
    open(load, load.requests / 10)?;
    load.measure("connection", || open(load, load.requests))
}

fn open(load: &Load, mut count: u64) -> Result<()> {
    while count > 0 {
        let group = count.min(GROUP);
        let streams = (0..group)
            .map(|_| TcpStream::connect_timeout(&load.address().into(), load.time_left()?))
            .collect::<Result<Vec<_>>>()?;
        streams.into_iter().try_for_each(|stream| wait_for_close(load, stream))?;
        count -= group;
    }
    Ok(())
}

fn wait_for_close(load: &Load, mut stream: TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(load.time_left()?))?;
    match stream.read(&mut [0; 1])? {
        0 => Ok(()),
        _ => Err(Error::other("the server sent something")),
    }
}
