//! TCP streams by await: reading, writing, connecting, and the traits of futures-io.

mod tcp_support;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use behaviour::{Deadline, EventLog};
use futures_lite::future::{race, zip};
use futures_lite::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use runtime::net::TcpStream;
use runtime::time::timeout;
use runtime::{Cancelled, Closed, Loop, ms, spawn, yield_now};
use tcp_support::{
    is_already, narrow_pair, narrow_two, nobody, pair, pattern, reset, run_until, two,
};

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(20))
}

fn read_all(mut peer: std::net::TcpStream) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        got
    })
}

async fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    let mut future = Some(future);
    poll_fn(move |cx| Poll::Ready(future.take().expect("polled once").poll(cx))).await
}

// --- reading ---

#[test]
fn reads_give_what_is_there_and_then_the_end_again_and_again() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, mut peer) = pair();
        peer.write_all(b"hello").unwrap();
        drop(peer);
        let mut buffer = [0; 3];
        let mut read = async || TcpStream::read(&ours, &mut buffer).await.unwrap();
        assert_eq!([read().await, read().await, read().await, read().await], [3, 2, 0, 0]);
    });
}

#[test]
fn an_empty_buffer_waits_for_data_and_takes_none() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, mut peer) = pair();
        {
            let mut read = pin!(TcpStream::read(&ours, &mut []));
            assert!(poll_once(read.as_mut()).await.is_pending());
            peer.write_all(b"hello").unwrap();
            assert_eq!(read.await.unwrap(), 0);
        }
        assert_eq!(ours.try_read(&mut []).unwrap(), 0);
        let mut buffer = [0; 8];
        assert_eq!(TcpStream::read(&ours, &mut buffer).await.unwrap(), 5);
        assert_eq!(&buffer[..5], b"hello");
        drop(peer);
        // Nor is the end taken for having been read.
        assert_eq!(TcpStream::read(&ours, &mut []).await.unwrap(), 0);
        assert_eq!(TcpStream::read(&ours, &mut buffer).await.unwrap(), 0);
    });
}

#[test]
fn data_and_the_end_that_came_while_a_task_waits_are_both_read() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, mut peer) = pair();
        let (mut buffer, mut waiting) = ([0; 64], pin!(yield_now()));
        {
            let mut read = pin!(ours.read(&mut buffer));
            assert!(poll_once(read.as_mut()).await.is_pending());
            waiting.as_mut().await;
            peer.write_all(b"all").unwrap();
            drop(peer);
            assert_eq!(read.await.unwrap(), 3);
        }
        assert_eq!(ours.read(&mut buffer).await.unwrap(), 0);
    });
}

#[test]
fn peek_and_readable_take_nothing() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, mut peer) = pair();
        let mut buffer = [0; 8];
        assert_eq!(ours.try_read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
        zip(async { ours.readable().await.unwrap() }, async {
            yield_now().await;
            peer.write_all(b"abc").unwrap();
        })
        .await;
        assert_eq!(ours.peek(&mut buffer[..2]).await.unwrap(), 2);
        assert_eq!(ours.peek(&mut buffer).await.unwrap(), 3);
        ours.readable().await.unwrap();
        assert_eq!(ours.try_read(&mut buffer).unwrap(), 3);
        assert_eq!(&buffer[..3], b"abc");
        drop(peer);
        ours.readable().await.unwrap();
        assert_eq!(ours.peek(&mut buffer).await.unwrap(), 0);
        assert_eq!(ours.try_read(&mut buffer).unwrap(), 0);
    });
}

#[test]
fn readable_after_a_try_read_that_left_something_is_ready_at_once() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, mut peer) = pair();
        peer.write_all(b"abcdef").unwrap();
        let mut buffer = [0; 4];
        ours.readable().await.unwrap();
        assert_eq!(ours.try_read(&mut buffer).unwrap(), 4);
        ours.readable().await.unwrap();
        assert_eq!(ours.try_read(&mut buffer).unwrap(), 2);
        let blocked = ours.try_read(&mut buffer).unwrap_err();
        assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
        peer.write_all(b"g").unwrap();
        assert_eq!(ours.read(&mut buffer).await.unwrap(), 1);
    });
}

