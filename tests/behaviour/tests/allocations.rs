//! What an operation costs: allocations, counted by an allocator of our own, and system calls, counted
//! by `strace` where there is one.
#![cfg(unix)]

mod tcp_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::process::Command;
use std::rc::Rc;
use std::task::{Context, Waker};

use behaviour::Deadline;
use futures_lite::future::poll_once;
use runtime::handle::Idle;
use runtime::net::{Pipe, TcpStream};
use runtime::process;
use runtime::{Loop, next_tick, spawn};
use tcp_support::{assert_passed, child, child_argument, pair};

thread_local! {
    /// Allocations of this thread.
    static COUNT: Cell<u64> = const { Cell::new(0) };
    /// Bytes that this thread allocated, less those that it freed.
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn count(allocations: u64, bytes: isize) {
    // Gone while the thread ends: then nobody asks.
    let _ = COUNT.try_with(|count| count.set(count.get() + allocations));
    let _ = BYTES.try_with(|all| all.set(all.get() + bytes));
}

// SAFETY: all is passed on to the system's allocator; the counts neither allocate nor unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: the caller's promises are those of this method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, -(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations that `f` makes on this thread.
fn allocations(f: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    f();
    COUNT.get() - before
}

const MESSAGE: [u8; 64] = [7; 64];

/// A message to the loop and back.
fn round_trip(lp: &mut Loop, peer: &mut std::net::TcpStream) {
    peer.write_all(&MESSAGE).unwrap();
    lp.run_nowait().unwrap();
    let mut got = [0; 64];
    peer.read_exact(&mut got).unwrap();
    assert_eq!(got, MESSAGE);
}

fn echo_by_callback(stream: &TcpStream) {
    stream.read_start(|stream, data| {
        if let Ok(data @ [_, ..]) = data {
            stream.write(data);
        }
    });
}

async fn echo_by_await(stream: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        stream.write(&buffer[..read]).await.unwrap();
    }
}

async fn echo_by_lent_buffer(stream: TcpStream) {
    let echo = |data: &[u8]| {
        stream.write(data);
        data.len()
    };
    while let Ok(1..) = stream.read_with(echo).await {}
}

fn echoes_allocate_nothing(start: impl FnOnce(TcpStream)) {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let (ours, mut peer) = pair();
    start(ours);
    lp.run_nowait().unwrap();
    for _ in 0..100 {
        round_trip(&mut lp, &mut peer);
    }
    let made = allocations(|| {
        for _ in 0..1_000 {
            round_trip(&mut lp, &mut peer);
        }
    });
    assert_eq!(made, 0);
}

#[test]
fn an_echo_by_callback_allocates_nothing() {
    echoes_allocate_nothing(|stream| echo_by_callback(&stream));
}

#[test]
fn an_echo_by_await_allocates_nothing() {
    echoes_allocate_nothing(|stream| drop(spawn(echo_by_await(stream))));
}

#[test]
fn an_echo_by_a_lent_buffer_allocates_nothing() {
    echoes_allocate_nothing(|stream| drop(spawn(echo_by_lent_buffer(stream))));
}

#[test]
fn an_echo_by_the_traits_allocates_nothing() {
    use futures_lite::{AsyncReadExt, AsyncWriteExt};
    echoes_allocate_nothing(|mut stream| {
        drop(spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = AsyncReadExt::read(&mut stream, &mut buffer).await {
                stream.write_all(&buffer[..read]).await.unwrap();
                stream.flush().await.unwrap();
            }
        }));
    });
}

#[test]
fn a_spawned_task_is_one_allocation_and_none_where_one_has_ended() {
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let done = Rc::new(Cell::new(0));
    let mut spawn_some = |tasks: u64| {
        // So that the queue has room.
        (0..300).for_each(|_| runtime::queue_microtask(|| ()));
        lp.run_nowait().unwrap();
        for _ in 0..tasks {
            let done = done.clone();
            drop(spawn(async move {
                runtime::yield_microtask().await;
                done.set(done.get() + 1);
            }));
        }
        lp.run_nowait().unwrap();
    };
    spawn_some(1);
    // The one that ended, and the list that it is kept in as it grows.
    let grown = allocations(|| spawn_some(200)) - 199;
    assert!(grown < 10, "{grown} allocations besides the tasks");
    assert_eq!(allocations(|| spawn_some(200)), 0);
    assert_eq!(done.get(), 401);
}

#[test]
fn a_request_that_is_done_at_once_allocates_nothing() {
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        let (ours, _peer) = pair();
        ours.write(MESSAGE).await.unwrap();
        let before = COUNT.get();
        for _ in 0..10 {
            ours.write(MESSAGE).await.unwrap();
            drop(ours.write(MESSAGE));
            ours.drained().await.unwrap();
            assert_eq!(ours.try_write(&MESSAGE).unwrap(), 64);
        }
        assert_eq!(COUNT.get() - before, 0);
    });
}

#[test]
fn a_read_that_is_polled_again_allocates_nothing() {
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        let (ours, _peer) = pair();
        let mut buffer = [0; 64];
        let mut read = pin!(ours.read(&mut buffer));
        let mut poll = || read.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
        assert!(poll());
        assert_eq!(allocations(|| assert!(poll() && poll())), 0);
    });
}

#[test]
fn iterations_with_nothing_to_do_allocate_nothing() {
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let idle = Idle::new();
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    idle.start(move |_| counted.set(counted.get() + 1)).unwrap();
    let (waits, _peer) = pair();
    echo_by_callback(&waits);
    for _ in 0..10 {
        lp.run_nowait().unwrap();
    }
    let made = allocations(|| {
        for _ in 0..1_000 {
            lp.run_nowait().unwrap();
        }
    });
    assert_eq!((made, count.get()), (0, 1_010));
}

