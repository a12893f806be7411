//! `udp`: every datagram goes back to its sender.

use std::io::Result;

use runtime::net::UdpSocket;
use runtime::spawn;

use super::serve::serve_datagrams;
use crate::args::{Api, Args};

pub(super) fn udp(args: &Args) -> Result<()> {
    match args.api()? {
        Api::Callback => serve_datagrams(args, by_callback),
        Api::Future => serve_datagrams(args, by_future),
    }
}

fn by_callback(socket: UdpSocket) {
    socket.recv_many_start(|socket, datagrams| {
        // An error tells that a sender is gone; the others go on.
        if let Ok(datagrams) = datagrams {
            socket.send_many_to(datagrams);
        }
    });
}

fn by_future(socket: UdpSocket) {
    spawn(async move {
        loop {
            // The same for errors. The task reads on when all answers are sent.
            if let Ok(answers) = socket.recv_many_with(|all| socket.send_many_to(all)).await {
                drop(answers.await);
            }
        }
    });
}