#[test]
fn read_with_lends_the_data_and_tells_the_end_by_an_empty_slice() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, mut peer) = pair();
        let (length, ()) = zip(ours.read_with(|data| data.len()), async {
            yield_now().await;
            peer.write_all(b"data").unwrap();
        })
        .await;
        assert_eq!(length.unwrap(), 4);
        drop(peer);
        assert!(ours.read_with(|data| data.is_empty()).await.unwrap());
    });
}

#[test]
fn a_read_with_inside_of_another_ones_closure_has_a_buffer_of_its_own() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let ((ours, mut peer), (other, mut its_peer)) = (pair(), pair());
        peer.write_all(b"outer").unwrap();
        its_peer.write_all(b"inner").unwrap();
        let both = ours
            .read_with(|outer| {
                let inner = futures_lite::future::block_on(other.read_with(<[u8]>::to_vec));
                [outer, &inner.unwrap()].concat()
            })
            .await
            .unwrap();
        assert_eq!(both, b"outerinner");
    });
}

#[test]
fn a_dropped_read_takes_nothing_and_keeps_nothing_alive() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    lp.block_on(async {
        let mut buffer = [0; 8];
        assert!(timeout(ms(1), ours.read(&mut buffer)).await.is_err());
    });
    assert!(!ours.is_active() && !lp.is_alive());
    peer.write_all(b"kept").unwrap();
    lp.block_on(async {
        let mut buffer = [0; 8];
        assert_eq!(ours.read(&mut buffer).await.unwrap(), 4);
    });
}

#[test]
fn several_readers_share_a_stream_and_none_is_forgotten() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    let (got, ended) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0)));
    for _ in 0..3 {
        let (ours, got, ended) = (ours.clone(), got.clone(), ended.clone());
        spawn(async move {
            let mut byte = [0; 1];
            while ours.read(&mut byte).await.unwrap() > 0 {
                got.borrow_mut().push(byte[0]);
            }
            ended.set(ended.get() + 1);
        });
    }
    lp.run_nowait().unwrap();
    for text in ["abc", "d", "efghij"] {
        let before = got.borrow().len();
        peer.write_all(text.as_bytes()).unwrap();
        run_until(&mut lp, || got.borrow().len() == before + text.len());
    }
    drop((peer, ours));
    lp.run().unwrap();
    assert_eq!((got.borrow().as_slice(), ended.get()), (&b"abcdefghij"[..], 3));
}

#[test]
fn readers_that_find_nothing_wait_and_do_not_wake_each_other() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    let got = Rc::new(Cell::new(0));
    for _ in 0..5 {
        let (ours, got) = (ours.clone(), got.clone());
        spawn(async move {
            let mut buffer = [0; 64];
            loop {
                match ours.read(&mut buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(read) => got.set(got.get() + read),
                }
            }
        });
    }
    lp.run_nowait().unwrap();
    peer.write_all(b"one").unwrap();
    run_until(&mut lp, || got.get() == 3);
    let before = lp.metrics().iterations;
    let over = Rc::new(Cell::new(false));
    lp.set_timeout(ms(20), {
        let over = over.clone();
        move || over.set(true)
    });
    run_until(&mut lp, || over.get());
    assert!(lp.metrics().iterations - before < 10, "the loop spins");
    ours.close();
    lp.run().unwrap();
}

#[test]
fn a_reader_that_was_woken_and_dropped_does_not_take_the_event_with_it() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    let [first, second] = ["first", "second"].map(|name| {
        let (ours, log) = (ours.clone(), log.clone());
        spawn(async move {
            let read = ours.read(&mut [0; 8]).await.unwrap();
            log.push(format!("{name} {read}"));
        })
    });
    lp.run_nowait().unwrap();
    first.abort();
    peer.write_all(b"x").unwrap();
    lp.run().unwrap();
    log.expect(["second 1"]);
    assert!(second.is_finished());
}

