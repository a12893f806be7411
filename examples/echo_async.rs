//! An echo server by `await`; `echo_callbacks` is its twin by callbacks.
//!
//! ```text
//! cargo run -p examples --example echo_async -- 7000
//! ```
//!
//! prints `127.0.0.1:7000` (without an argument, the address with a port that was free) and serves
//! until it is killed. Talk to it by `nc 127.0.0.1 7000`: what you type comes back. A connection on
//! which nothing happens for a minute is closed.

use std::io;

use runtime::net::{TcpListener, TcpStream};
use runtime::{secs, spawn};

#[runtime::main]
async fn main() -> runtime::Result {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse().map_err(|_| format!("{port:?} is no port"))?,
        None => 0,
    };
    let server = TcpListener::bind(("127.0.0.1", port))?;
    println!("{}", server.local_addr()?);

    server.on_error(|_, error| eprintln!("accept: {error}")); // too many open files, say
    loop {
        // A handle that is awaited on is ours: the task owns the socket, which closes when it ends.
        let (socket, _) = server.accept().await?;
        // All tasks run on this thread, so they need not be `Send`. Dropping the handle of a task
        // lets it go on alone.
        spawn(async move {
            if let Err(error) = echo(socket).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn echo(socket: TcpStream) -> io::Result<()> {
    // For the read and the write below alike. `runtime::time::timeout` limits a single future.
    socket.set_idle_timeout(secs(60));
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match socket.read(&mut buffer).await? {
            0 => return Ok(()),
            // All of it, and no more is read before it is written: that is the back-pressure.
            read => socket.write(&buffer[..read]).await?,
        }
    }
}
