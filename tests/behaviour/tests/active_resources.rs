//! What keeps a loop alive, told one by one.

mod loop_support;
mod tcp_support;
#[cfg(unix)]
mod tty_support;
#[cfg(unix)]
mod unix_support;

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use loop_support::{manual, real};
use runtime::handle::{Async, Check, Idle, Kind, Prepare, Timer};
use runtime::net::{TcpListener, TcpStream, UdpSocket};
use runtime::time::sleep;
use runtime::{
    ActiveKind, ActiveResource, Loop, LoopRef, at_checkpoint_end, current, ms, next_tick,
    queue_microtask, secs, set_immediate, set_interval, set_timeout, set_timeout_mut, spawn,
    spawn_blocking,
};
use tcp_support::{narrow_pair, pair};

/// The kinds, as often as they are there. What it is empty for is a loop that is not alive.
#[track_caller]
fn names(lp: &LoopRef) -> Vec<String> {
    let active = lp.active_resources();
    assert_eq!(active.is_empty(), !lp.is_alive(), "{active:?}");
    let name = |active: &ActiveResource| match active.count() {
        1 => active.kind().name().to_owned(),
        count => format!("{} x {count}", active.kind()),
    };
    active.iter().map(name).collect()
}

#[track_caller]
fn expect<const N: usize>(lp: &LoopRef, expected: [&str; N]) {
    assert_eq!(names(lp), expected);
}

/// This file's name and a line of it, as a location prints it.
fn at_line(active: &ActiveResource) -> u32 {
    let location = active.created_at().expect("it has a location");
    assert!(location.file().ends_with("active_resources.rs"), "{active}");
    location.line()
}

#[test]
fn a_loop_without_anything_has_no_active_resources() {
    let (mut lp, _log, _guards) = real();
    expect(&lp, []);
    let _idle_things = (Timer::new(), Check::new(), Async::new(|_| ()), pair());
    next_tick(|| ());
    queue_microtask(|| ());
    at_checkpoint_end(|| ());
    drop(spawn(std::future::pending::<()>()));
    expect(&lp, []);
    lp.run().unwrap();
    expect(&lp, []);
}

#[test]
fn every_kind_of_handle_is_named_with_the_line_that_made_it() {
    let (lp, _log, _guards) = real();
    let first = line!() + 1;
    let timer = Timer::new();
    let idle = Idle::new();
    let prepare = Prepare::new();
    let check = Check::new();
    let signal = Async::new(|_| ());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::from_std(tcp_support::std_pair().0).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    runtime::sync::mpsc::channel::<()>(1).1.recv_start(|_| ());
    timer.start(secs(5), None, |_| ()).unwrap();
    idle.start(|_| ()).unwrap();
    prepare.start(|_| ()).unwrap();
    check.start(|_| ()).unwrap();
    let _sender = signal.sender();
    listener.listen(|_, _| ());
    stream.read_start(|_, _| ());
    udp.recv_start(|_, _| ());
    let kinds = [
        Kind::Timer,
        Kind::Idle,
        Kind::Prepare,
        Kind::Check,
        Kind::Async,
        Kind::TcpListener,
        Kind::TcpStream,
        Kind::UdpSocket,
        Kind::Waiter,
    ];
    let active = lp.active_resources();
    assert_eq!(active.len(), kinds.len() + 1);
    // The waiter is going to look whether a value is there.
    assert_eq!(active[kinds.len()].kind(), ActiveKind::Queued);
    for ((active, kind), line) in active.iter().zip(kinds).zip(first..) {
        assert_eq!(active.kind(), ActiveKind::Handle(kind));
        assert_eq!(active.handle(), Some(kind));
        assert_eq!(at_line(active), line, "{active}");
        let expected = format!("{kind} created at {}", active.created_at().unwrap());
        assert_eq!(active.to_string(), expected);
        assert_eq!(kind.to_string(), format!("{kind:?}"));
    }
}

#[test]
fn what_is_stopped_or_unreferenced_is_not_among_them() {
    let (lp, _log, _guards) = real();
    let timer = Timer::new();
    timer.start(secs(5), None, |_| ()).unwrap();
    let interval = set_interval(secs(5), |_| ());
    let immediate = set_immediate(|| ());
    expect(&lp, ["Timer", "Interval", "Immediate"]);
    interval.unref();
    immediate.unref();
    expect(&lp, ["Timer"]);
    timer.unref();
    expect(&lp, []);
    timer.ref_();
    expect(&lp, ["Timer"]);
    timer.stop();
    interval.ref_();
    expect(&lp, ["Interval"]);
    interval.clear();
    expect(&lp, []);
}

