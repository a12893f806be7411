//! What the servers have in common: a loop for each socket.

use std::io::Result;

use runtime::Loop;
use runtime::net::{TcpListener, UdpSocket};

use crate::args::Args;
use crate::serve;

/// Lets `start` set a listener up on each of the `--loops`, and runs them.
pub(super) fn serve(
    args: &Args,
    start: impl Fn(TcpListener) + Copy + Send + 'static,
) -> Result<()> {
    serve::tcp(args, move |listener| {
        run(|| {
            start(TcpListener::from_std(listener)?);
            Ok(())
        })
    })
}

/// The same for datagrams.
pub(super) fn serve_datagrams(
    args: &Args,
    start: impl Fn(UdpSocket) + Copy + Send + 'static,
) -> Result<()> {
    serve::udp(args, move |socket| {
        run(|| {
            start(UdpSocket::from_std(socket)?);
            Ok(())
        })
    })
}

fn run(start: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    start()?;
    lp.run()?;
    Ok(())
}
