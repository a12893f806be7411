//! Referenced or not: what keeps the loop alive, for each kind of handle.
//!
//! A kind is a row of `kinds`; every test goes through all of them.

mod loop_support;
mod tcp_support;
#[cfg(unix)]
mod tty_support;
#[cfg(unix)]
mod unix_support;

use std::any::Any;
use std::ops::Deref;
use std::sync::mpsc;

use behaviour::EventLog;
use loop_support::{note_close, real};
use runtime::handle::{Async, Check, Handle, Idle, Kind, Prepare, Timer};
use runtime::net::{TcpListener, TcpStream, UdpSocket};
use runtime::{ActiveKind, Loop, secs, set_interval, spawn, spawn_blocking};
use tcp_support::{narrow_pair, nobody, std_pair};

type AnyHandle = Box<dyn Deref<Target = Handle>>;

/// A handle, and how it becomes active.
struct Subject {
    handle: AnyHandle,
    start: Box<dyn FnOnce() -> Box<dyn Any>>,
}

/// `start` makes `handle` active for as long as what it gives is kept.
fn subject<H, K: 'static>(handle: H, start: impl FnOnce(&H) -> K + 'static) -> Subject
where
    H: Deref<Target = Handle> + Clone + 'static,
{
    let own = handle.clone();
    Subject { handle: Box::new(handle), start: Box::new(move || Box::new((start(&own), own))) }
}

/// A kind of handle, in one of the ways to be active.
struct Row {
    name: &'static str,
    kind: Kind,
    /// Whether it is referenced if nobody says otherwise.
    is_ref: bool,
    make: fn() -> Subject,
}