#[test]
fn a_task_that_reads_while_a_callback_does_gets_ealready() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (mut ours, _peer) = pair();
        ours.read_start(|_, _| ());
        let mut buffer = [0; 4];
        assert!(is_already(&TcpStream::read(&ours, &mut buffer).await.unwrap_err()));
        assert!(is_already(&ours.peek(&mut buffer).await.unwrap_err()));
        assert!(is_already(&ours.readable().await.unwrap_err()));
        assert!(is_already(&ours.read_with(|_| ()).await.unwrap_err()));
        assert!(is_already(&ours.try_read(&mut buffer).unwrap_err()));
        assert!(is_already(&AsyncReadExt::read(&mut ours, &mut buffer).await.unwrap_err()));
        ours.pause();
        assert!(is_already(&ours.readable().await.unwrap_err()), "paused is still reading");
        ours.read_stop();
        let blocked = ours.try_read(&mut buffer).unwrap_err();
        assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn closing_wakes_the_tasks_that_read_and_write() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = narrow_pair();
    let read = |name: &'static str| {
        let (ours, log) = (ours.clone(), log.clone());
        spawn(async move {
            let error = ours.read(&mut [0; 8]).await.unwrap_err();
            log.push(format!("{name} {}", Closed::is_in(&error)));
        });
    };
    read("read");
    read("read too");
    let (writer, note) = (ours.clone(), log.clone());
    spawn(async move {
        let error = writer.write(vec![0; 500_000]).await.unwrap_err();
        note.push(format!("write {}", Cancelled::is_in(&error)));
    });
    lp.run_nowait().unwrap();
    ours.close();
    lp.run().unwrap();
    log.expect(["read true", "read too true", "write true"]);
}

#[test]
fn closing_wakes_the_tasks_that_wait_by_the_traits() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    for close_in_task in [false, true] {
        let (ours, _peer) = narrow_pair();
        let (mut writer, note) = (ours.clone(), log.clone());
        spawn(async move {
            let error = writer.write_all(&vec![0; 2_000_000]).await.err();
            assert!(error.is_none(), "taken whole, below the mark");
            let error = writer.write_all(b"x").await.unwrap_err();
            note.push(format!("write {}", Closed::is_in(&error)));
        });
        let (mut flusher, note) = (ours.clone(), log.clone());
        spawn(async move {
            yield_now().await;
            let error = flusher.flush().await.unwrap_err();
            note.push(format!("flush {}", Closed::is_in(&error)));
        });
        let (mut reader, note) = (ours.clone(), log.clone());
        spawn(async move {
            let error = AsyncReadExt::read(&mut reader, &mut [0; 8]).await.unwrap_err();
            note.push(format!("read {}", Closed::is_in(&error)));
        });
        for _ in 0..3 {
            lp.run_nowait().unwrap();
        }
        if close_in_task {
            let ours = ours.clone();
            spawn(async move { ours.close() });
        } else {
            ours.close();
        }
        lp.run().unwrap();
        let mut told = log.take();
        told.sort();
        assert_eq!(told, ["flush true", "read true", "write true"]);
    }
}

#[test]
fn a_reset_reaches_the_task_that_reads() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, peer) = pair();
        let (error, ()) = zip(ours.read(&mut [0; 8]), async {
            yield_now().await;
            reset(peer);
        })
        .await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn an_idle_timeout_reaches_the_task_that_reads() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, _peer) = pair();
        ours.set_idle_timeout(ms(5));
        let error = ours.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(ours.closed().await.unwrap_err().kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn urgent_data_does_not_spin_and_does_not_hide_the_rest() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, mut peer) = pair();
        let mut buffer = [0; 64];
        for _ in 0..3 {
            socket2::SockRef::from(&peer).send_out_of_band(b"!").unwrap();
            let before = runtime::current().metrics().iterations;
            let none = timeout(ms(20), ours.read(&mut buffer)).await;
            assert!(none.is_err(), "an urgent byte is not in the stream: {none:?}");
            assert!(runtime::current().metrics().iterations - before < 10, "the loop spins");
            peer.write_all(b"ab").unwrap();
            assert_eq!(ours.read(&mut buffer).await.unwrap(), 2);
        }
        peer.write_all(b"cd").unwrap();
        socket2::SockRef::from(&peer).send_out_of_band(b"!").unwrap();
        peer.write_all(b"ef").unwrap();
        drop(peer);
        let mut got = Vec::new();
        loop {
            match ours.read(&mut buffer).await.unwrap() {
                0 => break,
                read => got.extend_from_slice(&buffer[..read]),
            }
        }
        assert_eq!(got, b"cdef", "the mark shortens a read and hides nothing");
    });
}

