//! Peers that read slowly, send fast, or both: memory stays bounded and others are served.

mod tcp_support;

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use futures_lite::AsyncWriteExt;
use runtime::net::TcpStream;
use runtime::{Loop, QueueFull, next_tick, queue_microtask, set_immediate, spawn};
use tcp_support::{narrow_pair, pair, pattern, run_until, wide_pair};

const HIGH_WATER: usize = 64 * 1024;

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(30))
}

/// Reads what comes until the end, and says whether it was the first `len` bytes of the pattern.
fn slow_reader(mut peer: std::net::TcpStream, len: usize) -> std::thread::JoinHandle<bool> {
    std::thread::spawn(move || {
        let (mut got, mut buffer) = (Vec::new(), vec![0; 5_000]);
        loop {
            match peer.read(&mut buffer).unwrap() {
                0 => return got == pattern(len),
                read => got.extend_from_slice(&buffer[..read]),
            }
        }
    })
}

#[test]
fn a_callback_that_heeds_is_full_keeps_its_queue_near_the_high_water_mark() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, peer) = narrow_pair();
    let data = Rc::new(pattern(2_000_000));
    let (sent, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let fill = {
        let (data, sent, most) = (data.clone(), sent.clone(), most.clone());
        move |stream: &TcpStream| {
            while !stream.is_full() {
                let from = sent.get();
                if from == data.len() {
                    stream.shutdown();
                    return;
                }
                let to = data.len().min(from + 10_000);
                stream.write(&data[from..to]);
                sent.set(to);
                most.set(most.get().max(stream.write_queue_size()));
            }
        }
    };
    fill(&ours);
    assert!(ours.is_full() && sent.get() < 400_000, "{} were taken", sent.get());
    ours.on_drain({
        let fill = fill.clone();
        move |stream| {
            assert_eq!(stream.write_queue_size(), 0);
            fill(stream);
        }
    });
    let reader = slow_reader(peer, 2_000_000);
    lp.run().unwrap();
    assert!(reader.join().unwrap());
    assert!((HIGH_WATER..=HIGH_WATER + 10_000).contains(&most.get()), "{}", most.get());
}

#[test]
fn an_echo_that_pauses_while_it_is_full_holds_the_fast_peer_back() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, peer) = narrow_pair();
    let most = Rc::new(Cell::new(0));
    ours.on_drain(|stream| stream.resume());
    ours.read_start({
        let most = most.clone();
        move |stream, data| {
            stream.write(data.unwrap());
            most.set(most.get().max(stream.write_queue_size()));
            if stream.is_full() {
                stream.pause();
            }
        }
    });
    ours.set_high_water(20_000);
    let mut sender = peer.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        sender.write_all(&pattern(3_000_000)).unwrap();
    });
    // It is full before the peer begins to read.
    run_until(&mut lp, || !ours.is_active());
    let reader = std::thread::spawn(move || {
        let (mut peer, mut got) = (peer, vec![0; 3_000_000]);
        peer.read_exact(&mut got).unwrap();
        got == pattern(3_000_000)
    });
    lp.run().unwrap();
    writer.join().unwrap();
    assert!(reader.join().unwrap());
    assert!((20_000..=20_000 + HIGH_WATER).contains(&most.get()), "{}", most.get());
}

#[test]
fn a_task_that_awaits_its_writes_queues_one_of_them() {
    let (mut lp, _, _guard) = start();
    let (ours, peer) = {
        let _here = lp.enter();
        narrow_pair()
    };
    let reader = slow_reader(peer, 1_000_000);
    lp.block_on(async {
        for part in pattern(1_000_000).chunks(50_000) {
            ours.write(part).await.unwrap();
            assert_eq!(ours.write_queue_size(), 0);
        }
        ours.shutdown().await.unwrap();
    });
    assert!(reader.join().unwrap());
}

#[test]
fn a_task_that_writes_by_the_trait_waits_above_the_mark() {
    let (mut lp, _, _guard) = start();
    let (mut ours, peer) = {
        let _here = lp.enter();
        narrow_pair()
    };
    let (watched, most) = (ours.clone(), Rc::new(Cell::new(0)));
    // The peer reads nothing before something is queued: one that is quick would empty the queue
    // before anybody looks.
    let (go, may_read) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        may_read.recv().unwrap();
        slow_reader(peer, 1_000_000).join().unwrap()
    });
    lp.block_on(async {
        for part in pattern(1_000_000).chunks(1_000) {
            ours.write_all(part).await.unwrap();
            let queued = watched.write_queue_size();
            if queued > 0 && most.get() == 0 {
                go.send(()).unwrap();
            }
            most.set(most.get().max(queued));
        }
        AsyncWriteExt::close(&mut ours).await.unwrap();
    });
    assert!(reader.join().unwrap());
    assert!((1..=HIGH_WATER + 1_000).contains(&most.get()), "{}", most.get());
}