#[test]
fn a_tick_whose_closure_owns_nothing_allocates_nothing() {
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let ticks = |lp: &mut Loop| {
        (0..50).for_each(|_| next_tick(|| ()));
        lp.run_nowait().unwrap();
    };
    ticks(&mut lp);
    assert_eq!(allocations(|| ticks(&mut lp)), 0);
}

#[test]
fn who_asks_again_and_again_and_gives_up_is_forgotten() {
    let _deadline = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        let child = process::Command::new("cat").stdin(process::Stdio::piped()).spawn().unwrap();
        let input = child.take_stdin().unwrap();
        let (_reader, writer) = Pipe::pair().unwrap();
        writer.write(vec![0; 1_000_000]);
        let before = BYTES.get();
        for _ in 0..10_000 {
            assert!(poll_once(child.wait()).await.is_none());
            assert!(poll_once(child.closed()).await.is_none());
            assert!(poll_once(writer.drained()).await.is_none());
        }
        let kept = BYTES.get() - before;
        assert!(kept < 10_000, "{kept} bytes");
        // Who goes on waiting is told.
        let waiting: Vec<_> = (0..100).map(|_| (child.wait(), child.closed())).collect();
        drop(input);
        for (ended, closed) in waiting {
            assert!(ended.await.unwrap().success());
            child.close();
            closed.await.unwrap();
        }
    });
}

#[test]
fn a_connection_that_waits_in_read_with_holds_no_buffer() {
    const WAITING: usize = 100;
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let pairs: Vec<_> = (0..WAITING).map(|_| pair()).collect();
    let before = BYTES.get();
    let mut peers = Vec::new();
    for (stream, peer) in pairs {
        peers.push(peer);
        drop(spawn(echo_by_lent_buffer(stream)));
    }
    lp.run_nowait().unwrap();
    for peer in &mut peers {
        round_trip(&mut lp, peer);
    }
    let each = (BYTES.get() - before) / WAITING as isize;
    assert!(each < 4_096, "{each} bytes each");
}

// --- system calls ---

fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    traced.is_ok_and(|output| output.status.success())
}

/// Runs `rounds` round trips by `echo` with a peer on another thread. That one uses read(2) and
/// write(2), so that the loop's own calls, recv and send, can be told apart.
fn echo_rounds(rounds: usize, start: impl FnOnce(TcpStream)) {
    let _guard = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let (ours, peer) = pair();
    start(ours);
    let mut peer = File::from(OwnedFd::from(peer));
    let talk = std::thread::spawn(move || {
        for _ in 0..rounds {
            peer.write_all(&MESSAGE).unwrap();
            peer.read_exact(&mut [0; 64]).unwrap();
        }
    });
    lp.run().unwrap();
    talk.join().unwrap();
}

/// System calls of a child with `rounds` round trips, by name.
fn traced(name: &str, rounds: usize) -> HashMap<String, i64> {
    let file = format!("behaviour-strace-{}-{name}", std::process::id());
    let file = std::env::temp_dir().join(file);
    let prefix = format!("exec strace -f -c -o '{}'", file.display());
    assert_passed(&child(&prefix, name, &rounds.to_string()));
    let table = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    // % time, seconds, usecs/call, calls, perhaps errors, syscall
    let rows = table.lines().filter_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        Some(((*words.last()?).to_owned(), words.get(3)?.parse().ok()?))
    });
    rows.collect()
}

fn a_round_trip_is_a_read_a_write_and_a_wait(name: &str, start: impl FnOnce(TcpStream)) {
    const ROUNDS: usize = 1_000;
    if let Some(rounds) = child_argument() {
        return echo_rounds(rounds.parse().unwrap(), start);
    }
    if !cfg!(target_os = "linux") || !can_trace() {
        behaviour::tell("skipped: there is no strace here, or it may not trace");
        return;
    }
    // The difference of two runs is free of what the start and the end cost.
    let (short, long) = (traced(name, 100), traced(name, 100 + ROUNDS));
    let more = |names: &[&str]| -> i64 {
        let calls = |table: &HashMap<String, i64>| -> i64 {
            names.iter().filter_map(|name| table.get(*name)).sum()
        };
        calls(&long) - calls(&short)
    };
    let rounds = ROUNDS as i64;
    assert_eq!(more(&["write", "read"]), 2 * rounds, "the peer's own, and no wake-ups");
    // A task's first read finds the message there or not yet, as the peer's thread is quick or slow.
    let reads = more(&["recvfrom", "recv", "recvmsg", "readv"]);
    assert!((rounds - 1..=rounds + 1).contains(&reads), "{reads} reads, one each");
    assert_eq!(more(&["sendto", "send", "sendmsg", "writev"]), rounds, "one write each");
    assert_eq!(more(&["epoll_ctl"]), 0);
    let waits = more(&["epoll_wait", "epoll_pwait", "epoll_pwait2"]);
    assert!((1..=rounds + 20).contains(&waits), "{waits} waits");
}

#[test]
fn a_round_trip_by_callback_is_a_read_a_write_and_a_wait() {
    let name = "a_round_trip_by_callback_is_a_read_a_write_and_a_wait";
    a_round_trip_is_a_read_a_write_and_a_wait(name, |stream| echo_by_callback(&stream));
}

#[test]
fn a_round_trip_by_await_is_a_read_a_write_and_a_wait() {
    let name = "a_round_trip_by_await_is_a_read_a_write_and_a_wait";
    a_round_trip_is_a_read_a_write_and_a_wait(name, |stream| drop(spawn(echo_by_await(stream))));
}
