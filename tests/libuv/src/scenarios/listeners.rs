//! Listeners, connecting and resetting: what only TCP has.

use crate::handles::{close, note, note_active, note_alive, run, start_check};
use crate::labels::status;
use crate::sockets::{
    bind_loopback, iterate, note_peer, note_read, open_tcp, shut_down_noted, write_noted,
};
use crate::table;
use behaviour::EventLog;
use runtime::Loop;
use runtime::net::{TcpListener, TcpStream};
use std::cell::Cell;
use std::io::{self, Write};
use std::net::{self, IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// More than the system takes at once.
const BIG: usize = 16 * 1024 * 1024;

// --- listening ---

/// A listener whose callback notes the connection and goes on with `f`.
fn listen_then<F>(log: &EventLog, mut f: F) -> io::Result<TcpListener>
where
    F: FnMut(&EventLog, &TcpListener, TcpStream) + 'static,
{
    let (listener, log) = (TcpListener::bind(ANY)?, log.clone());
    listener.listen(move |listener, accepted| {
        log.push("connection");
        f(&log, listener, accepted);
    });
    Ok(listener)
}

/// A listener whose connections are noted and dropped.
fn listen(log: &EventLog) -> io::Result<TcpListener> {
    listen_then(log, |_, _, _| ())
}

/// Connects from outside of the loop.
fn connect_to(listener: &TcpListener) -> io::Result<net::TcpStream> {
    net::TcpStream::connect(listener.local_addr()?)
}

fn waiting_connections_are_accepted_one_an_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let server = listen(log)?;
    let connect = |_| connect_to(&server);
    let _clients: Vec<_> = (0..5).map(connect).collect::<io::Result<_>>()?;
    iterate(lp, log, 6)
}

fn connections_are_accepted_in_the_order_they_came(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let read_from_it = |log: &EventLog, _: &TcpListener, accepted: TcpStream| {
        accepted.read_start(note_read(log, "accepted"));
    };
    let server = listen_then(log, read_from_it)?;
    let mut clients = [connect_to(&server)?, connect_to(&server)?, connect_to(&server)?];
    for (client, data) in clients.iter_mut().zip(["1", "22", "333"]) {
        client.write_all(data.as_bytes())?;
    }
    iterate(lp, log, 4)
}

fn a_listener_at_an_address_in_use(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    let server = listen(log)?;
    log.push(status("listener", &TcpListener::bind(server.local_addr()?)));
    Ok(())
}

fn a_listener_at_an_address_of_another_machine(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    let documentation = Ipv4Addr::new(192, 0, 2, 1);
    log.push(status("listener", &TcpListener::bind((documentation, 0))));
    Ok(())
}

fn a_listener_is_active_while_it_listens(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let server = TcpListener::bind(ANY)?;
    note_active(log, &server);
    server.listen(|_, _| ());
    note_active(log, &server);
    note_alive(log, lp);
    close(&server, log, "server");
    note_active(log, &server);
    iterate(lp, log, 1)
}

fn an_unreferenced_listener_keeps_nothing_alive(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let server = listen(log)?;
    let _client = connect_to(&server)?;
    server.unref();
    note_alive(log, lp);
    run(lp, log, Loop::run)
}

fn a_listener_closed_in_its_callback_accepts_no_more(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let server = listen_then(log, |log, server, _| close(server, log, "server"))?;
    let _clients = [connect_to(&server)?, connect_to(&server)?];
    iterate(lp, log, 2)
}

fn the_first_of_two_listeners_closes_the_other(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let other = TcpListener::bind(ANY)?;
    other.listen(|_, _| ());
    let closed = other.clone();
    let server = listen_then(log, move |log, server, _| {
        close(server, log, "server");
        close(&closed, log, "other");
    })?;
    let _clients = [connect_to(&server)?, connect_to(&other)?];
    iterate(lp, log, 2)
}

fn a_listener_that_closes_resets_who_waits(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let server = listen(log)?;
    let waiting = connect_to(&server)?;
    close(&server, log, "server");
    iterate(lp, log, 1)?;
    note_peer(log, waiting);
    Ok(())
}

fn what_comes_before_somebody_reads_is_not_lost(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let kept = Rc::new(Cell::new(None));
    let keep = kept.clone();
    let server = listen_then(log, move |_, _, accepted| keep.set(Some(accepted)))?;
    connect_to(&server)?.write_all(b"hello")?;
    iterate(lp, log, 2)?;
    let accepted = kept.take().expect("the callback was called");
    note_active(log, &accepted);
    accepted.read_start(note_read(log, "accepted"));
    iterate(lp, log, 1)
}

// --- connecting ---