#[test]
fn timers_tell_their_delay() {
    let (lp, _clock, _log, _guards) = manual();
    set_timeout(secs(3), || ());
    set_timeout_mut(ms(1500), |_| ());
    set_interval(ms(20), |_| ());
    let task = spawn(sleep(secs(7)));
    let mut lp = lp;
    lp.run_nowait().unwrap();
    let active = lp.active_resources();
    let told: Vec<_> = active.iter().map(|active| (active.kind(), active.duration())).collect();
    let of = |kind, ms| (kind, Some(Duration::from_millis(ms)));
    assert_eq!(
        told,
        [
            of(ActiveKind::Timeout, 3000),
            of(ActiveKind::Timeout, 1500),
            of(ActiveKind::Interval, 20),
            of(ActiveKind::Sleep, 7000),
        ]
    );
    let lines: Vec<_> = active.iter().map(ActiveResource::to_string).collect();
    assert!(lines[1].starts_with("Timeout of 1.5s"), "{lines:?}");
    if cfg!(debug_assertions) {
        let here = active.iter().map(at_line).collect::<Vec<_>>();
        assert!(here.is_sorted() && here[3] - here[0] == 3, "{here:?}");
        assert!(lines[0].contains("set at ") && lines[0].contains("active_resources.rs:"));
    } else {
        assert_eq!(lines[0], "Timeout of 3s");
    }
    task.abort();
}

#[test]
fn a_timer_whose_callback_runs_is_a_reason_if_it_comes_again() {
    let (mut lp, _clock, _log, _guards) = manual();
    let seen = Rc::new(Cell::new(0));
    set_interval(ms(1), {
        let seen = seen.clone();
        move |id| {
            expect(&current(), ["Interval"]);
            seen.set(seen.get() + 1);
            id.clear();
            expect(&current(), []);
        }
    });
    lp.run().unwrap();
    assert_eq!(seen.get(), 1);
}

#[test]
fn jobs_of_the_pool_are_told_with_the_line_that_submitted_them() {
    // One thread: what is read is behind the job, and has not begun.
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    let _guards = (lp.enter(), behaviour::Deadline::secs(20));
    let (go, wait) = mpsc::channel::<()>();
    let job = spawn_blocking(move || wait.recv());
    let line = line!() - 1;
    let read = runtime::fs::read("Cargo.toml");
    expect(&lp, ["Blocking", "Fs"]);
    let active = lp.active_resources();
    assert_eq!([at_line(&active[0]), at_line(&active[1])], [line, line + 2]);
    assert!(active[0].to_string().starts_with("Blocking begun at "), "{}", active[0]);
    // Nobody waits for what was read: it is no reason any more. The job has an effect.
    drop(read);
    expect(&lp, ["Blocking"]);
    drop(job);
    expect(&lp, ["Blocking"]);
    go.send(()).unwrap();
    lp.run().unwrap();
    expect(&lp, []);
}

#[test]
fn a_look_that_is_under_way_is_no_reason_beside_its_handle() {
    use runtime::handle::FsPoll;
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    let _guards = (lp.enter(), behaviour::Deadline::secs(20));
    let (go, wait) = mpsc::channel::<()>();
    drop(spawn_blocking(move || wait.recv()));
    let poll = FsPoll::new();
    poll.start("Cargo.toml", secs(5), |_, _| ()).unwrap();
    // The only thread of the pool has not come to it.
    expect(&lp, ["FsPoll", "Blocking"]);
    poll.unref();
    expect(&lp, ["Blocking"]);
    go.send(()).unwrap();
    assert!(!lp.run().unwrap());
    assert!(poll.is_active());
}

#[test]
fn requests_of_a_stream_are_told_beside_it() {
    let (mut lp, _log, _guards) = real();
    let (stream, peer) = narrow_pair();
    while !stream.is_full() {
        stream.write([7; 64 * 1024]);
    }
    let write = stream.write([7; 10]);
    let drained = stream.drained();
    let shutdown = stream.shutdown();
    let active = lp.active_resources();
    let kinds: Vec<_> = active.iter().map(ActiveResource::kind).collect();
    assert_eq!(kinds, [ActiveKind::Write, ActiveKind::Drained, ActiveKind::Shutdown]);
    assert!(active[0].count() >= 2, "{}", active[0]);
    assert!(active[0].to_string().contains(" of a TcpStream created at "), "{}", active[0]);
    // What is in flight can't be unreferenced.
    stream.unref();
    assert_eq!(lp.active_resources(), active);
    stream.close();
    let names = names(&lp);
    assert!(names.contains(&"Closing".to_owned()) && names.len() == 4, "{names:?}");
    drop((write, drained, shutdown, peer));
    lp.run().unwrap();
    expect(&lp, []);
}

