//! An echo server by callbacks, as one would write it in Node; `echo_async` is its twin by `await`.
//!
//! ```text
//! cargo run -p examples --example echo_callbacks -- 7000
//! ```
//!
//! prints `127.0.0.1:7000` (without an argument, the address with a port that was free) and serves
//! until it is killed. Talk to it by `nc 127.0.0.1 7000`: what you type comes back. A connection on
//! which nothing happens for a minute is closed.

use runtime::net::{TcpListener, TcpStream};
use runtime::secs;

#[runtime::main]
fn main() -> runtime::Result {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse().map_err(|_| format!("{port:?} is no port"))?,
        None => 0,
    };
    let server = TcpListener::bind(("127.0.0.1", port))?;
    println!("{}", server.local_addr()?);

    server.on_error(|_, error| eprintln!("accept: {error}")); // too many open files, say
    server.listen(|_, socket| echo(&socket));
    // `main` and `server` end here, the program does not: a handle that calls back belongs to the
    // loop, and the loop runs while one is active.
    Ok(())
}

fn echo(socket: &TcpStream) {
    // Also for a peer that sends but never reads: then the writing stands still, and so does this.
    socket.set_idle_timeout(secs(60));
    socket.on_drain(|socket| socket.resume());

    socket.read_start(|socket, data| match data {
        // The end: end the other direction too, after what is queued. Then the socket closes.
        Ok([]) => drop(socket.shutdown()),
        Ok(data) => {
            // `data` is the loop's buffer, lent for this call. What the kernel does not take at
            // once is copied and queued...
            socket.write(data);
            // ... and if that becomes much, do not read more before it is written.
            if socket.is_full() {
                socket.pause();
            }
        }
        // It closes by itself. To return the error would be a `throw`: the end of the server.
        Err(error) => eprintln!("{error}"),
    });
}
