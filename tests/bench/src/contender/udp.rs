//! `udp`: every datagram goes back to its sender.

use std::io::Result;

use runtime::net::UdpSocket;
use runtime::spawn;

use super::serve::serve_datagrams;
use crate::args::{Api, Args};

/// As large as a datagram can be.
const BUFFER: usize = 64 * 1024;

pub(super) fn udp(args: &Args) -> Result<()> {
    match args.api()? {
        Api::Callback => serve_datagrams(args, by_callback),
        Api::Future => serve_datagrams(args, by_future),
    }
}

fn by_callback(socket: UdpSocket) {
    socket.recv_start(|socket, datagram| {
        // An error tells that a sender is gone; the others go on.
        if let Ok((data, from)) = datagram {
            socket.send_to(data, from);
        }
    });
}

fn by_future(socket: UdpSocket) {
    spawn(async move {
        let mut buffer = vec![0; BUFFER];
        loop {
            if let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                socket.send_to(&buffer[..length], from);
            }
        }
    });
}