#[test]
fn a_connect_is_told_beside_its_stream() {
    let (mut lp, _log, _guards) = real();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = TcpStream::connect(server.local_addr().unwrap());
    let line = line!() - 1;
    expect(&lp, ["TcpStream", "Connect"]);
    assert!(lp.active_resources().iter().all(|active| at_line(active) == line));
    connect.callback(|stream| drop(stream.unwrap()));
    lp.run().unwrap();
    expect(&lp, []);
}

#[test]
fn an_accepted_connection_comes_from_the_line_of_its_listener() {
    let (mut lp, _log, _guards) = real();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let line = line!() - 1;
    let address = server.local_addr().unwrap();
    let is_accepted = Rc::new(Cell::new(false));
    server.listen({
        let is_accepted = is_accepted.clone();
        move |server, stream| {
            stream.read_start(|_, _| ());
            let active = current().active_resources();
            assert_eq!(active.iter().map(at_line).collect::<Vec<_>>(), [line; 2]);
            assert_eq!(active[1].handle(), Some(Kind::TcpStream));
            is_accepted.set(true);
            stream.close();
            server.close();
        }
    });
    let _client = std::net::TcpStream::connect(address).unwrap();
    lp.run().unwrap();
    assert!(is_accepted.get());
}

#[test]
fn the_main_future_is_a_reason() {
    let _guard = behaviour::Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        expect(&current(), ["Main"]);
        sleep(ms(1)).await;
    });
}

#[test]
fn what_is_pending_or_sent_by_others_is_a_reason() {
    let (mut lp, _log, _guards) = real();
    lp.remote().post(|| ()).unwrap();
    expect(&lp, ["Queued"]);
    lp.run().unwrap();
    let handle = loop_support::closed_handle(&mut lp);
    handle.closed().callback(|_| ());
    expect(&lp, ["Queued"]);
    lp.run().unwrap();
    expect(&lp, []);
}

#[test]
fn an_error_leaves_a_reason_until_the_run_goes_on() {
    let (mut lp, _log, _guards) = real();
    set_immediate(|| Err::<(), _>(io::Error::other("thrown").into()));
    assert!(lp.run().is_err());
    expect(&lp, ["Queued"]);
    lp.run().unwrap();
    expect(&lp, []);
}

#[test]
fn a_loop_that_is_gone_has_none() {
    let (lp, _log, _guards) = real();
    let timer = Timer::new();
    let gone = timer.loop_ref();
    timer.start(secs(5), None, |_| ()).unwrap();
    assert!(timer.created_at().is_some());
    drop(lp);
    assert!(gone.active_resources().is_empty());
    assert_eq!(timer.created_at(), None);
}

#[test]
fn a_closed_handle_was_made_nowhere_even_if_its_slot_is_anothers() {
    let (mut lp, _log, _guards) = real();
    let old = Timer::new();
    let line = line!() - 1;
    assert_eq!(old.created_at().unwrap().line(), line);
    old.close();
    assert_eq!(old.created_at().unwrap().line(), line);
    lp.run().unwrap();
    let new = Timer::new();
    assert_eq!(old.created_at(), None);
    assert_eq!(new.created_at().unwrap().line(), line + 6);
}

#[cfg(unix)]
#[test]
fn the_list_is_printed_to_standard_error_equal_lines_as_one() {
    use tcp_support::{assert_passed, child, child_argument};
    let name = "the_list_is_printed_to_standard_error_equal_lines_as_one";
    if child_argument().is_some() {
        let (mut lp, _log, _guards) = real();
        lp.print_active_resources();
        let timers = [(); 3].map(|()| Timer::new());
        timers.iter().for_each(|timer| timer.start(ms(1), None, |_| ()).unwrap());
        lp.print_active_resources();
        lp.run().unwrap();
        return;
    }
    let output = child("exec", name, "yes");
    assert_passed(&output);
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("runtime: nothing keeps the loop alive\n"), "{text}");
    assert!(text.contains("runtime: the loop is kept alive by\n  Timer created at "), "{text}");
    assert!(text.contains(" (3 times)\n"), "{text}");
}

