//! `echo` and `mem`: every byte is sent back.

use std::future::Future;
use std::io::Result;

use runtime::net::{TcpListener, TcpStream};
use runtime::spawn;

use super::serve::serve;
use crate::args::{Api, Args};

const BUFFER: usize = 64 * 1024;
/// For `mem`, which is about small memory.
const SMALL_BUFFER: usize = 4 * 1024;

pub(super) fn echo(args: &Args) -> Result<()> {
    match args.api()? {
        Api::Callback => serve(args, |listener| by_callback(listener, false)),
        Api::Future => serve(args, |listener| by_future(listener, echo_from_own_buffer)),
    }
}

/// Callbacks read into the loop's buffer anyway; the future waits before it takes one.
///
/// With `--drain true` each connection has its drain callback from the start, as in the README.
pub(super) fn mem(args: &Args) -> Result<()> {
    match args.api()? {
        Api::Callback => {
            let can_drain = args.value_or("drain", false)?;
            serve(args, move |listener| by_callback(listener, can_drain))
        }
        Api::Future => serve(args, |listener| by_future(listener, echo_without_buffer)),
    }
}

fn by_callback(listener: TcpListener, can_drain: bool) {
    listener.listen(move |_, socket| -> runtime::Result {
        socket.set_nodelay(true)?;
        if can_drain {
            socket.on_drain(|socket| socket.resume());
        }
        socket.read_start(|socket, data| match data {
            Ok([]) => drop(socket.shutdown()),
            Ok(data) => {
                socket.write(data);
                if socket.is_full() {
                    socket.on_drain(|socket| socket.resume());
                    socket.pause();
                }
            }
            Err(_) => {} // a reset: the socket closes by itself
        });
        Ok(())
    });
}

fn by_future<F: Future<Output = Result<()>> + 'static>(
    listener: TcpListener,
    echo: impl Fn(TcpStream) -> F + 'static,
) {
    spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            // An error is a reset, or the like: it ends this connection and nothing else.
            spawn(echo(socket));
        }
    });
}

async fn echo_from_own_buffer(socket: TcpStream) -> Result<()> {
    socket.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match socket.read(&mut buffer).await? {
            0 => return Ok(()),
            read => socket.write(&buffer[..read]).await?,
        }
    }
}

async fn echo_without_buffer(socket: TcpStream) -> Result<()> {
    socket.set_nodelay(true)?;
    loop {
        socket.readable().await?;
        // What the system does not take at once is copied: the buffer is not held across the wait.
        let writing = {
            let mut buffer = [0; SMALL_BUFFER];
            match socket.try_read(&mut buffer)? {
                0 => return Ok(()),
                read => socket.write(&buffer[..read]),
            }
        };
        writing.await?;
    }
}
