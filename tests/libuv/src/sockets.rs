//! Connected sockets: one end a stream of the loop that notes what it reads, the other one foreign: the
//! twin of `c/sockets.c`.

use crate::labels::status;
use behaviour::EventLog;
use runtime::net::{Pipe, TcpStream, UnixStream};
use runtime::{Loop, Request};
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

/// What one read takes at most: the loop's buffer.
pub const BUFFER: usize = 64 * 1024;

/// A stream, and the other end of its connection. They are Unix sockets: what one end does the other
/// sees at once; of TCP that is true only while the system is not busy.
pub fn open_stream() -> io::Result<(TcpStream, Socket)> {
    let (end, peer) = Socket::pair(Domain::UNIX, Type::STREAM, None)?;
    Ok((stream_of(end)?, peer))
}

/// The same over TCP, for what only that has.
pub fn open_tcp() -> io::Result<(TcpStream, Socket)> {
    let (end, peer) = connect_pair()?;
    Ok((stream_of(end)?, peer))
}

/// Takes a socket over.
pub fn stream_of(socket: Socket) -> io::Result<TcpStream> {
    TcpStream::from_std(socket.into())
}

/// A TCP connection of this process with itself.
pub fn connect_pair() -> io::Result<(Socket, Socket)> {
    let (listener, client) = (bind_loopback()?, Socket::new(Domain::IPV4, Type::STREAM, None)?);
    listener.listen(1)?;
    client.connect(&listener.local_addr()?)?;
    Ok((listener.accept()?.0, client))
}

/// A socket with an address of its own, at which nobody listens yet.
pub fn bind_loopback() -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    Ok(socket)
}

/// What bytes can be written to.
pub trait Writer {
    /// Writes all of it.
    fn write(&self, data: &[u8]) -> Request<()>;
    /// Ends what is written.
    fn shutdown(&self) -> Request<()>;
    /// Writes what the system takes at once.
    ///
    /// # Errors
    /// The system's.
    fn try_write(&self, data: &[u8]) -> io::Result<usize>;
}

macro_rules! writer {
    ($($stream:ident)*) => {
        $(impl Writer for $stream {
            fn write(&self, data: &[u8]) -> Request<()> {
                $stream::write(self, data)
            }

            fn shutdown(&self) -> Request<()> {
                $stream::shutdown(self)
            }

            fn try_write(&self, data: &[u8]) -> io::Result<usize> {
                $stream::try_write(self, data)
            }
        })*
    };
}

writer!(TcpStream Pipe UnixStream);

/// A read callback that notes `LABEL=` the bytes, or `EOF`, or the error.
pub fn note_read<S>(
    log: &EventLog,
    label: &'static str,
) -> impl FnMut(&S, io::Result<&[u8]>) + use<S> {
    let log = log.clone();
    move |_, read| log.push(came(label, &read))
}

/// A read callback that goes on with `f` after it was noted.
pub fn read_then<F: FnMut(&EventLog, &TcpStream)>(
    log: &EventLog,
    label: &'static str,
    mut f: F,
) -> impl FnMut(&TcpStream, io::Result<&[u8]>) + use<F> {
    let log = log.clone();
    move |stream, read| {
        log.push(came(label, &read));
        f(&log, stream);
    }
}

/// What a read gave.
fn came(label: &str, read: &io::Result<&[u8]>) -> String {
    match read {
        Ok([]) => format!("{label}=EOF"),
        Ok(bytes) => format!("{label}={}", bytes.len()),
        Err(_) => status(label, read),
    }
}

/// A request's callback that notes `LABEL=` the status.
pub fn note_status(log: &EventLog, label: &'static str) -> impl FnOnce(io::Result<()>) + use<> {
    let log = log.clone();
    move |result| log.push(status(label, &result))
}

/// Writes `length` bytes; the callback notes `LABEL=` the status.
pub fn write_noted(stream: &impl Writer, log: &EventLog, length: usize, label: &'static str) {
    stream.write(&vec![0; length]).callback(note_status(log, label));
}

/// Shuts down; the callback notes `LABEL=` the status.
pub fn shut_down_noted(stream: &impl Writer, log: &EventLog, label: &'static str) {
    stream.shutdown().callback(note_status(log, label));
}

/// Notes `try=` the bytes that are taken at once, or the error.
pub fn try_noted(stream: &impl Writer, log: &EventLog, length: usize) {
    match stream.try_write(&vec![0; length]) {
        Ok(written) => log.push(format!("try={written}")),
        refused => log.push(status("try", &refused)),
    }
}

/// Notes `queue=` the bytes that are queued.
pub fn note_queue(stream: &TcpStream, log: &EventLog) {
    log.push(format!("queue={}", stream.write_queue_size()));
}

/// Writes as much as the system takes, and queues nothing.
pub fn fill(stream: &impl Writer) {
    while stream.try_write(&[0; BUFFER]).is_ok() {}
}

/// The other end writes.
pub fn send_bytes(mut peer: &Socket, length: usize) -> io::Result<()> {
    peer.write_all(&vec![0; length])
}

/// The other end reads all there is, without waiting, and says how much that was.
pub fn drain(mut peer: &Socket) -> io::Result<usize> {
    peer.set_nonblocking(true)?;
    let mut received = Vec::new();
    match peer.read_to_end(&mut received) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        ended => drop(ended?),
    }
    peer.set_nonblocking(false)?;
    Ok(received.len())
}

/// Notes `peer=` the bytes that one read of the other end gives, or `EOF`, or the error. It waits.
pub fn note_peer(log: &EventLog, mut peer: impl Read) {
    log.push(match peer.read(&mut [0; 64]) {
        Ok(0) => "peer=EOF".into(),
        Ok(length) => format!("peer={length}"),
        failed => status("peer", &failed),
    });
}

/// Runs iterations that do not wait, and notes the end of each.
///
/// # Errors
/// A callback's.
pub fn iterate(lp: &mut Loop, log: &EventLog, count: usize) -> io::Result<()> {
    for _ in 0..count {
        lp.run_nowait()?;
        log.push("|");
    }
    Ok(())
}
