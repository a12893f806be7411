//! Datagrams: receiving and sending by UDP.

use crate::handles::{close, note, note_active, note_alive, run, start_check};
use crate::labels::status;
use crate::sockets::iterate;
use crate::table;
use behaviour::EventLog;
use runtime::net::UdpSocket;
use runtime::{Loop, Request};
use std::cell::Cell;
use std::io;
use std::net::{self, SocketAddr};
use std::rc::Rc;

/// What one datagram can carry over IPv4.
const LARGEST: usize = 65_507;

fn open_at_loopback() -> io::Result<UdpSocket> {
    UdpSocket::bind("127.0.0.1:0")
}

/// Sends from outside of the loop, datagrams of these lengths.
fn send_to(receiver: &UdpSocket, lengths: impl IntoIterator<Item = usize>) -> io::Result<()> {
    let foreign = net::UdpSocket::bind("127.0.0.1:0")?;
    for length in lengths {
        foreign.send_to(&vec![0; length], receiver.local_addr()?)?;
    }
    Ok(())
}

/// What a receive callback is given.
type Datagram<'a> = io::Result<(&'a [u8], SocketAddr)>;

/// A receive callback that notes `a=` the length, and goes on with `f`.
fn note_datagram<F: FnMut(&EventLog, &UdpSocket)>(
    log: &EventLog,
    mut f: F,
) -> impl FnMut(&UdpSocket, Datagram<'_>) -> runtime::Result + use<F> {
    let log = log.clone();
    move |socket, datagram| {
        log.push(format!("a={}", datagram?.0.len()));
        f(&log, socket);
        Ok(())
    }
}

/// A receive callback that counts.
fn count_datagrams(
    received: &Rc<Cell<usize>>,
) -> impl FnMut(&UdpSocket, Datagram<'_>) -> runtime::Result + use<> {
    let received = received.clone();
    move |_, datagram| {
        datagram?;
        received.set(received.get() + 1);
        Ok(())
    }
}

fn an_empty_datagram_is_a_datagram(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let a = open_at_loopback()?;
    a.recv_start(note_datagram(log, |_, _| ()));
    send_to(&a, [3, 0])?;
    iterate(lp, log, 2)
}

fn a_flood_is_received_32_an_iteration(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, received) = (open_at_loopback()?, Rc::default());
    a.recv_start(count_datagrams(&received));
    send_to(&a, [1; 70])?;
    for _ in 0..4 {
        lp.run_nowait()?;
        log.push(received.replace(0));
    }
    Ok(())
}

fn all_that_came_is_received_before_check(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let received = Rc::new(Cell::new(0));
    let _check = start_check({
        let (log, received) = (log.clone(), received.clone());
        move |_| log.push(format!("check received={}", received.get()))
    });
    let a = open_at_loopback()?;
    a.recv_start(count_datagrams(&received));
    send_to(&a, [1; 5])?;
    iterate(lp, log, 1)
}

fn a_socket_closed_in_its_callback_receives_no_more(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let a = open_at_loopback()?;
    a.recv_start(note_datagram(log, |log, socket| close(socket, log, "a")));
    send_to(&a, [1, 2, 3])?;
    iterate(lp, log, 2)
}

fn what_comes_while_receiving_is_stopped_is_received_later(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let a = open_at_loopback()?;
    let receive_one = || a.recv_start(note_datagram(log, |_, socket| socket.recv_stop()));
    receive_one();
    send_to(&a, [1, 2, 3])?;
    iterate(lp, log, 2)?;
    receive_one();
    iterate(lp, log, 2)
}

fn a_second_receiver_is_refused(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let a = open_at_loopback()?;
    a.recv_start(note_datagram(log, |_, _| ()));
    let log = log.clone();
    a.recv_start(move |_, refused| log.push(status("second", &refused)));
    lp.run_nowait()?;
    Ok(())
}

/// Notes how a send went when that is told.
fn note_sent(log: &EventLog, sent: Request<usize>) {
    let log = log.clone();
    sent.callback(move |result| log.push(status("send", &result)));
}

fn a_send_is_called_back_before_check(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let _check = start_check(note(log, "check"));
    let (a, b) = (open_at_loopback()?, open_at_loopback()?);
    note_sent(log, a.send_to([0; 5], b.local_addr()?));
    log.push("asked");
    iterate(lp, log, 1)
}

fn a_send_keeps_the_loop_alive_until_it_is_told(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, b) = (open_at_loopback()?, open_at_loopback()?);
    note_alive(log, lp);
    note_sent(log, a.send_to([0; 5], b.local_addr()?));
    note_alive(log, lp);
    run(lp, log, Loop::run)
}

fn a_datagram_that_is_too_long_is_an_error_of_its_request(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (a, b) = (open_at_loopback()?, open_at_loopback()?);
    note_sent(log, a.send_to(vec![0; LARGEST + 1], b.local_addr()?));
    run(lp, log, Loop::run)
}

fn a_connected_socket_sends_to_its_peer_only(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, b) = (open_at_loopback()?, open_at_loopback()?);
    log.push(status("connect", &a.connect(b.local_addr()?)));
    log.push(status("again", &a.connect(b.local_addr()?)));
    let received = Rc::default();
    b.recv_start(count_datagrams(&received));
    note_sent(log, a.send_to([0; 3], b.local_addr()?));
    note_sent(log, a.send([0; 4]));
    iterate(lp, log, 1)?;
    log.push(format!("received={}", received.get()));
    Ok(())
}

fn a_socket_without_a_peer_needs_an_address(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let a = open_at_loopback()?;
    log.push(status("disconnect", &a.disconnect()));
    note_sent(log, a.send([0; 4]));
    iterate(lp, log, 1)
}

fn a_receiving_socket_keeps_the_loop_alive(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let a = open_at_loopback()?;
    let note_both = |lp: &Loop| {
        note_active(log, &a);
        note_alive(log, lp);
    };
    note_both(lp);
    a.recv_start(note_datagram(log, |_, _| ()));
    note_both(lp);
    a.recv_stop();
    note_both(lp);
    Ok(())
}

table!(
    an_empty_datagram_is_a_datagram,
    a_flood_is_received_32_an_iteration,
    all_that_came_is_received_before_check,
    a_socket_closed_in_its_callback_receives_no_more,
    what_comes_while_receiving_is_stopped_is_received_later,
    a_second_receiver_is_refused,
    a_send_is_called_back_before_check,
    a_send_keeps_the_loop_alive_until_it_is_told,
    a_datagram_that_is_too_long_is_an_error_of_its_request,
    a_connected_socket_sends_to_its_peer_only,
    a_socket_without_a_peer_needs_an_address,
    a_receiving_socket_keeps_the_loop_alive,
);
