//! Ten thousand connections one after another leave nothing behind: no descriptor, no value that a
//! callback or a task owned, no handle.

mod tcp_support;

use std::cell::Cell;
use std::rc::Rc;

use behaviour::Deadline;
use runtime::net::{TcpListener, TcpStream};
use runtime::{Loop, ms, spawn};
use tcp_support::{Counted, assert_passed, child, child_argument, open_descriptors};

const CONNECTIONS: usize = 10_000;
/// How many are under way at once.
const AT_ONCE: usize = 50;

fn handles(lp: &Loop) -> usize {
    let count = Rc::new(Cell::new(0));
    lp.walk(|_| count.set(count.get() + 1));
    count.get()
}

/// Runs `body` with a loop of its own in a process of its own, where nobody else opens descriptors,
/// and looks whether all is as before.
fn leaves_nothing(name: &str, body: impl FnOnce(&mut Loop, &Rc<Cell<usize>>)) {
    if child_argument().is_none() {
        return assert_passed(&child("exec", name, "yes"));
    }
    let _guard = Deadline::secs(60);
    let live = Rc::new(Cell::new(0));
    let outside = open_descriptors();
    {
        let mut lp = Loop::new().unwrap();
        let inside = open_descriptors();
        body(&mut lp, &live);
        assert!(!lp.run().unwrap());
        assert_eq!(live.get(), 0, "values that callbacks and tasks owned");
        assert_eq!(handles(&lp), 0);
        assert_eq!(lp.metrics().tasks, 0);
        // One is kept for the day when there are none.
        assert!(open_descriptors() <= inside + 1, "{} of {inside}", open_descriptors());
    }
    assert_eq!(open_descriptors(), outside);
}

#[test]
fn ten_thousand_connections_by_callback_leave_nothing() {
    leaves_nothing("ten_thousand_connections_by_callback_leave_nothing", |lp, live| {
        let _here = lp.enter();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let (left, done) = (Rc::new(Cell::new(CONNECTIONS)), Rc::new(Cell::new(0)));
        let accepting = live.clone();
        let (counted, captured) = (Counted::new(live), live.clone());
        server.listen(move |_, socket| {
            counted.touch();
            let [read, drain] = [(); 2].map(|()| Counted::new(&accepting));
            socket.on_drain(move |_| drain.touch());
            socket.set_idle_timeout(ms(60_000));
            // A cycle: the stream's callback owns the stream.
            let (own, captured) = (socket.clone(), captured.clone());
            socket.read_start(move |socket, data| {
                read.touch();
                match data.unwrap() {
                    [] => {
                        own.shutdown();
                    }
                    data => {
                        let written = Counted::new(&captured);
                        socket.write(data).callback(move |_| written.touch());
                    }
                }
            });
        });
        struct Run {
            address: std::net::SocketAddr,
            left: Rc<Cell<usize>>,
            done: Rc<Cell<usize>>,
            live: Rc<Cell<usize>>,
            server: TcpListener,
        }
        fn next(run: Rc<Run>) {
            if run.left.get() == 0 {
                return;
            }
            run.left.set(run.left.get() - 1);
            let counted = Counted::new(&run.live);
            TcpStream::connect(run.address).callback(move |stream| {
                counted.touch();
                let stream = stream.unwrap();
                stream.write("ping");
                let counted = Counted::new(&run.live);
                stream.read_start(move |stream, data| {
                    counted.touch();
                    assert_eq!(data.unwrap(), b"ping");
                    // Each way to end is taken.
                    match run.done.get() % 3 {
                        0 => stream.close(),
                        1 => stream.read_stop(),
                        _ => drop(stream.shutdown()),
                    }
                    run.done.set(run.done.get() + 1);
                    if stream.is_closing() || !stream.is_active() {
                        advance(&run);
                    } else {
                        let (run, counted) = (run.clone(), Counted::new(&run.live));
                        stream.read_stop();
                        stream.read_start(move |_, data| {
                            counted.touch();
                            assert!(data.unwrap().is_empty());
                            advance(&run);
                        });
                    }
                });
            });
        }
        fn advance(run: &Rc<Run>) {
            if run.done.get() == CONNECTIONS {
                run.server.close();
            } else {
                next(run.clone());
            }
        }
        let live = live.clone();
        let run = Rc::new(Run { address, left, done, live, server });
        for _ in 0..AT_ONCE {
            next(run.clone());
        }
        lp.run().unwrap();
        assert_eq!(run.done.get(), CONNECTIONS);
    });
}