// --- writing ---

#[test]
fn a_write_waits_until_all_is_written() {
    let (mut lp, _, _guard) = start();
    let (ours, peer) = {
        let _here = lp.enter();
        narrow_pair()
    };
    let reader = read_all(peer);
    lp.block_on(async {
        ours.write(pattern(1_000_000)).await.unwrap();
        assert_eq!(ours.write_queue_size(), 0);
        ours.write_vectored(&[IoSlice::new(b"a"), IoSlice::new(b"bc")]).await.unwrap();
        ours.shutdown().await.unwrap();
        assert_eq!(ours.write("x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(ours.shutdown().await.unwrap_err().kind(), ErrorKind::NotConnected);
    });
    let got = reader.join().unwrap();
    assert!(got[..1_000_000] == pattern(1_000_000));
    assert_eq!(got[1_000_000..], *b"abc");
}

#[test]
fn a_write_whose_future_is_dropped_is_written_all_the_same() {
    let (mut lp, _, _guard) = start();
    let (ours, peer) = {
        let _here = lp.enter();
        narrow_pair()
    };
    lp.block_on(async {
        let mut write = pin!(ours.write(pattern(500_000)));
        assert!(poll_once(write.as_mut()).await.is_pending());
    });
    drop(ours);
    let reader = read_all(peer);
    lp.run().unwrap();
    assert!(reader.join().unwrap() == pattern(500_000));
}

#[test]
fn many_buffers_are_written_in_order() {
    let (mut lp, _, _guard) = start();
    let (ours, peer) = {
        let _here = lp.enter();
        narrow_pair()
    };
    let reader = read_all(peer);
    let sent = pattern(200_000);
    lp.block_on(async {
        let slices: Vec<_> = sent.chunks(11).map(IoSlice::new).collect();
        assert!(slices.len() > 1024);
        ours.write_vectored(&slices).await.unwrap();
        ours.shutdown().await.unwrap();
    });
    assert!(reader.join().unwrap() == sent);
}

#[test]
fn try_write_takes_what_the_system_takes_and_nothing_while_something_is_queued() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, peer) = narrow_pair();
        assert_eq!(ours.try_write(b"").unwrap(), 0);
        let data = pattern(500_000);
        let taken = ours.try_write(&data).unwrap();
        assert!((1..500_000).contains(&taken));
        let mut more = 0;
        while let Ok(written) = ours.try_write(&data[taken + more..]) {
            more += written;
        }
        ours.write(&data[taken + more..]);
        assert_eq!(ours.try_write(b"x").unwrap_err().kind(), ErrorKind::WouldBlock);
        assert_eq!(ours.try_write(b"").unwrap_err().kind(), ErrorKind::WouldBlock);
        let reader = read_all(peer);
        ours.drained().await.unwrap();
        assert_eq!(ours.try_write(b"!").unwrap(), 1);
        ours.shutdown().await.unwrap();
        let got = reader.join().unwrap();
        assert!(got[..500_000] == data && got[500_000..] == *b"!");
    });
}

#[test]
fn half_closed_streams_read_on() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, other) = two();
        let mut buffer = [0; 16];
        ours.write("question").await.unwrap();
        ours.shutdown().await.unwrap();
        assert_eq!(other.read(&mut buffer).await.unwrap(), 8);
        assert_eq!(other.read(&mut buffer).await.unwrap(), 0);
        other.write("answer").await.unwrap();
        assert_eq!(ours.read(&mut buffer).await.unwrap(), 6);
        other.close();
        assert_eq!(ours.read(&mut buffer).await.unwrap(), 0);
    });
}

