//! Local sockets: connecting and listening by a path, and datagrams.

use crate::folder::Folder;
use crate::handles::{close, note, note_active, note_alive, run, start_check, start_prepare};
use crate::labels::{flag, status};
use crate::sockets::{iterate, note_peer, note_read, open_stream, shut_down_noted, write_noted};
use crate::table;
use behaviour::EventLog;
use runtime::Loop;
use runtime::net::{UnixDatagram, UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};
use std::cell::Cell;
use std::io::{self, Write};
use std::os::unix::net;
use std::path::Path;
use std::rc::Rc;

/// A listener whose connections are noted and kept.
fn listen_at(log: &EventLog, path: &Path) -> io::Result<UnixListener> {
    let (listener, log) = (UnixListener::bind(path)?, log.clone());
    let mut kept = Vec::new();
    listener.listen(move |_, accepted| {
        log.push("connection");
        kept.push(accepted);
    });
    Ok(listener)
}

/// A listener whose connections are noted and read.
fn listen_and_read(log: &EventLog, path: &Path) -> io::Result<UnixListener> {
    let (listener, log) = (UnixListener::bind(path)?, log.clone());
    listener.listen(move |_, accepted| {
        log.push("connection");
        accepted.read_start(note_read(&log, "accepted"));
    });
    Ok(listener)
}

/// Where a connection is kept.
type Client = Rc<Cell<Option<UnixStream>>>;

/// Connects by the loop; the callback notes `LABEL=` the status.
fn connect_noted(log: &EventLog, path: &Path, label: &'static str) -> Client {
    let (client, log) = (Client::default(), log.clone());
    let kept = client.clone();
    UnixStream::connect(path).callback(move |connected| {
        log.push(status(label, &connected));
        kept.set(connected.ok());
    });
    client
}

// --- connecting ---

fn connects_that_fail_are_told_before_prepare(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    drop(net::UnixListener::bind(folder.join("nobody-listens"))?);
    let _datagrams = net::UnixDatagram::bind(folder.join("datagrams"))?;
    let _prepare = start_prepare(note(log, "prepare"));
    connect_noted(log, &folder.join("nobody-listens"), "1");
    connect_noted(log, &folder.join("nothing"), "2");
    connect_noted(log, &folder.join("datagrams"), "3");
    log.push("called");
    iterate(lp, log, 2)
}

fn a_connect_and_a_listener_of_one_loop(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    let _server = listen_at(log, &folder.join("server"))?;
    let _check = start_check(note(log, "check"));
    let connect = |label| connect_noted(log, &folder.join("server"), label);
    let _clients = ["1", "2"].map(connect);
    iterate(lp, log, 3)
}

fn what_a_client_sends_when_it_is_connected(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    let _server = listen_and_read(log, &folder.join("server"))?;
    let noted = log.clone();
    UnixStream::connect(folder.join("server")).callback(move |client| -> runtime::Result {
        noted.push(status("client", &client));
        let client = client?;
        write_noted(&client, &noted, 5, "write");
        shut_down_noted(&client, &noted, "shutdown");
        Ok(())
    });
    iterate(lp, log, 4)
}

fn a_connect_that_is_given_up(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    let _server = listen_and_read(log, &folder.join("server"))?;
    let connect = UnixStream::connect(folder.join("server"));
    connect.cancel();
    let noted = log.clone();
    connect.callback(move |connected| noted.push(status("client", &connected)));
    iterate(lp, log, 3)
}

fn a_connect_to_a_listener_whose_queue_is_full(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (folder, full) = (Folder::new()?, Socket::new(Domain::UNIX, Type::STREAM, None)?);
    let address = SockAddr::unix(folder.join("full"))?;
    full.bind(&address)?;
    full.listen(0)?;
    let mut waiting = Vec::new();
    loop {
        let waits = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        waits.set_nonblocking(true)?;
        if waits.connect(&address).is_err() {
            break;
        }
        waiting.push(waits);
    }
    let _client = connect_noted(log, &folder.join("full"), "client");
    iterate(lp, log, 1)?;
    let _accepted = full.accept()?;
    run(lp, log, Loop::run)
}

// --- listening ---

fn local_connections_are_accepted_one_an_iteration(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let folder = Folder::new()?;
    let _server = listen_and_read(log, &folder.join("server"))?;
    let mut clients = Vec::new();
    for length in 1..=3 {
        let mut client = net::UnixStream::connect(folder.join("server"))?;
        client.write_all(&vec![0; length])?;
        clients.push(client);
    }
    iterate(lp, log, 5)
}

fn listeners_at_paths_that_can_not_be_had(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    folder.write_file("file", 1)?;
    let _server = listen_at(log, &folder.join("server"))?;
    log.push(status("socket", &listen_at(log, &folder.join("server"))));
    log.push(status("file", &listen_at(log, &folder.join("file"))));
    Ok(())
}

