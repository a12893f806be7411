//! Ten thousand connections at once on one loop, each echoed once.

mod tcp_support;

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use behaviour::Deadline;
use runtime::net::{TcpListener, TcpStream};
use runtime::{Loop, spawn};
use tcp_support::{assert_passed, child, child_argument};

const CONNECTIONS: usize = 10_000;
/// Handshakes under way at once: fewer than the backlog of any system.
const AT_ONCE: usize = 100;
/// Both ends are here, and a few more.
const DESCRIPTORS: usize = 2 * CONNECTIONS + 100;

/// How many descriptors a process may have at most; none if it can't be told.
fn hard_limit() -> Option<usize> {
    let output = std::process::Command::new("sh").args(["-c", "ulimit -H -n"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    match text.trim() {
        "unlimited" => Some(usize::MAX),
        number => number.parse().ok(),
    }
}

/// Runs `body` with as many connections as the system allows, in a process with the limit raised.
fn with_many(name: &str, body: impl FnOnce(usize)) {
    if let Some(connections) = child_argument() {
        let _guard = Deadline::secs(120);
        return body(connections.parse().unwrap());
    }
    let Some(limit) = hard_limit().filter(|limit| *limit >= 1_000) else {
        behaviour::tell("skipped: the system does not allow 1,000 descriptors");
        return;
    };
    let connections = if limit >= DESCRIPTORS { CONNECTIONS } else { (limit - 100) / 2 };
    if connections < CONNECTIONS {
        eprintln!("with {connections} connections only: {limit} descriptors are the hard limit");
    }
    let prefix = "ulimit -n $(ulimit -H -n) && exec";
    assert_passed(&child(prefix, name, &connections.to_string()));
}

/// The addresses to connect to: more than one, since an address pair has 28,000 ports of its own.
fn listeners() -> Vec<TcpListener> {
    let at = |last| TcpListener::bind((Ipv4Addr::new(127, 0, 0, last), 0)).ok();
    // Systems other than Linux have just the first of them.
    (1..=4).filter_map(at).collect()
}

fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().map(|listener| listener.local_addr().unwrap()).collect()
}

#[test]
fn ten_thousand_connections_are_held_and_echoed_by_callbacks() {
    with_many("ten_thousand_connections_are_held_and_echoed_by_callbacks", |connections| {
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        let servers = listeners();
        let accepted = Rc::new(Cell::new(0));
        for server in &servers {
            let accepted = accepted.clone();
            server.listen(move |_, socket| {
                accepted.set(accepted.get() + 1);
                socket.read_start(|socket, data| {
                    socket.write(data.unwrap());
                });
            });
        }
        struct Run {
            connections: usize,
            addresses: Vec<SocketAddr>,
            begun: Cell<usize>,
            streams: Cell<Vec<TcpStream>>,
        }
        fn connect(run: Rc<Run>) {
            let at = run.begun.get();
            if at < run.connections {
                run.begun.set(at + 1);
                TcpStream::connect(run.addresses[at % run.addresses.len()]).callback(
                    move |stream| {
                        let mut streams = run.streams.take();
                        streams.push(stream.unwrap());
                        run.streams.set(streams);
                        connect(run);
                    },
                );
            }
        }
        let addresses = addresses(&servers);
        let streams = Cell::new(Vec::with_capacity(connections));
        let run = Rc::new(Run { connections, addresses, begun: Cell::new(0), streams });
        for _ in 0..AT_ONCE {
            connect(run.clone());
        }
        while accepted.get() < connections {
            lp.run_once().unwrap();
        }
        let streams = run.streams.take();
        assert_eq!(streams.len(), connections);
        // Everyone is there: now each is echoed.
        let echoed = Rc::new(Cell::new(0));
        for (at, stream) in streams.iter().enumerate() {
            let (echoed, sent) = (echoed.clone(), at.to_be_bytes());
            stream.write(sent);
            stream.read_start(move |stream, data| {
                assert_eq!(data.unwrap(), sent);
                echoed.set(echoed.get() + 1);
                stream.close();
            });
        }
        while echoed.get() < connections {
            lp.run_once().unwrap();
        }
        drop(streams);
        servers.iter().for_each(TcpListener::close);
        lp.run().unwrap();
    });
}

#[test]
fn ten_thousand_connections_are_held_and_echoed_by_tasks() {
    with_many("ten_thousand_connections_are_held_and_echoed_by_tasks", |connections| {
        let mut lp = Loop::new().unwrap();
        let accepted = Rc::new(Cell::new(0));
        lp.block_on(async {
            let servers = listeners();
            for server in &servers {
                let (server, accepted) = (server.clone(), accepted.clone());
                spawn(async move {
                    while let Ok((socket, _)) = server.accept().await {
                        accepted.set(accepted.get() + 1);
                        spawn(async move {
                            let mut buffer = [0; 64];
                            while let Ok(read @ 1..) = socket.read(&mut buffer).await {
                                socket.write(&buffer[..read]).await.unwrap();
                            }
                        });
                    }
                });
            }
            let addresses = addresses(&servers);
            let connecting: Vec<_> = (0..AT_ONCE)
                .map(|part| {
                    let addresses = addresses.clone();
                    spawn(async move {
                        let mut streams = Vec::new();
                        for at in (part..connections).step_by(AT_ONCE) {
                            let address = addresses[at % addresses.len()];
                            streams.push(TcpStream::connect(address).await.unwrap());
                        }
                        streams
                    })
                })
                .collect();
            let mut streams = Vec::with_capacity(connections);
            for part in connecting {
                streams.extend(part.await.unwrap());
            }
            while accepted.get() < connections {
                runtime::yield_now().await;
            }
            let echoes: Vec<_> = streams
                .into_iter()
                .enumerate()
                .map(|(at, stream)| {
                    spawn(async move {
                        let (sent, mut got) = (at.to_be_bytes(), [0; 64]);
                        stream.write(sent).await.unwrap();
                        let read = stream.read(&mut got).await.unwrap();
                        assert_eq!(got[..read], sent);
                        stream
                    })
                })
                .collect();
            let mut done = Vec::with_capacity(connections);
            for echo in echoes {
                done.push(echo.await.unwrap());
            }
            assert_eq!(done.len(), connections);
            servers.iter().for_each(TcpListener::close);
        });
        lp.run().unwrap();
    });
}
