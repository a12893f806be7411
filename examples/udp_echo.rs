//! A UDP echo server and a client of it, in one loop: the server by callback, the client by `await`.
//!
//! ```text
//! cargo run -p examples --example udp_echo -- 7000
//! ```
//!
//! serves at 127.0.0.1:7000 until it is killed: talk to it by `nc -u 127.0.0.1 7000`. Without an
//! argument the port is one that is free, the client sends three datagrams to it and prints what comes
//! back, and the program ends.

use std::io;
use std::net::SocketAddr;

use runtime::net::UdpSocket;
use runtime::time::timeout;
use runtime::{ms, spawn};

#[runtime::main]
fn main() -> runtime::Result {
    let port = std::env::args().nth(1);
    let server = match &port {
        Some(port) => {
            let port = port.parse().map_err(|_| format!("{port:?} is no port"))?;
            UdpSocket::bind(("127.0.0.1", port))?
        }
        None => UdpSocket::bind("127.0.0.1:0")?,
    };
    let address = server.local_addr()?;
    println!("{address}");
    server.recv_many_start(|server, datagrams| match datagrams {
        // What came at once goes back at once, each to its sender. It lies in the loop's buffer, lent for
        // this call; what the system does not take is copied and queued. Nobody waits for the result: a
        // datagram may be lost anyway.
        Ok(datagrams) => drop(server.send_many_to(datagrams)),
        // Of one datagram, say that its sender is gone. The others are still served.
        Err(error) => eprintln!("{error}"),
    });
    if port.is_none() {
        // What serves for ever keeps the loop alive for ever, unless it is told not to.
        server.unref();
        spawn(talk(address)).detach();
    }
    Ok(())
}

async fn talk(server: SocketAddr) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    // One peer: others are not heard, and a dead one is told.
    socket.connect(server)?;
    for text in ["one", "two", "three"] {
        let mut buffer = [0; 64];
        let len = ask(&socket, text, &mut buffer).await?;
        println!("{}", String::from_utf8_lossy(&buffer[..len]));
    }
    Ok(())
}

/// Sends `text` until an answer comes: a datagram may be lost.
async fn ask(socket: &UdpSocket, text: &str, answer: &mut [u8]) -> io::Result<usize> {
    loop {
        socket.send(text).await?;
        if let Ok(len) = timeout(ms(500), socket.recv(answer)).await {
            return len;
        }
    }
}
