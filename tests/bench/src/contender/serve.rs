//! What the servers have in common: a socket on each loop, a loop on each thread.

use std::io::{Error, Result};
use std::net::{self, Ipv4Addr, SocketAddrV4};
use std::thread;

use runtime::Loop;
use runtime::net::{TcpListener, UdpSocket};
use socket2::{Domain, Socket, Type};

use crate::args::Args;
use crate::report::ready;

const BACKLOG: i32 = 4096;

/// Lets `start` set a listener up on each of the `--loops`, and runs them.
pub(super) fn serve(
    args: &Args,
    start: impl Fn(TcpListener) + Copy + Send + 'static,
) -> Result<()> {
    let listen = |port, loops| -> Result<net::TcpListener> {
        let socket = bind_at(Type::STREAM, port, loops)?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    serve_on_each(args, listen, move |listener| {
        start(TcpListener::from_std(listener)?);
        Ok(())
    })
}

/// The same for datagrams.
pub(super) fn serve_datagrams(
    args: &Args,
    start: impl Fn(UdpSocket) + Copy + Send + 'static,
) -> Result<()> {
    let bind =
        |port, loops| -> Result<net::UdpSocket> { Ok(bind_at(Type::DGRAM, port, loops)?.into()) };
    serve_on_each(args, bind, move |socket| {
        start(UdpSocket::from_std(socket)?);
        Ok(())
    })
}

fn serve_on_each<S: Send + 'static>(
    args: &Args,
    bind: impl Fn(u16, usize) -> Result<S>,
    start: impl Fn(S) -> Result<()> + Copy + Send + 'static,
) -> Result<()> {
    let (port, loops) = (args.value("port")?, args.value_or("loops", 1)?);
    let mut sockets = (0..loops).map(|_| bind(port, loops)).collect::<Result<Vec<_>>>()?;
    let own = sockets.pop().ok_or_else(|| Error::other("--loops 0: nobody would serve"))?;
    ready()?;
    for socket in sockets {
        thread::spawn(move || run(socket, start).expect("a loop of the server"));
    }
    run(own, start)
}

fn run<S>(socket: S, start: impl Fn(S) -> Result<()>) -> Result<()> {
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    start(socket)?;
    lp.run()?;
    Ok(())
}

fn bind_at(kind: Type, port: u16, loops: usize) -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, kind, None)?;
    socket.set_reuse_address(true)?;
    // The kernel shares out among the loops what comes.
    socket.set_reuse_port(loops > 1)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}