fn a_listener_in_a_directory_that_is_not_there(_: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    log.push(status("server", &listen_at(log, &folder.join("nowhere/server"))));
    Ok(())
}

fn a_listener_that_closes_removes_its_file(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    let note_file = || log.push(flag("file", folder.join("server").exists()));
    let server = listen_at(log, &folder.join("server"))?;
    note_file();
    close(&server, log, "server");
    note_file();
    iterate(lp, log, 1)
}

fn a_local_connection_that_nobody_accepted(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    let server = listen_at(log, &folder.join("server"))?;
    let waiting = net::UnixStream::connect(folder.join("server"))?;
    close(&server, log, "server");
    iterate(lp, log, 1)?;
    note_peer(log, waiting);
    Ok(())
}

fn a_local_listener_keeps_the_loop_alive(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let folder = Folder::new()?;
    let server = listen_at(log, &folder.join("server"))?;
    note_active(log, &server);
    note_alive(log, lp);
    server.unref();
    note_alive(log, lp);
    let _client = net::UnixStream::connect(folder.join("server"))?;
    run(lp, log, Loop::run)
}

// --- datagrams ---

/// Receives; each datagram is noted as `a=` its length.
fn receive(log: &EventLog, socket: &UnixDatagram) {
    let log = log.clone();
    socket.recv_start(move |_, datagram| -> runtime::Result {
        log.push(format!("a={}", datagram?.0.len()));
        Ok(())
    });
}

fn local_datagrams_come_whole_and_in_their_order(lp: &mut Loop, log: &EventLog) -> io::Result<()> {
    let (receiver, sender) = net::UnixDatagram::pair()?;
    let receiver = UnixDatagram::from_std(receiver)?;
    receive(log, &receiver);
    let _check = start_check(note(log, "check"));
    for length in [3, 2, 1] {
        sender.send(&vec![0; length])?;
    }
    iterate(lp, log, 1)
}

/// Sends a datagram; the callback notes `LABEL=` the status.
fn send_noted(log: &EventLog, sender: &UnixDatagram, length: usize, label: &'static str) {
    let log = log.clone();
    sender.send(vec![0; length]).callback(move |sent| log.push(status(label, &sent)));
}

fn local_datagrams_that_are_sent_at_once_are_told_in_pending(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (receiver, sender) = UnixDatagram::pair()?;
    receive(log, &receiver);
    let _prepare = start_prepare(note(log, "prepare"));
    send_noted(log, &sender, 1, "1");
    send_noted(log, &sender, 2, "2");
    iterate(lp, log, 1)
}

fn what_is_done_at_once_is_told_in_the_order_of_the_calls(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (folder, (_receiver, sender)) = (Folder::new()?, UnixDatagram::pair()?);
    let (stream, _peer) = open_stream()?;
    let _prepare = start_prepare(note(log, "prepare"));
    write_noted(&stream, log, 1, "write");
    connect_noted(log, &folder.join("nothing"), "connect");
    send_noted(log, &sender, 1, "send");
    connect_noted(log, &folder.join("nothing"), "connect");
    iterate(lp, log, 1)
}

fn local_datagrams_that_have_to_wait_go_in_their_order(
    lp: &mut Loop,
    log: &EventLog,
) -> io::Result<()> {
    let (receiver, sender) = net::UnixDatagram::pair()?;
    let sender = UnixDatagram::from_std(sender)?;
    while sender.try_send(&[0]).is_ok() {}
    send_noted(log, &sender, 2, "1");
    send_noted(log, &sender, 3, "2");
    iterate(lp, log, 1)?;
    receiver.set_nonblocking(true)?;
    while receiver.recv(&mut [0]).is_ok() {}
    iterate(lp, log, 2)?;
    for _ in 0..2 {
        log.push(format!("peer={}", receiver.recv(&mut [0; 64])?));
    }
    Ok(())
}

table! {
    connects_that_fail_are_told_before_prepare,
    a_connect_and_a_listener_of_one_loop,
    what_a_client_sends_when_it_is_connected,
    a_connect_that_is_given_up,
    a_connect_to_a_listener_whose_queue_is_full,
    local_connections_are_accepted_one_an_iteration,
    listeners_at_paths_that_can_not_be_had,
    a_listener_in_a_directory_that_is_not_there,
    a_listener_that_closes_removes_its_file,
    a_local_connection_that_nobody_accepted,
    a_local_listener_keeps_the_loop_alive,
    local_datagrams_come_whole_and_in_their_order,
    local_datagrams_that_are_sent_at_once_are_told_in_pending,
    what_is_done_at_once_is_told_in_the_order_of_the_calls,
    local_datagrams_that_have_to_wait_go_in_their_order,
}