#[test]
fn ten_thousand_connections_by_await_leave_nothing() {
    leaves_nothing("ten_thousand_connections_by_await_leave_nothing", |lp, live| {
        let live = live.clone();
        lp.block_on(async {
            let server = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = server.local_addr().unwrap();
            let accepting = spawn({
                let (server, live) = (server.clone(), live.clone());
                async move {
                    let _counted = Counted::new(&live);
                    while let Ok((socket, _)) = server.accept().await {
                        let counted = Counted::new(&live);
                        spawn(async move {
                            counted.touch();
                            let mut buffer = [0; 16];
                            loop {
                                match socket.read(&mut buffer).await {
                                    Ok(0) | Err(_) => return,
                                    Ok(read) => socket.write(&buffer[..read]).await.unwrap(),
                                }
                            }
                        });
                    }
                }
            });
            let clients: Vec<_> = (0..AT_ONCE)
                .map(|client| {
                    let live = live.clone();
                    spawn(async move {
                        for round in 0..CONNECTIONS / AT_ONCE {
                            let _counted = Counted::new(&live);
                            let stream = TcpStream::connect(address).await.unwrap();
                            stream.write("ping").await.unwrap();
                            let mut buffer = [0; 16];
                            assert_eq!(stream.read(&mut buffer).await.unwrap(), 4);
                            match (client + round) % 4 {
                                0 => stream.close(),
                                1 => stream.shutdown().await.unwrap(),
                                2 => stream.reset().unwrap(),
                                // A task that waits is aborted.
                                _ => {
                                    let counted = Counted::new(&live);
                                    let waiting = spawn(async move {
                                        counted.touch();
                                        stream.read(&mut [0; 4]).await
                                    });
                                    runtime::yield_microtask().await;
                                    waiting.abort();
                                    assert!(waiting.await.is_err());
                                }
                            }
                        }
                    })
                })
                .collect();
            for client in clients {
                client.await.unwrap();
            }
            server.close();
            accepting.await.unwrap();
        });
    });
}

#[test]
fn failed_and_cancelled_connects_leave_nothing() {
    let nobody = tcp_support::nobody();
    leaves_nothing("failed_and_cancelled_connects_leave_nothing", |lp, live| {
        let live = live.clone();
        lp.block_on(async {
            let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = server.local_addr().unwrap();
            for round in 0..500 {
                assert!(TcpStream::connect(nobody).await.is_err());
                assert!(TcpStream::connect("no address").await.is_err());
                drop(TcpStream::connect(address));
                let request = TcpStream::connect(address);
                let counted = Counted::new(&live);
                if round % 2 == 0 {
                    request.cancel();
                }
                request.callback(move |_| counted.touch());
                drop(server.accept().unwrap());
                drop(server.accept().unwrap());
            }
        });
    });
}

#[test]
fn a_loop_that_is_dropped_in_the_middle_leaves_nothing() {
    let name = "a_loop_that_is_dropped_in_the_middle_leaves_nothing";
    if child_argument().is_none() {
        return assert_passed(&child("exec", name, "yes"));
    }
    let _guard = Deadline::secs(60);
    let (live, before) = (Rc::new(Cell::new(0)), open_descriptors());
    for iterations in 0..60 {
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let (accepting, own) = (live.clone(), server.clone());
        server.listen(move |_, socket| {
            let (counted, own, listener) = (Counted::new(&accepting), socket.clone(), own.clone());
            socket.read_start(move |_, data| {
                counted.touch();
                own.write(data.unwrap());
                if own.is_full() {
                    own.pause();
                }
                listener.is_active();
            });
        });
        for _ in 0..10 {
            let counted = Counted::new(&live);
            spawn(async move {
                let stream = TcpStream::connect(address).await.unwrap();
                loop {
                    counted.touch();
                    stream.write(vec![1; 100_000]).await.unwrap();
                    stream.read(&mut [0; 64]).await.unwrap();
                }
            });
        }
        for _ in 0..iterations {
            lp.run_nowait().unwrap();
        }
    }
    assert_eq!(live.get(), 0);
    assert_eq!(open_descriptors(), before);
}
