//! What the servers have in common: a socket for each of the `--loops`, and a thread for each.
//!
//! ```text
//!              ┌─▶ socket ─▶ loop     on a thread each; the kernel shares out
//!   --port P ──┤                      what comes (SO_REUSEPORT)
//!              └─▶ socket ─▶ loop
//! ```

use std::io::{Error, ErrorKind, Result};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::thread;

use socket2::{Domain, Socket, Type};

use crate::args::Args;
use crate::report::ready;

const BACKLOG: i32 = 4096;

/// Gives `run` a listener on each of the loops' threads, once all of them listen.
///
/// # Errors
/// If the arguments make no sense; those of the system; those of `run`.
pub fn tcp(
    args: &Args,
    run: impl Fn(TcpListener) -> Result<()> + Copy + Send + 'static,
) -> Result<()> {
    on_each_loop(args, listen_at, run)
}

/// The same for datagrams.
///
/// # Errors
/// As [`tcp`].
pub fn udp(
    args: &Args,
    run: impl Fn(UdpSocket) -> Result<()> + Copy + Send + 'static,
) -> Result<()> {
    on_each_loop(args, bind_at, run)
}

/// Returns the listener of a server that has one loop and can't have more.
///
/// # Errors
/// If more are asked for; else as [`tcp`].
pub fn only_listener(args: &Args) -> Result<TcpListener> {
    refuse_loops(args)?;
    listen_at(args.value("port")?, 1)
}

/// The same for datagrams.
///
/// # Errors
/// As [`only_listener`].
pub fn only_udp_socket(args: &Args) -> Result<UdpSocket> {
    refuse_loops(args)?;
    bind_at(args.value("port")?, 1)
}

/// A server that ran fewer loops than it was asked for would pass for a slow one.
fn refuse_loops(args: &Args) -> Result<()> {
    match args.value_or("loops", 1)? {
        1 => Ok(()),
        loops => Err(Error::new(ErrorKind::Unsupported, format!("--loops {loops}: not supported"))),
    }
}

fn on_each_loop<S: Send + 'static>(
    args: &Args,
    bind: impl Fn(u16, usize) -> Result<S>,
    run: impl Fn(S) -> Result<()> + Copy + Send + 'static,
) -> Result<()> {
    let (port, loops) = (args.value("port")?, args.value_or("loops", 1)?);
    let mut sockets = (0..loops).map(|_| bind(port, loops)).collect::<Result<Vec<_>>>()?;
    let own = sockets.pop().ok_or_else(|| Error::other("--loops 0: nobody would serve"))?;
    ready()?;
    for socket in sockets {
        thread::spawn(move || run(socket).expect("a loop of the server"));
    }
    run(own)
}

fn listen_at(port: u16, loops: usize) -> Result<TcpListener> {
    let socket = socket_at(Type::STREAM, port, loops)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn bind_at(port: u16, loops: usize) -> Result<UdpSocket> {
    Ok(socket_at(Type::DGRAM, port, loops)?.into())
}

fn socket_at(kind: Type, port: u16, loops: usize) -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, kind, None)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(loops > 1)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}