// --- connecting ---

#[test]
fn connect_gives_a_stream_or_the_systems_error() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        let localhost = TcpStream::connect(("localhost", address.port())).await.unwrap();
        assert_eq!(localhost.peer_addr().unwrap(), address);
        let text = TcpStream::connect(address.to_string()).await.unwrap();
        assert_eq!(text.peer_addr().unwrap(), address);
        let refused = TcpStream::connect(nobody()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let several = TcpStream::connect(&[nobody(), address][..]).await.unwrap();
        assert_eq!(several.peer_addr().unwrap(), address);
        let all = TcpStream::connect(&[nobody(), nobody()][..]).await.unwrap_err();
        assert_eq!(all.kind(), ErrorKind::ConnectionRefused);
        for text in ["example.org", "", "1.2.3.4"] {
            let error = TcpStream::connect(text).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    });
}

#[test]
fn a_cancelled_or_dropped_connect_leaves_no_connection() {
    let (mut lp, _, _guard) = start();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    lp.block_on(async {
        let request = TcpStream::connect(address);
        assert!(request.cancel());
        assert!(Cancelled::is_in(&request.await.unwrap_err()));
        drop(TcpStream::connect(address));
        let mut polled = Box::pin(TcpStream::connect(address));
        assert!(poll_once(polled.as_mut()).await.is_pending());
        drop(polled);
    });
    assert!(!lp.run().unwrap());
    for _ in 0..3 {
        assert_eq!(server.accept().unwrap().0.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn a_connect_that_loses_a_race_is_given_up() {
    let (mut lp, _, _guard) = start();
    // An address that never answers: a listener whose backlog is full.
    let server = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    server.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    server.listen(0).unwrap();
    let address = server.local_addr().unwrap().as_socket().unwrap();
    let _fills = std::net::TcpStream::connect(address).unwrap();
    lp.block_on(async {
        let lost = timeout(ms(10), TcpStream::connect(address)).await;
        assert!(lost.is_err());
    });
    assert!(!lp.run().unwrap());
}

// --- futures-io ---

#[test]
fn write_all_and_read_to_end_by_the_traits() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (mut ours, mut other) = narrow_two();
        let sent = pattern(1_000_000);
        let mut got = Vec::new();
        zip(
            async {
                for part in sent.chunks(1000) {
                    ours.write_all(part).await.unwrap();
                }
                AsyncWriteExt::close(&mut ours).await.unwrap();
            },
            async { other.read_to_end(&mut got).await.unwrap() },
        )
        .await;
        assert!(got == sent);
    });
}

#[test]
fn a_shared_reference_reads_and_writes_by_the_traits() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (ours, other) = narrow_two();
        let echo = async { futures_lite::io::copy(&other, &mut &other).await.unwrap() };
        let sent = pattern(300_000);
        let mut got = vec![0; sent.len()];
        let talk = async {
            zip(
                async {
                    (&ours).write_all(&sent).await.unwrap();
                    (&ours).flush().await.unwrap();
                    AsyncWriteExt::close(&mut &ours).await.unwrap();
                },
                async { (&ours).read_exact(&mut got).await.unwrap() },
            )
            .await;
        };
        let (copied, ()) = zip(echo, talk).await;
        assert_eq!(copied, 300_000);
        assert!(got == sent);
    });
}

#[test]
fn copy_between_two_connections() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let ((source, mut producer), (target, consumer)) = (narrow_pair(), narrow_pair());
        let writer = std::thread::spawn(move || producer.write_all(&pattern(1_000_000)).unwrap());
        let reader = read_all(consumer);
        let copied = futures_lite::io::copy(source, target.clone()).await.unwrap();
        assert_eq!(copied, 1_000_000);
        assert_eq!(target.write_queue_size(), 0, "copy flushes");
        target.shutdown().await.unwrap();
        writer.join().unwrap();
        assert!(reader.join().unwrap() == pattern(1_000_000));
    });
}

