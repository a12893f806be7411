//! Forwards TCP connections to another host, by name.
//!
//! ```text
//! cargo run -p examples --example tcp_proxy -- 8080 example.org:80
//! ```
//!
//! prints `127.0.0.1:8080` and serves until it is killed: `curl -H 'Host: example.org' 127.0.0.1:8080`.
//! With port 0 it takes one that is free. The name is looked up for each connection, and all its addresses
//! are tried. More than 100 connections at a time are refused.

use std::io;

use futures_lite::future::try_zip;
use runtime::net::{TcpListener, TcpStream};
use runtime::{secs, spawn};

const CONNECTIONS: usize = 100;

#[runtime::main]
async fn main() -> runtime::Result {
    let mut arguments = std::env::args().skip(1);
    let (Some(port), Some(target)) = (arguments.next(), arguments.next()) else {
        return Err("what is forwarded, and where to: PORT HOST:PORT".into());
    };
    let port: u16 = port.parse().map_err(|_| format!("{port:?} is no port"))?;
    let server = TcpListener::bind(("127.0.0.1", port))?;
    println!("{}", server.local_addr()?);

    server.set_max_connections(CONNECTIONS);
    server.on_drop(|_, dropped| eprintln!("{}: too many", dropped.peer_addr));
    server.on_error(|_, error| eprintln!("accept: {error}"));
    loop {
        let (client, from) = server.accept().await?;
        let target = target.clone();
        spawn(async move {
            if let Err(error) = forward(client, &target).await {
                eprintln!("{from}: {error}");
            }
        });
    }
}

async fn forward(client: TcpStream, target: &str) -> io::Result<()> {
    // For all of it: the question to the resolver, and each address.
    let options = TcpStream::options().connect_timeout(secs(10)).nodelay(true);
    let server = options.connect(target).await?;
    client.set_idle_timeout(secs(60));
    // Each direction ends by itself, and the connections when both have. If one of them fails both end:
    // the peer of the other may be silent, and would never notice.
    let (client, server) = (client.close_on_drop(), server.close_on_drop());
    try_zip(client.pipe_to(&*server), server.pipe_to(&*client)).await?;
    Ok(())
}