#[test]
fn who_heeds_nothing_meets_the_write_limit_and_the_read_callback_is_told() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = narrow_pair();
    ours.set_write_limit(1_000_000);
    ours.read_start({
        let log = log.clone();
        move |stream, data| {
            log.push(format!("read: full {}", QueueFull::is_in(&data.unwrap_err())));
            assert!(!stream.is_closing(), "told first, closed then");
        }
    });
    ours.closed().callback({
        let log = log.clone();
        move |closed| log.push(format!("closed: full {}", QueueFull::is_in(&closed.unwrap_err())))
    });
    let failed = Rc::new(Cell::new(0));
    for _ in 0..1_000 {
        let failed = failed.clone();
        ours.write(vec![1; 10_000]).callback(move |written| {
            if let Err(error) = written {
                assert!(QueueFull::is_in(&error));
                failed.set(failed.get() + 1);
            }
        });
        assert!(ours.write_queue_size() <= 1_010_000);
    }
    log.expect([]);
    lp.run().unwrap();
    log.expect(["read: full true", "closed: full true"]);
    assert!(failed.get() > 900);
    assert!(ours.is_closing());
    assert!(QueueFull::is_in(&ours.try_write(b"x").unwrap_err()), "later calls tell why");
}

#[test]
fn the_write_limit_is_told_to_the_tasks_that_read_and_write() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = narrow_pair();
    ours.set_write_limit(100_000);
    let (reader, note) = (ours.clone(), log.clone());
    spawn(async move {
        let error = reader.read(&mut [0; 8]).await.unwrap_err();
        note.push(format!("read: {}", QueueFull::is_in(&error)));
    });
    let (writer, note) = (ours.clone(), log.clone());
    spawn(async move {
        for _ in 0..2 {
            drop(writer.write(vec![1; 150_000]));
        }
        let error = writer.write(vec![1; 150_000]).await.unwrap_err();
        note.push(format!("write: {}", QueueFull::is_in(&error)));
    });
    lp.run().unwrap();
    log.expect(["write: true", "read: true"]);
}

#[test]
fn one_write_of_any_size_is_taken_when_nothing_is_queued() {
    let (mut lp, _, _guard) = start();
    let (ours, peer) = {
        let _here = lp.enter();
        narrow_pair()
    };
    ours.set_write_limit(0);
    let reader = slow_reader(peer, 700_000);
    lp.block_on(async {
        ours.write(pattern(700_000)).await.unwrap();
        ours.shutdown().await.unwrap();
    });
    assert!(reader.join().unwrap());
}

#[test]
fn writes_of_nothing_behind_a_peer_that_does_not_read_are_limited_too() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, _peer) = narrow_pair();
    ours.write(vec![1; 500_000]);
    for _ in 1..1 << 20 {
        drop(ours.write(""));
    }
    assert!(ours.try_write(b"").is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    let refused = Rc::new(Cell::new(false));
    ours.write("").callback({
        let refused = refused.clone();
        move |written| refused.set(QueueFull::is_in(&written.unwrap_err()))
    });
    lp.run().unwrap();
    assert!(refused.get());
    assert!(ours.is_closing());
}

#[test]
fn drained_is_done_when_all_was_written_and_at_once_when_nothing_is_queued() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, peer) = narrow_pair();
    ours.drained().callback({
        let log = log.clone();
        move |drained| {
            drained.unwrap();
            log.push("at once");
        }
    });
    log.expect([]);
    lp.run_nowait().unwrap();
    log.expect(["at once"]);
    ours.write(pattern(300_000)).callback({
        let log = log.clone();
        move |written| {
            written.unwrap();
            log.push("written");
        }
    });
    for name in ["drained", "drained too"] {
        let (log, stream) = (log.clone(), ours.clone());
        ours.drained().callback(move |drained| {
            drained.unwrap();
            assert_eq!(stream.write_queue_size(), 0);
            log.push(name);
        });
    }
    ours.on_drain({
        let log = log.clone();
        move |_| log.push("on_drain")
    });
    let dropped = ours.drained();
    drop(dropped);
    let reader = slow_reader(peer, 300_000);
    run_until(&mut lp, || ours.write_queue_size() == 0);
    ours.shutdown();
    lp.run().unwrap();
    assert!(reader.join().unwrap());
    log.expect(["written", "drained", "drained too", "on_drain"]);
}

#[test]
fn on_drain_is_called_only_after_the_stream_was_full() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, peer) = narrow_pair();
    ours.on_drain(|_| panic!("replaced"));
    ours.on_drain({
        let log = log.clone();
        move |_| log.push("drain")
    });
    ours.set_high_water(1_000_000);
    ours.write(&pattern(400_000)[..200_000]);
    assert!(ours.write_queue_size() > 0 && !ours.is_full());
    let reader = slow_reader(peer, 400_000);
    run_until(&mut lp, || ours.write_queue_size() == 0);
    log.expect([]);
    ours.set_high_water(10);
    ours.write(&pattern(400_000)[200_000..]);
    assert!(ours.is_full());
    run_until(&mut lp, || ours.write_queue_size() == 0);
    ours.shutdown();
    lp.run().unwrap();
    log.expect(["drain"]);
    assert!(reader.join().unwrap());
}

