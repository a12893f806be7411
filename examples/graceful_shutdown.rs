//! A server that ends well: at ctrl-c or `kill` it takes no more connections, and lets those that
//! there are finish.
//!
//! ```text
//! cargo run -p examples --example graceful_shutdown -- 7000
//! ```
//!
//! prints `127.0.0.1:7000` (without an argument, the address with a port that was free) and sends back
//! what it gets. Talk to it by `nc 127.0.0.1 7000`, then press ctrl-c here: it goes on until you end `nc`,
//! for 5 seconds at most. Press ctrl-c twice, and it ends at once.

use std::cell::Cell;
use std::rc::Rc;

use runtime::handle::Signal;
use runtime::net::{TcpListener, TcpStream};
use runtime::signal::{SIGINT, SIGTERM};
use runtime::{exit, secs, set_timeout};

/// How long connections may take to finish.
const LIMIT_SECS: u64 = 5;

#[runtime::main]
fn main() -> runtime::Result {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse().map_err(|_| format!("{port:?} is no port"))?,
        None => 0,
    };
    let server = TcpListener::bind(("127.0.0.1", port))?;
    println!("{}", server.local_addr()?);
    server.on_error(|_, error| eprintln!("accept: {error}")); // too many open files, say
    server.listen(|_, socket| echo(socket));

    let is_stopping = Rc::new(Cell::new(false));
    for signum in [SIGINT, SIGTERM] {
        let (server, is_stopping) = (server.clone(), is_stopping.clone());
        // Unreferenced from the start: a signal that is watched keeps no program alive.
        Signal::new().start(signum, move |_, signum| {
            if is_stopping.replace(true) {
                exit(128 + signum); // what a shell says of a program that a signal ended
            }
            stop(&server);
        })?;
    }
    Ok(())
}

/// Takes no more connections. The program ends by itself, with the last of those that there are.
fn stop(server: &TcpListener) {
    println!("finishing");
    server.close();
    let limit = set_timeout(secs(LIMIT_SECS), || {
        eprintln!("there are connections after {LIMIT_SECS} seconds");
        exit(1)
    });
    limit.unref(); // it ends the program, and keeps none alive
}

fn echo(socket: TcpStream) {
    socket.on_drain(|socket| socket.resume());
    socket.read_start(|socket, data| match data {
        Ok([]) => drop(socket.shutdown()),
        Ok(data) => {
            socket.write(data);
            if socket.is_full() {
                socket.pause(); // until on_drain
            }
        }
        Err(error) => eprintln!("{error}"), // it closes by itself
    });
}