fn row(name: &'static str, kind: Kind, make: fn() -> Subject) -> Row {
    Row { name, kind, is_ref: true, make }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

fn kinds() -> Vec<Row> {
    #[allow(unused_mut, reason = "there is more on unix")]
    let mut rows = vec![
        row("timer", Kind::Timer, || {
            subject(Timer::new(), |timer| timer.start(secs(60), None, |_| ()).unwrap())
        }),
        row("repeating timer", Kind::Timer, || {
            subject(Timer::new(), |timer| timer.start(secs(60), secs(60), |_| ()).unwrap())
        }),
        row("idle", Kind::Idle, || subject(Idle::new(), |idle| idle.start(|_| ()).unwrap())),
        row("prepare", Kind::Prepare, || {
            subject(Prepare::new(), |prepare| prepare.start(|_| ()).unwrap())
        }),
        row("check", Kind::Check, || subject(Check::new(), |check| check.start(|_| ()).unwrap())),
        row("async", Kind::Async, || subject(Async::new(|_| ()), Async::sender)),
        row("listener by callback", Kind::TcpListener, || {
            subject(listener(), |listener| listener.listen(|_, _| ()))
        }),
        row("listener by a task", Kind::TcpListener, || {
            subject(listener(), |listener| {
                let listener = listener.clone();
                spawn(async move { drop(listener.accept().await) })
            })
        }),
        row("stream that reads by callback", Kind::TcpStream, || {
            let (ours, peer) = std_pair();
            subject(TcpStream::from_std(ours).unwrap(), move |stream| {
                stream.read_start(|_, _| ());
                peer
            })
        }),
        row("stream that reads by a task", Kind::TcpStream, || {
            let (ours, peer) = std_pair();
            subject(TcpStream::from_std(ours).unwrap(), move |stream| {
                let stream = stream.clone();
                (peer, spawn(async move { stream.read(&mut [0]).await }))
            })
        }),
        row("udp by callback", Kind::UdpSocket, || {
            subject(UdpSocket::bind("127.0.0.1:0").unwrap(), |udp| udp.recv_start(|_, _| ()))
        }),
        row("udp by a task", Kind::UdpSocket, || {
            subject(UdpSocket::bind("127.0.0.1:0").unwrap(), |udp| {
                let udp = udp.clone();
                spawn(async move { drop(udp.recv_from(&mut [0]).await) })
            })
        }),
    ];
    #[cfg(unix)]
    rows.extend(of_unix());
    rows
}

#[cfg(unix)]
fn of_unix() -> Vec<Row> {
    let mut rows = of_the_system();
    rows.extend(of_local_sockets());
    rows.extend(of_terminals());
    rows
}

#[cfg(unix)]
fn of_the_system() -> Vec<Row> {
    use runtime::handle::{FsEvent, FsEventOptions, FsPoll, Interest, Poll, Signal};
    use runtime::process::Command;
    use std::os::unix::net::UnixStream;
    const SIGWINCH: i32 = 28;
    vec![
        row("poll by callback", Kind::Poll, || {
            let (one, other) = UnixStream::pair().unwrap();
            subject(Poll::new(&one).unwrap(), move |poll| {
                poll.start(Interest::READABLE, |_, _| ());
                other
            })
        }),
        row("poll by a task", Kind::Poll, || {
            let (one, other) = UnixStream::pair().unwrap();
            subject(Poll::new(&one).unwrap(), move |poll| {
                let poll = poll.clone();
                (other, spawn(async move { drop(poll.ready(Interest::READABLE).await) }))
            })
        }),
        Row {
            is_ref: false,
            ..row("signal", Kind::Signal, || {
                subject(Signal::new(), |signal| signal.start(SIGWINCH, |_, _| ()).unwrap())
            })
        },
        row("fs event by callback", Kind::FsEvent, || {
            subject(FsEvent::new(), |event| {
                let options = FsEventOptions::default();
                event.start(env!("CARGO_MANIFEST_DIR"), options, |_, _| ()).unwrap();
            })
        }),
        row("fs event by a task", Kind::FsEvent, || {
            subject(FsEvent::new(), |event| {
                event.watch(env!("CARGO_MANIFEST_DIR"), FsEventOptions::default()).unwrap();
                let event = event.clone();
                spawn(async move { drop(event.changed().await) })
            })
        }),
        row("fs poll by callback", Kind::FsPoll, || {
            subject(FsPoll::new(), |poll| {
                poll.start(env!("CARGO_MANIFEST_DIR"), secs(60), |_, _| ()).unwrap();
            })
        }),
        row("fs poll by a task", Kind::FsPoll, || {
            subject(FsPoll::new(), |poll| {
                poll.watch(env!("CARGO_MANIFEST_DIR"), secs(60)).unwrap();
                let poll = poll.clone();
                spawn(async move { drop(poll.changed().await) })
            })
        }),
        row("process", Kind::Process, || {
            let mut command = Command::new("sleep");
            subject(command.arg("60").kill_on_drop(true).spawn().unwrap(), |_| ())
        }),
    ]
}

#[cfg(unix)]
fn of_local_sockets() -> Vec<Row> {
    use runtime::net::{Pipe, UnixDatagram, UnixListener, UnixStream};
    fn local_listener() -> UnixListener {
        let folder = unix_support::Folder::new();
        UnixListener::bind(folder.file("s")).unwrap()
    }
    vec![
        row("local listener by callback", Kind::UnixListener, || {
            subject(local_listener(), |listener| listener.listen(|_, _| ()))
        }),
        row("local listener by a task", Kind::UnixListener, || {
            subject(local_listener(), |listener| {
                let listener = listener.clone();
                spawn(async move { drop(listener.accept().await) })
            })
        }),
        row("local stream by callback", Kind::UnixStream, || {
            let (one, other) = UnixStream::pair().unwrap();
            subject(one, |stream| {
                stream.read_start(|_, _| ());
                other
            })
        }),
        row("local stream by a task", Kind::UnixStream, || {
            let (one, other) = UnixStream::pair().unwrap();
            subject(one, |stream| {
                let stream = stream.clone();
                (other, spawn(async move { drop(stream.read(&mut [0]).await) }))
            })
        }),
        row("local datagrams by callback", Kind::UnixDatagram, || {
            let (one, other) = UnixDatagram::pair().unwrap();
            subject(one, |socket| {
                socket.recv_start(|_, _| ());
                other
            })
        }),
        row("local datagrams by a task", Kind::UnixDatagram, || {
            let (one, other) = UnixDatagram::pair().unwrap();
            subject(one, |socket| {
                let socket = socket.clone();
                (other, spawn(async move { drop(socket.recv_from(&mut [0]).await) }))
            })
        }),
        row("pipe by callback", Kind::Pipe, || {
            let (reader, writer) = std::io::pipe().unwrap();
            subject(Pipe::from_std(reader).unwrap(), move |pipe| {
                pipe.read_start(|_, _| ());
                writer
            })
        }),
        row("pipe by a task", Kind::Pipe, || {
            let (reader, writer) = std::io::pipe().unwrap();
            subject(Pipe::from_std(reader).unwrap(), move |pipe| {
                let pipe = pipe.clone();
                (writer, spawn(async move { drop(pipe.read(&mut [0]).await) }))
            })
        }),
    ]
}

#[cfg(unix)]
fn of_terminals() -> Vec<Row> {
    use runtime::io::Tty;
    use tty_support::Pty;
    vec![
        row("terminal by callback", Kind::Tty, || {
            let pty = Pty::new();
            subject(Tty::open(&pty.slave).unwrap(), |tty| {
                tty.read_start(|_, _| ());
                pty
            })
        }),
        row("terminal by a task", Kind::Tty, || {
            let pty = Pty::new();
            subject(Tty::open(&pty.slave).unwrap(), |tty| {
                let tty = tty.clone();
                (pty, spawn(async move { drop(tty.read(&mut [0]).await) }))
            })
        }),
    ]
}

/// Runs `test` for each kind, on a loop of its own.
fn for_each(test: impl Fn(&Row, &mut Loop, &EventLog)) {
    for row in kinds() {
        let (mut lp, log, _guards) = real();
        test(&row, &mut lp, &log);
    }
}

/// A handle that is active, and what keeps it so. Tasks have taken their places.
fn active(row: &Row, lp: &mut Loop) -> (AnyHandle, Box<dyn Any>) {
    let Subject { handle, start } = (row.make)();
    let kept = start();
    lp.run_nowait().unwrap();
    // The first look of the pool is over when the time of the next is known.
    while row.kind == Kind::FsPoll && lp.backend_timeout().is_none_or(|wait| wait.is_zero()) {
        lp.run_once().unwrap();
    }
    assert!(handle.is_active(), "{}", row.name);
    (handle, kept)
}

#[test]
fn it_is_what_its_kind_is_from_the_start() {
    for_each(|row, _, _| {
        let Subject { handle, .. } = (row.make)();
        assert_eq!(handle.kind(), row.kind, "{}", row.name);
        assert_eq!(handle.has_ref(), row.is_ref, "{}", row.name);
        let location = handle.created_at().expect(row.name);
        assert!(location.file().ends_with("ref_unref.rs"), "{}: {location}", row.name);
    });
}

#[test]
fn inactive_it_keeps_nothing_alive() {
    for_each(|row, lp, _| {
        // A child runs from the start.
        if row.kind == Kind::Process {
            return;
        }
        let Subject { handle, .. } = (row.make)();
        handle.ref_();
        assert!(!handle.is_active() && !lp.run().unwrap(), "{}", row.name);
    });
}

#[test]
fn active_it_keeps_the_loop_alive_if_it_is_referenced() {
    for_each(|row, lp, _| {
        let (handle, _kept) = active(row, lp);
        assert_eq!(lp.is_alive(), row.is_ref, "{}", row.name);
        handle.ref_();
        assert!(lp.is_alive() && lp.run_nowait().unwrap(), "{}", row.name);
        let told = lp.active_resources();
        assert_eq!(told.len(), 1, "{}: {told:?}", row.name);
        assert_eq!(told[0].kind(), ActiveKind::Handle(row.kind), "{}", row.name);
    });
}

#[test]
fn unreferenced_it_lets_run_return_and_stays_active() {
    for_each(|row, lp, _| {
        let (handle, _kept) = active(row, lp);
        handle.unref();
        assert!(!lp.run().unwrap(), "{}", row.name);
        assert!(handle.is_active() && !handle.has_ref(), "{}", row.name);
        assert_eq!(lp.active_resources(), [], "{}", row.name);
    });
}

#[test]
fn unreferenced_before_it_starts_is_as_good() {
    for_each(|row, lp, _| {
        let Subject { handle, start } = (row.make)();
        handle.unref();
        let _kept = start();
        assert!(!lp.run().unwrap(), "{}", row.name);
        handle.ref_();
        assert!(lp.run_nowait().unwrap(), "{}", row.name);
    });
}

#[test]
fn it_is_a_flag_and_no_count() {
    for_each(|row, lp, _| {
        let (handle, _kept) = active(row, lp);
        handle.ref_();
        handle.ref_();
        handle.unref();
        assert!(!handle.has_ref() && !lp.is_alive(), "{}", row.name);
        handle.unref();
        handle.unref();
        handle.ref_();
        assert!(handle.has_ref() && lp.is_alive(), "{}", row.name);
    });
}

#[test]
fn unreferenced_in_the_middle_of_an_iteration_it_ends_the_run() {
    for_each(|row, lp, log| {
        let (handle, _kept) = active(row, lp);
        handle.ref_();
        let log_inside = log.clone();
        let prepare = Prepare::new();
        prepare
            .start(move |prepare| {
                log_inside.push("prepare");
                handle.unref();
                prepare.close();
            })
            .unwrap();
        assert!(!lp.run().unwrap(), "{}", row.name);
        log.expect(["prepare"]);
    });
}

#[test]
fn closed_it_keeps_the_loop_alive_until_its_close_callback_even_if_unreferenced() {
    for_each(|row, lp, log| {
        let (handle, _kept) = active(row, lp);
        handle.unref();
        let other = Timer::new();
        other.close();
        other.closed().callback(note_close(log, "other"));
        handle.close();
        assert!(lp.is_alive(), "{}", row.name);
        // While it closes these change nothing but what it says.
        handle.ref_();
        handle.unref();
        handle.ref_();
        assert!(handle.has_ref(), "{}", row.name);
        assert!(!lp.run().unwrap(), "{}", row.name);
        assert!(!handle.has_ref() && !handle.is_active() && handle.is_closing(), "{}", row.name);
        log.expect(["other"]);
    });
}

// --- requests in flight can't be unreferenced ---

#[test]
fn a_connect_goes_on_though_its_stream_is_unreferenced() {
    let (mut lp, log, _guards) = real();
    TcpStream::connect(nobody()).callback({
        let log = log.clone();
        move |connected| log.push(connected.is_err())
    });
    lp.walk(Handle::unref);
    assert!(lp.is_alive());
    assert!(!lp.run().unwrap());
    log.expect(["true"]);
}

#[test]
fn writes_and_a_shutdown_go_on_though_their_stream_is_unreferenced() {
    let (mut lp, log, _guards) = real();
    let (stream, mut peer) = narrow_pair();
    stream.write(vec![7; 4 << 20]).callback({
        let log = log.clone();
        move |written| log.push(format!("written {}", written.is_ok()))
    });
    stream.shutdown().callback({
        let log = log.clone();
        move |shut| log.push(format!("shut {}", shut.is_ok()))
    });
    stream.unref();
    assert!(lp.is_alive() && !stream.has_ref());
    let reading = std::thread::spawn(move || {
        let mut all = Vec::new();
        std::io::Read::read_to_end(&mut peer, &mut all).unwrap();
        all.len()
    });
    assert!(!lp.run().unwrap());
    log.expect(["written true", "shut true"]);
    assert_eq!(reading.join().unwrap(), 4 << 20);
}

#[test]
fn jobs_of_the_pool_go_on_though_nothing_is_referenced() {
    let (mut lp, log, _guards) = real();
    let interval = set_interval(secs(60), |_| ());
    interval.unref();
    let (go, wait) = mpsc::channel::<()>();
    spawn_blocking(move || wait.recv()).callback({
        let log = log.clone();
        move |_| log.push("job")
    });
    runtime::fs::metadata(".").callback({
        let log = log.clone();
        move |found| {
            log.push(format!("fs {}", found.is_ok()));
            go.send(()).unwrap();
        }
    });
    assert!(!lp.run().unwrap());
    log.expect(["fs true", "job"]);
}