#[test]
fn on_drain_may_write_pause_replace_itself_and_close() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = narrow_pair();
    let note = log.clone();
    ours.on_drain(move |stream| {
        note.push("one");
        let note = note.clone();
        stream.on_drain(move |stream| {
            note.push("two");
            stream.write(pattern(300_000)).callback({
                let note = note.clone();
                move |written| note.push(written.is_err())
            });
            assert!(stream.is_full());
            stream.close();
        });
        stream.write(pattern(300_000));
    });
    ours.write(pattern(300_000));
    let reader = std::thread::spawn(move || peer.read_to_end(&mut Vec::new()).unwrap());
    lp.run().unwrap();
    log.expect(["one", "two", "true"]);
    assert!(reader.join().unwrap() >= 600_000);
}

#[test]
fn an_event_is_at_most_32_reads_each_with_a_checkpoint_and_the_rest_comes_in_the_next_iteration() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, mut peer) = wide_pair();
    peer.set_nonblocking(true).unwrap();
    let mut refill = {
        let chunk = vec![7; 256 * 1024];
        // As much as the system takes, so that each read finds a full buffer.
        move || while peer.write(&chunk).is_ok_and(|written| written > 0) {}
    };
    refill();
    let (reads, turns) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    ours.read_start({
        let (reads, turns) = (reads.clone(), turns.clone());
        move |_, data| {
            assert!(!data.unwrap().is_empty());
            assert_eq!(turns.get(), 2 * reads.get(), "the checkpoint of the read before");
            reads.set(reads.get() + 1);
            let [tick, microtask] = [turns.clone(), turns.clone()];
            next_tick(move || tick.set(tick.get() + 1));
            queue_microtask(move || microtask.set(microtask.get() + 1));
            refill();
        }
    });
    // The first reads may be short, and end their event, while the window grows.
    let bursts: Vec<_> = (0..20)
        .map(|_| {
            let before = reads.get();
            lp.run_nowait().unwrap();
            reads.get() - before
        })
        .collect();
    assert_eq!(bursts.iter().max(), Some(&32), "{bursts:?}");
    ours.close();
}

#[test]
fn a_flood_from_one_peer_does_not_starve_another() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (flooded, mut flooder) = pair();
    let (quiet, mut asker) = pair();
    flooder.set_nonblocking(true).unwrap();
    let chunk = vec![7; 256 * 1024];
    let mut refill = move || while flooder.write(&chunk).is_ok_and(|written| written > 0) {};
    refill();
    let reads = Rc::new(Cell::new(0));
    flooded.read_start({
        let reads = reads.clone();
        move |_, _| {
            reads.set(reads.get() + 1);
            refill();
        }
    });
    quiet.read_start(|stream, data| {
        stream.write(data.unwrap());
    });
    lp.run_nowait().unwrap();
    for round in 0..20 {
        let before = reads.get();
        asker.write_all(&[round]).unwrap();
        lp.run_nowait().unwrap();
        let mut answer = [0; 1];
        asker.read_exact(&mut answer).unwrap();
        assert_eq!(answer, [round]);
        assert!(reads.get() - before <= 32, "served between two bursts");
    }
    let immediate = Rc::new(Cell::new(false));
    let seen = immediate.clone();
    set_immediate(move || seen.set(true));
    lp.run_nowait().unwrap();
    assert!(immediate.get());
    flooded.close();
    quiet.close();
}

#[test]
fn a_task_that_reads_a_flood_lets_others_run() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (flooded, mut flooder) = pair();
    flooder.set_nonblocking(true).unwrap();
    let chunk = vec![7; 256 * 1024];
    let mut refill = move || while flooder.write(&chunk).is_ok_and(|written| written > 0) {};
    refill();
    let reads = Rc::new(Cell::new(0));
    let counter = reads.clone();
    let task = spawn(async move {
        loop {
            counter.set(counter.get() + 1);
            refill();
            assert!(flooded.read(&mut [0; 1024]).await.unwrap() > 0);
        }
    });
    for iteration in 1..=5 {
        lp.run_nowait().unwrap();
        assert!(reads.get() <= 300 * iteration, "{} in {iteration} iterations", reads.get());
    }
    assert!(reads.get() > 128);
    assert!(lp.metrics().deferrals > 0);
    task.abort();
}

#[test]
fn a_peer_that_never_reads_costs_a_dead_stream_nothing_after_its_idle_timeout() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let (ours, peer) = narrow_pair();
    ours.set_idle_timeout(runtime::ms(10));
    let seen = Rc::new(Cell::new(None));
    ours.write(pattern(5_000_000)).callback({
        let seen = seen.clone();
        move |written| seen.set(Some(written.unwrap_err().kind()))
    });
    drop(ours);
    lp.run().unwrap();
    assert_eq!(seen.get(), Some(ErrorKind::TimedOut));
    drop(peer);
}
