//! Echo: messages of 64 bytes, over TCP connections or from as many UDP senders.

use std::io::Result;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;

use bench::report::figure;

use super::Load;
use super::conversation::Conversations;

pub(super) fn over_tcp(load: &Load) -> Result<()> {
    run(load, tcp_socket)
}

pub(super) fn over_udp(load: &Load) -> Result<()> {
    run(load, udp_socket)
}

/// Returns a connection to the server.
pub(super) fn tcp_socket(load: &Load) -> Result<OwnedFd> {
    let stream = TcpStream::connect_timeout(&load.address().into(), load.time_left()?)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream.into())
}

fn udp_socket(load: &Load) -> Result<OwnedFd> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(load.address())?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn run(load: &Load, connect: impl Fn(&Load) -> Result<OwnedFd>) -> Result<()> {
    let mut conversations = Conversations::new(load)?;
    for _ in 0..load.connections {
        conversations.add(connect(load)?)?;
    }
    // Warm: every connection accepted and its memory touched, the caches and the branches learned.
    conversations.ask(0, load.connections as u64)?;
    let active = load.active.unwrap_or(load.connections);
    conversations.ask_in_turn(active, load.requests / 10)?;
    conversations.forget_counts();

    load.measure("request", || conversations.ask_in_turn(active, load.requests))?;
    if load.connections > 1 && load.active.is_none() {
        figure("slowest_connection", conversations.share_of_the_slowest(), "of-mean");
    }
    Ok(())
}