#[cfg(unix)]
#[test]
fn a_handle_tells_its_descriptor_while_it_is_open() {
    use runtime::handle::{Handle, Poll};
    use runtime::io::Tty;
    use runtime::net::{Pipe, UnixDatagram, UnixListener, UnixStream};
    use std::os::fd::AsRawFd;
    let (mut lp, _log, _guards) = real();
    let (ours, _peer) = tcp_support::std_pair();
    let fd = ours.as_raw_fd();
    let stream = TcpStream::from_std(ours).unwrap();
    assert_eq!(stream.descriptor(), Some(fd));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let poll = Poll::new(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    let folder = unix_support::Folder::new();
    let local_listener = UnixListener::bind(folder.file("s")).unwrap();
    let (local_stream, _peer) = UnixStream::pair().unwrap();
    let datagrams = UnixDatagram::unbound().unwrap();
    let (reader, _writer) = std::io::pipe().unwrap();
    let pipe = Pipe::from_std(reader).unwrap();
    let pty = tty_support::Pty::new();
    let tty = Tty::open(&pty.slave).unwrap();
    let handles: [&Handle; 9] =
        [&stream, &listener, &udp, &poll, &local_listener, &local_stream, &datagrams, &pipe, &tty];
    let mut seen: Vec<_> = handles.iter().map(|handle| handle.descriptor().unwrap()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), handles.len());
    for handle in handles {
        handle.close();
        assert_eq!(handle.descriptor(), None);
    }
    lp.run().unwrap();
    assert_eq!(stream.descriptor(), None);
}

#[cfg(unix)]
#[test]
fn what_has_no_descriptor_of_its_own_tells_none() {
    use runtime::handle::{FsEvent, FsEventOptions, FsPoll, Handle, Signal};
    use runtime::signal::SIGWINCH;
    let (_lp, _log, _guards) = real();
    let (timer, idle, sender) = (Timer::new(), Idle::new(), Async::new(|_| ()));
    let (signal, event, poll) = (Signal::new(), FsEvent::new(), FsPoll::new());
    let here = env!("CARGO_MANIFEST_DIR");
    timer.start(secs(5), None, |_| ()).unwrap();
    idle.start(|_| ()).unwrap();
    signal.start(SIGWINCH, |_, _| ()).unwrap();
    event.start(here, FsEventOptions::new(), |_, _| ()).unwrap();
    poll.start(here, secs(5), |_, _| ()).unwrap();
    let handles: [&Handle; 6] = [&timer, &idle, &sender, &signal, &event, &poll];
    for handle in handles {
        assert_eq!(handle.descriptor(), None, "{handle:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_child_has_one_where_the_system_has_such_until_its_end_is_known() {
    use runtime::process::Command;
    let (mut lp, _log, _guards) = real();
    let child = Command::new("true").spawn().unwrap();
    expect(&lp, ["Process"]);
    let has_one = cfg!(all(target_os = "linux", not(runtime_no_pidfd)));
    assert_eq!(child.descriptor().is_some(), has_one);
    if let Some(descriptor) = child.descriptor() {
        // That of the process, not of one of its streams: the system tells its number.
        let facts = std::fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).unwrap();
        assert!(facts.contains(&format!("Pid:\t{}\n", child.id())), "{facts}");
    }
    lp.run().unwrap();
    assert!(child.exit_status().is_some() && !child.is_closing());
    assert_eq!(child.descriptor(), None);
}

#[cfg(target_os = "linux")]
#[test]
fn a_connect_that_waits_for_room_is_told_with_its_descriptor() {
    use runtime::net::{UnixListener, UnixStream};
    let (mut lp, _log, _guards) = real();
    let folder = unix_support::Folder::new();
    let listener = UnixListener::options().backlog(0).bind(folder.file("s")).unwrap();
    // The queue takes one; the first that finds no room waits for some.
    let connects = [(); 3].map(|()| UnixStream::connect(folder.file("s")));
    let waiting = lp.active_resources().into_iter().filter(|active| active.handle().is_some());
    assert!(waiting.clone().any(|active| active.kind() == ActiveKind::Connect));
    lp.walk(|handle| assert!(handle.descriptor().is_some(), "{handle:?}"));
    drop((connects, listener));
    lp.run().unwrap();
    expect(&lp, []);
}