#[test]
fn the_traits_writes_and_the_inherent_ones_keep_the_order_of_the_calls() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (mut ours, peer) = narrow_pair();
        let reader = read_all(peer);
        let (mut expected, part) = (Vec::new(), pattern(7_000));
        for round in 0..60u8 {
            expected.extend_from_slice(&[round]);
            ours.write([round]);
            expected.extend_from_slice(&part);
            ours.write_all(&part).await.unwrap();
            expected.extend_from_slice(&part[..3_000]);
            let (one, two) = part[..3_000].split_at(1_000);
            ours.write_vectored(&[IoSlice::new(one), IoSlice::new(two)]);
            expected.extend_from_slice(&part[..10]);
            let slices = [IoSlice::new(&part[..4]), IoSlice::new(&part[4..10])];
            let taken = AsyncWriteExt::write_vectored(&mut ours, &slices).await.unwrap();
            assert_eq!(taken, 10, "never partial");
        }
        AsyncWriteExt::close(&mut ours).await.unwrap();
        assert!(reader.join().unwrap() == expected);
    });
}

#[test]
fn what_was_written_by_the_trait_keeps_the_loop_alive_until_it_is_sent() {
    let (mut lp, _, _guard) = start();
    let (mut ours, peer) = {
        let _here = lp.enter();
        narrow_pair()
    };
    lp.block_on(async { ours.write_all(&pattern(500_000)).await.unwrap() });
    assert!(ours.write_queue_size() > 0);
    drop(ours);
    assert!(lp.is_alive(), "what was taken is carried out");
    let reader = read_all(peer);
    lp.run().unwrap();
    assert!(reader.join().unwrap() == pattern(500_000));
}

#[test]
fn flush_tells_of_a_write_that_failed_after_it_was_taken() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (mut ours, peer) = narrow_pair();
        ours.write_all(&pattern(500_000)).await.unwrap();
        assert!(ours.write_queue_size() > 0);
        reset(peer);
        assert_eq!(ours.flush().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert!(ours.write_all(b"x").await.is_err());
        assert!(AsyncWriteExt::close(&mut ours).await.is_err());
    });
}

#[test]
fn flush_tells_of_a_close_that_dropped_what_was_taken() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (mut ours, _peer) = narrow_pair();
        ours.write_all(&pattern(500_000)).await.unwrap();
        assert!(ours.write_queue_size() > 0);
        ours.close();
        assert!(ours.flush().await.is_err());
        ours.closed().await.unwrap();
        assert!(ours.flush().await.is_err(), "also when it is long over");
    });
}