/// Connects; the callback notes how that went and goes on with `f`.
fn connect_then(
    log: &EventLog,
    address: SocketAddr,
    f: impl FnOnce(&EventLog, TcpStream) + 'static,
) {
    let log = log.clone();
    TcpStream::connect(address).callback(move |connected| {
        log.push(status("connect", &connected));
        if let Ok(client) = connected {
            f(&log, client);
        }
    });
}

fn a_connect_to_where_nobody_listens(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let silent = bind_loopback()?;
    let address = silent.local_addr()?.as_socket().expect("an internet address");
    connect_then(log, address, |_, _| ());
    note_alive(log, lp);
    run(lp, log, Loop::run)
}

fn a_connect_that_is_given_up_is_cancelled(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let listener = net::TcpListener::bind(ANY)?;
    let connect = TcpStream::connect(listener.local_addr()?);
    connect.cancel();
    let noting = log.clone();
    connect.callback(move |connected| noting.push(status("connect", &connected)));
    note_alive(log, lp);
    run(lp, log, Loop::run)
}

fn a_write_of_a_connect_callback_is_called_back_before_check(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let listener = net::TcpListener::bind(ANY)?;
    let _check = start_check(note(log, "check"));
    connect_then(log, listener.local_addr()?, |log, client| write_noted(&client, log, 5, "write"));
    run(lp, log, Loop::run_once)?;
    note_peer(log, listener.accept()?.0);
    Ok(())
}

fn what_the_server_says_first_is_read_in_the_next_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let listener = net::TcpListener::bind(ANY)?;
    let read = |log: &EventLog, client: TcpStream| client.read_start(note_read(log, "client"));
    connect_then(log, listener.local_addr()?, read);
    let (mut peer, _) = listener.accept()?;
    peer.write_all(b"hello")?;
    run(lp, log, Loop::run_once)?;
    run(lp, log, Loop::run_once)
}

// --- resetting ---

fn a_reset_of_the_peer_is_an_error_of_reading(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_tcp()?;
    // An error of reading closes the stream by itself.
    a.closed().callback({
        let log = log.clone();
        move |_| log.push("a-closed")
    });
    a.read_start(note_read(log, "a"));
    peer.set_linger(Some(Duration::ZERO))?;
    drop(peer);
    run(lp, log, Loop::run)
}

fn reset_noted(a: &TcpStream, log: &EventLog) {
    let reset = a.reset();
    log.push(status("reset", &reset));
    if reset.is_ok() {
        close(a, log, "a");
    }
}

fn the_peer_sees_a_reset(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_tcp()?;
    reset_noted(&a, log);
    iterate(lp, log, 1)?;
    note_peer(log, &peer);
    Ok(())
}

fn a_reset_cancels_what_waits_to_be_written(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, _peer) = open_tcp()?;
    write_noted(&a, log, BIG, "write");
    reset_noted(&a, log);
    iterate(lp, log, 1)
}

fn a_reset_is_refused_while_shutdown_waits(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, _peer) = open_tcp()?;
    write_noted(&a, log, BIG, "write");
    shut_down_noted(&a, log, "shutdown");
    reset_noted(&a, log);
    close(&a, log, "a");
    iterate(lp, log, 1)
}

fn a_reset_is_refused_right_after_shutdown(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, peer) = open_tcp()?;
    shut_down_noted(&a, log, "shutdown");
    reset_noted(&a, log);
    iterate(lp, log, 1)?;
    note_peer(log, &peer);
    Ok(())
}

fn a_reset_when_shutdown_is_done(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (a, _peer) = open_tcp()?;
    shut_down_noted(&a, log, "shutdown");
    iterate(lp, log, 1)?;
    reset_noted(&a, log);
    iterate(lp, log, 1)
}

table!(
    waiting_connections_are_accepted_one_an_iteration,
    connections_are_accepted_in_the_order_they_came,
    a_listener_at_an_address_in_use,
    a_listener_at_an_address_of_another_machine,
    a_listener_is_active_while_it_listens,
    an_unreferenced_listener_keeps_nothing_alive,
    a_listener_closed_in_its_callback_accepts_no_more,
    the_first_of_two_listeners_closes_the_other,
    a_listener_that_closes_resets_who_waits,
    what_comes_before_somebody_reads_is_not_lost,
    a_connect_to_where_nobody_listens,
    a_connect_that_is_given_up_is_cancelled,
    a_write_of_a_connect_callback_is_called_back_before_check,
    what_the_server_says_first_is_read_in_the_next_iteration,
    a_reset_of_the_peer_is_an_error_of_reading,
    the_peer_sees_a_reset,
    a_reset_cancels_what_waits_to_be_written,
    a_reset_is_refused_while_shutdown_waits,
    a_reset_is_refused_right_after_shutdown,
    a_reset_when_shutdown_is_done,
);
