//! Stream: blocks of 64 KiB one way, then the number of bytes that the server has counted.

use std::io::{Error, Read, Result, Write};
use std::net::{Shutdown, TcpStream};

use super::Load;

const MIB: u64 = 1 << 20;
const BLOCK: usize = 64 << 10;

pub(super) fn run(load: &Load) -> Result<()> {
    send(load, load.requests.div_ceil(10))?;
    load.measure("MiB", || send(load, load.requests))
}

fn send(load: &Load, mib: u64) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&load.address().into(), load.time_left()?)?;
    let block = vec![0x5a; BLOCK];
    let len = mib * MIB;
    for _ in 0..len / BLOCK as u64 {
        stream.set_write_timeout(Some(load.time_left()?))?;
        stream.write_all(&block)?;
    }
    stream.shutdown(Shutdown::Write)?;

    stream.set_read_timeout(Some(load.time_left()?))?;
    let mut answer = Vec::new();
    (&stream).take(9).read_to_end(&mut answer)?;
    if answer != len.to_le_bytes() {
        return Err(Error::other(format!("sent {len} bytes, the server answered {answer:?}")));
    }
    Ok(())
}