#[test]
fn closing_by_the_trait_twice_is_closing_once() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (mut ours, mut peer) = pair();
        AsyncWriteExt::close(&mut ours).await.unwrap();
        AsyncWriteExt::close(&mut ours).await.unwrap();
        ours.flush().await.unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
        assert_eq!(ours.write_all(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_writer_whose_peer_takes_everything_lets_others_run() {
    let (mut lp, _, _guard) = start();
    let (mut ours, mut peer) = {
        let _here = lp.enter();
        pair()
    };
    let reader = std::thread::spawn(move || {
        let (mut buffer, mut got) = (vec![0; 1 << 20], 0);
        while got < 4_000_000 {
            got += peer.read(&mut buffer).unwrap();
        }
    });
    let (turns, seen) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let ticking = turns.clone();
    lp.set_interval(ms(1), move |_| ticking.set(ticking.get() + 1)).unref();
    let immediates = turns.clone();
    lp.block_on(async {
        spawn(async move {
            loop {
                yield_now().await;
                immediates.set(immediates.get() + 1);
            }
        });
        for _ in 0..40_000 {
            ours.write_all(&[7; 100]).await.unwrap();
        }
        seen.set(turns.get());
    });
    reader.join().unwrap();
    assert!(seen.get() >= 40_000 / 128 / 2, "only {} turns for others", seen.get());
}

#[test]
fn an_inherent_writer_and_reader_whose_peer_is_quick_let_others_run() {
    let (mut lp, _, _guard) = start();
    let turns = Rc::new(Cell::new(0));
    let immediates = turns.clone();
    {
        let _here = lp.enter();
        spawn(async move {
            loop {
                yield_now().await;
                immediates.set(immediates.get() + 1);
            }
        });
    }
    lp.block_on(async {
        let (ours, mut peer) = pair();
        peer.write_all(&[7; 2_000]).unwrap();
        let mut byte = [0];
        for _ in 0..2_000 {
            assert_eq!(ours.read(&mut byte).await.unwrap(), 1);
        }
        assert!(turns.get() >= 2_000 / 128 - 1, "only {} turns for others", turns.get());
        let before = turns.get();
        for _ in 0..2_000 {
            ours.write("x").await.unwrap();
        }
        assert!(turns.get() - before >= 2_000 / 128 - 1, "{} turns", turns.get() - before);
    });
}

#[test]
fn one_task_may_be_moved_between_two_and_is_woken_where_it_waits() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    // Polled by one task, dropped by it, and then awaited by another.
    let shared = Rc::new(RefCell::new(ours));
    let first = shared.clone();
    spawn(async move {
        let mut stream = first.borrow().clone();
        let mut buffer = [0; 4];
        let mut read = pin!(AsyncReadExt::read(&mut stream, &mut buffer));
        assert!(poll_once(read.as_mut()).await.is_pending());
    });
    lp.run_nowait().unwrap();
    let note = log.clone();
    spawn(async move {
        let mut stream = shared.borrow().clone();
        let mut buffer = [0; 4];
        note.push(AsyncReadExt::read(&mut stream, &mut buffer).await.unwrap());
    });
    lp.run_nowait().unwrap();
    peer.write_all(b"abc").unwrap();
    lp.run().unwrap();
    log.expect(["3"]);
}

#[test]
fn a_race_between_two_streams_loses_no_byte() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let ((one, mut its_peer), (other, mut others_peer)) = (pair(), pair());
        let (mut got, mut rounds) = (0, 0);
        its_peer.write_all(&[1; 500]).unwrap();
        others_peer.write_all(&[1; 500]).unwrap();
        drop((its_peer, others_peer));
        let (mut a, mut b) = ([0; 7], [0; 7]);
        loop {
            rounds += 1;
            let read = race(one.read(&mut a), other.read(&mut b)).await.unwrap();
            got += read;
            if read == 0 {
                break;
            }
        }
        for stream in [&one, &other] {
            loop {
                match stream.read(&mut a).await.unwrap() {
                    0 => break,
                    read => got += read,
                }
            }
        }
        assert_eq!(got, 1000);
        assert!(rounds > 10);
    });
}

#[test]
fn the_traits_hold_for_owned_and_shared_streams() {
    fn io<T: AsyncRead + AsyncWrite + Unpin>() {}
    io::<TcpStream>();
    io::<&TcpStream>();
    // And they see the end as a plain 0.
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let (mut ours, peer) = pair();
        drop(peer);
        assert_eq!(AsyncReadExt::read(&mut ours, &mut [0; 4]).await.unwrap(), 0);
        ours.set_idle_timeout(Duration::from_secs(60));
        ours.set_nodelay(true).unwrap();
    });
}

#[test]
fn a_pipe_is_awaited_too() {
    let (mut lp, _, _guard) = start();
    lp.block_on(async {
        let ((source, mut producer), (target, consumer)) = (narrow_pair(), narrow_pair());
        let writer = std::thread::spawn(move || producer.write_all(&pattern(800_000)).unwrap());
        let reader = read_all(consumer);
        assert_eq!(source.pipe_to(&target).await.unwrap(), 800_000);
        writer.join().unwrap();
        assert!(reader.join().unwrap() == pattern(800_000));
        let ((source, _producer), (target, _consumer)) = (pair(), pair());
        let pipe = source.pipe_to(&target);
        source.close();
        assert!(Cancelled::is_in(&pipe.await.unwrap_err()));
    });
}
