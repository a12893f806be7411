//! Terminals: modes and how they come back, streams, the window's size.
#![cfg(unix)]

mod tty_support;

use std::cell::Cell;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use runtime::handle::Kind;
use runtime::io::{FdKind, Tty, TtyMode, WindowSize, guess};
use runtime::{Loop, ms, queue_microtask, set_timeout};
use rustix::process::{Signal, kill_process};
use tty_support::{Pty, is_nonblocking};

fn start() -> (Loop, EventLog, Deadline) {
    (Loop::new().unwrap(), EventLog::new(), Deadline::secs(30))
}

#[test]
fn a_terminal_is_read_by_line_and_written() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let pty = Pty::new();
    let tty = Tty::open(&pty.slave).unwrap();
    assert_eq!(tty.kind(), Kind::Tty);
    let seen = log.clone();
    tty.read_start(move |tty, data| {
        seen.push(String::from_utf8_lossy(data.unwrap()));
        tty.read_stop();
    });
    tty.write("hello\n");
    assert_eq!(pty.read_until("\r\n"), "hello\r\n");
    pty.type_in("a line\n");
    assert!(!lp.run().unwrap());
    log.expect(["a line\n"]);
}

#[test]
fn the_end_is_ctrl_d() {
    let (mut lp, _, _guard) = start();
    let pty = Pty::new();
    lp.block_on(async {
        let tty = Tty::open(&pty.slave).unwrap();
        let mut buffer = [0; 64];
        pty.type_in("x\n\x04");
        assert_eq!(tty.read(&mut buffer).await.unwrap(), 2);
        assert_eq!(tty.read(&mut buffer).await.unwrap(), 0);
    });
}

#[test]
fn in_raw_mode_each_key_comes_at_once_and_nothing_is_echoed() {
    let (mut lp, _, _guard) = start();
    let pty = Pty::new();
    lp.block_on(async {
        let tty = Tty::open(&pty.slave).unwrap();
        assert!(!pty.is_raw());
        tty.set_mode(TtyMode::Raw).unwrap();
        assert!(pty.is_raw() && pty.translates_output());
        let mut buffer = [0; 64];
        for key in ["x", "\r", "\x03", "\x1b[A"] {
            pty.type_in(key);
            let read = tty.read(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..read], key.as_bytes());
        }
        tty.write("seen\n").await.unwrap();
        assert_eq!(pty.read_until("\r\n"), "seen\r\n", "an echo would stand before it");

        tty.set_mode(TtyMode::Io).unwrap();
        assert!(pty.is_raw() && !pty.translates_output());
        tty.write("bare\n").await.unwrap();
        assert_eq!(pty.read_until("\n"), "bare\n");

        tty.set_mode(TtyMode::Normal).unwrap();
        assert!(!pty.is_raw() && pty.translates_output());
    });
}

#[test]
fn the_mode_comes_back_by_close_by_drop_and_with_the_loop() {
    let (mut lp, _, _guard) = start();
    let pty = Pty::new();
    let before = format!("{:?}", pty.modes());
    let raw = |lp: &Loop| {
        let _here = lp.enter();
        let tty = Tty::open(&pty.slave).unwrap();
        tty.set_mode(TtyMode::Raw).unwrap();
        assert!(pty.is_raw());
        tty
    };
    raw(&lp).close();
    assert_eq!(format!("{:?}", pty.modes()), before, "by close");
    drop(raw(&lp));
    assert_eq!(format!("{:?}", pty.modes()), before, "by drop");
    let reads = raw(&lp);
    reads.read_start(|_, _| ());
    drop(reads);
    assert!(pty.is_raw(), "the loop holds it");
    lp.run_nowait().unwrap();
    drop(lp);
    assert_eq!(format!("{:?}", pty.modes()), before, "with the loop");
}

#[test]
fn of_several_handles_the_first_saves_and_the_last_restores() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let pty = Pty::new();
    let before = format!("{:?}", pty.modes());
    let [one, two, three] = [(); 3].map(|()| Tty::open(&pty.slave).unwrap());
    one.set_mode(TtyMode::Raw).unwrap();
    two.set_mode(TtyMode::Io).unwrap();
    one.close();
    assert!(pty.is_raw() && !pty.translates_output(), "the second still wants it");
    three.close();
    assert!(pty.is_raw(), "the third had no part in it");
    drop(two);
    assert_eq!(format!("{:?}", pty.modes()), before);

    // Whoever says normal gets the first mode, though another had changed it.
    let [one, two] = [(); 2].map(|()| Tty::open(&pty.slave).unwrap());
    one.set_mode(TtyMode::Raw).unwrap();
    two.set_mode(TtyMode::Raw).unwrap();
    two.set_mode(TtyMode::Normal).unwrap();
    assert_eq!(format!("{:?}", pty.modes()), before);
}

#[test]
fn terminals_do_not_share_their_modes() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let ptys = [Pty::new(), Pty::new()];
    // By the masters, which all have one number.
    let [one, two] = [0, 1].map(|n| Tty::open(&ptys[n].master).unwrap());
    one.set_mode(TtyMode::Raw).unwrap();
    two.set_mode(TtyMode::Raw).unwrap();
    assert!(ptys[0].is_raw() && ptys[1].is_raw());
    one.close();
    assert!(!ptys[0].is_raw() && ptys[1].is_raw());
    // Its two ends are one terminal, which has one mode.
    let slave = Tty::open(&ptys[1].slave).unwrap();
    slave.set_mode(TtyMode::Raw).unwrap();
    two.close();
    assert!(ptys[1].is_raw());
    slave.close();
    assert!(!ptys[1].is_raw());
}

#[test]
fn a_terminal_may_be_closed_in_raw_mode_from_its_own_callback() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let pty = Pty::new();
    let tty = Tty::open(&pty.slave).unwrap();
    tty.set_mode(TtyMode::Raw).unwrap();
    let seen = log.clone();
    tty.read_start(move |tty, data| {
        seen.push(data.unwrap().len());
        tty.read_stop();
        tty.read_start(|_, _| panic!("closed"));
        tty.close();
        assert_eq!(tty.set_mode(TtyMode::Raw).unwrap_err().to_string(), "the handle is closed");
        assert_eq!(tty.window_size().unwrap_err().to_string(), "the handle is closed");
    });
    tty.closed().callback({
        let log = log.clone();
        move |result| log.push(format!("{result:?}"))
    });
    pty.type_in("k");
    assert!(!lp.run().unwrap());
    assert!(!pty.is_raw());
    log.expect(["1", "Ok(())"]);
}

#[test]
fn a_read_that_waits_in_raw_mode_can_be_given_up() {
    let (mut lp, _, _guard) = start();
    let pty = Pty::new();
    lp.block_on(async {
        let tty = Tty::open(&pty.slave).unwrap();
        tty.set_mode(TtyMode::Raw).unwrap();
        let mut buffer = [0; 8];
        let waited = runtime::time::timeout(ms(1), tty.read(&mut buffer)).await;
        assert!(waited.is_err());
        tty.set_mode(TtyMode::Normal).unwrap();
        // And nothing is lost of what comes after.
        pty.type_in("y\n");
        assert_eq!(tty.read(&mut buffer).await.unwrap(), 2);
    });
    assert!(!lp.run().unwrap());
}

#[test]
fn an_empty_write_is_done() {
    let (mut lp, _, _guard) = start();
    let pty = Pty::new();
    lp.block_on(async {
        let tty = Tty::open(&pty.slave).unwrap();
        tty.write("").await.unwrap();
        tty.write_vectored(&[]).await.unwrap();
    });
}

#[test]
fn a_large_write_waits_for_its_reader_and_loses_nothing() {
    let (mut lp, _, _guard) = start();
    let pty = Pty::new();
    const LENGTH: usize = 300_000;
    let mut master = pty.master.try_clone().unwrap();
    lp.block_on(async {
        let tty = Tty::open(&pty.slave).unwrap();
        tty.set_mode(TtyMode::Io).unwrap();
        let data: Vec<u8> = (0..LENGTH).map(|n| (n % 251) as u8).collect();
        let written = tty.write(&data);
        assert!(tty.is_full(), "a terminal holds a few kilobytes");
        let reader = std::thread::spawn(move || {
            let mut seen = vec![0; LENGTH];
            master.read_exact(&mut seen).unwrap();
            seen
        });
        written.await.unwrap();
        assert!(reader.join().unwrap() == data);
    });
}

#[test]
fn what_is_no_terminal_is_refused_by_its_name() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let (reader, _writer) = std::io::pipe().unwrap();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let file = File::open("Cargo.toml").unwrap();
    let null = File::open("/dev/null").unwrap();
    let (local, _other) = UnixStream::pair().unwrap();
    let refused = |fd: &dyn AsFd, kind, name: &str| {
        assert_eq!(guess(fd.as_fd()), kind);
        let error = Tty::open(fd.as_fd()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), format!("the descriptor is {name}, not a terminal"));
    };
    refused(&reader, FdKind::Pipe, "a pipe");
    refused(&local, FdKind::Pipe, "a pipe");
    refused(&tcp, FdKind::Tcp, "a TCP socket");
    refused(&udp, FdKind::Udp, "a UDP socket");
    refused(&file, FdKind::File, "a file");
    refused(&null, FdKind::File, "a file");
    assert_eq!(guess(&Pty::new().slave), FdKind::Tty);
}

#[test]
fn the_descriptor_stays_its_owners_and_goes_on_blocking() {
    let (lp, _, _guard) = start();
    let _here = lp.enter();
    let pty = Pty::new();
    for fd in [pty.slave.as_fd(), pty.master.as_fd()] {
        let tty = Tty::open(fd).unwrap();
        assert_eq!(tty.try_read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(!is_nonblocking(fd));
        tty.close();
        assert!(!is_nonblocking(fd));
    }
}

#[test]
fn both_ends_of_a_pseudo_terminal_are_terminals() {
    let (mut lp, _, _guard) = start();
    let pty = Pty::new();
    lp.block_on(async {
        let (master, slave) = (Tty::open(&pty.master).unwrap(), Tty::open(&pty.slave).unwrap());
        let mut buffer = [0; 64];
        slave.write("out\n").await.unwrap();
        assert_eq!(master.read(&mut buffer).await.unwrap(), 5);
        master.write("in\n").await.unwrap();
        assert_eq!(slave.read(&mut buffer).await.unwrap(), 3);
        // More than is asked about at a time.
        slave.set_mode(TtyMode::Io).unwrap();
        let keys = "k".repeat(2000);
        master.write(&keys).await.unwrap();
        let mut seen = 0;
        while seen < keys.len() {
            seen += slave.read(&mut buffer).await.unwrap();
        }
        // The slave is still open: so it is no hang-up, and the master can be closed while it waits.
        let wait = runtime::spawn({
            let master = master.clone();
            async move { master.read(&mut [0; 8]).await }
        });
        runtime::yield_now().await;
        master.close();
        assert!(wait.await.unwrap().is_err());
    });
}

#[test]
fn a_hang_up_ends_the_reading() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let Pty { master, slave } = Pty::new();
    let tty = Tty::open(&slave).unwrap();
    let seen = log.clone();
    tty.read_start(move |_, data| seen.push(data.map_or(true, |data| data.is_empty())));
    drop(master);
    assert!(!lp.run().unwrap());
    log.expect(["true"]);
}

// --- the window ---

fn size(columns: u16, rows: u16) -> WindowSize {
    WindowSize { columns, rows }
}

/// As the system does, for the terminal that controls a process.
fn tell_of_resize() {
    kill_process(rustix::process::getpid(), Signal::WINCH).unwrap();
}

#[test]
fn a_resize_calls_back_once_for_each_other_size() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let pty = Rc::new(Pty::new());
    let tty = Tty::open(&pty.slave).unwrap();
    assert_eq!(tty.window_size().unwrap(), size(80, 24));
    let steps = Rc::new(Cell::new(0));
    let seen = log.clone();
    let resize = {
        let (pty, steps) = (pty.clone(), steps.clone());
        move |columns, rows| {
            steps.set(steps.get() + 1);
            pty.resize(columns, rows);
            tell_of_resize();
        }
    };
    let again = resize.clone();
    tty.on_resize(move |tty, WindowSize { columns, rows }| {
        seen.push(format!("{columns}x{rows}"));
        let log = seen.clone();
        queue_microtask(move || log.push("microtask"));
        match steps.get() {
            1 => again(100, 40),
            _ => tty.close(),
        }
    })
    .unwrap();
    // The same size: nothing to tell.
    tell_of_resize();
    resize(90, 30);
    let alive = set_timeout(ms(20_000), || panic!("nothing came"));
    tty.closed().callback(move |_| alive.clear());
    assert!(!lp.run().unwrap());
    log.expect(["90x30", "microtask", "100x40", "microtask"]);
}

#[test]
fn a_resize_keeps_nothing_alive_and_a_stopped_one_calls_no_more() {
    let (mut lp, _, _guard) = start();
    let _here = lp.enter();
    let pty = Pty::new();
    let tty = Tty::open(&pty.slave).unwrap();
    tty.on_resize(|_, _| panic!("replaced")).unwrap();
    tty.on_resize(|_, _| panic!("stopped")).unwrap();
    assert!(!lp.run().unwrap(), "nothing is alive");
    tty.resize_stop();
    pty.resize(1, 1);
    tell_of_resize();
    set_timeout(ms(5), || ());
    assert!(!lp.run().unwrap());
    tty.close();
    assert!(tty.on_resize(|_, _| ()).is_err());
    tty.resize_stop();
}

#[test]
fn a_resize_callback_may_be_replaced_by_itself() {
    let (mut lp, log, _guard) = start();
    let _here = lp.enter();
    let pty = Rc::new(Pty::new());
    let tty = Tty::open(&pty.slave).unwrap();
    let (first, second) = (log.clone(), log.clone());
    let resized = pty.clone();
    tty.on_resize(move |tty, _| {
        first.push("first");
        let second = second.clone();
        tty.on_resize(move |tty, size| {
            second.push(format!("second, {} columns", size.columns));
            tty.close();
        })
        .unwrap();
        resized.resize(3, 3);
        tell_of_resize();
    })
    .unwrap();
    pty.resize(2, 2);
    tell_of_resize();
    let alive = set_timeout(ms(20_000), || panic!("nothing came"));
    tty.closed().callback(move |_| alive.clear());
    assert!(!lp.run().unwrap());
    log.expect(["first", "second, 3 columns"]);
}

#[test]
fn resized_tells_each_change_and_misses_none_between_two_calls() {
    let (mut lp, _, _guard) = start();
    let pty = Pty::new();
    lp.block_on(async {
        let tty = Tty::open(&pty.slave).unwrap();
        pty.resize(81, 25);
        assert_eq!(tty.resized().await.unwrap(), size(81, 25), "since it was opened");
        let given_up = runtime::time::timeout(ms(1), tty.resized()).await;
        assert!(given_up.is_err());
        set_timeout(ms(1), move || {
            pty.resize(82, 26);
            tell_of_resize();
            // It must live until that is read.
            set_timeout(ms(20_000), move || drop(pty)).unref();
        });
        assert_eq!(tty.resized().await.unwrap(), size(82, 26));
        // Two wait, and the terminal is closed.
        let waiting = [tty.clone(), tty.clone()]
            .map(|tty| runtime::spawn(async move { tty.resized().await }));
        runtime::yield_now().await;
        tty.close();
        for wait in waiting {
            assert!(wait.await.unwrap().is_err());
        }
    });
    assert!(!lp.run().unwrap());
}

// --- programs that have a terminal ---

fn run(way: &str, pty: &Pty) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tty_program"));
    pty.control(command.arg(way));
    command.spawn().unwrap()
}

#[test]
fn the_mode_comes_back_by_every_end_of_a_program() {
    let _guard = Deadline::secs(60);
    for (way, code) in [
        ("end", Some(0)),
        ("exit", Some(3)),
        ("process_exit", Some(4)),
        ("error", Some(1)),
        ("panic", Some(101)),
        ("callback_panic", Some(101)),
        ("exit_while_panicking", Some(5)),
        ("two_names", Some(0)),
        ("leaked", Some(0)),
        ("handler", None),
    ] {
        let pty = Pty::new();
        let before = format!("{:?}", pty.modes());
        let mut child = run(way, &pty);
        pty.read_until("raw\r\n");
        assert!(pty.is_raw(), "{way}");
        pty.type_in("k");
        let status = child.wait().unwrap();
        assert_eq!(status.code(), code, "{way}");
        assert_eq!(format!("{:?}", pty.modes()), before, "{way}");
        assert!(!is_nonblocking(&pty.slave), "{way}");
    }
}

#[test]
fn reset_terminal_restores_what_is_open_and_is_no_end_of_it() {
    let _guard = Deadline::secs(30);
    let pty = Pty::new();
    let mut child = run("reset", &pty);
    pty.read_until("raw\r\n");
    pty.type_in("k");
    pty.read_until("reset\r\n");
    assert!(!pty.is_raw());
    pty.type_in("a line\n");
    pty.read_until("raw\r\n");
    assert!(pty.is_raw());
    pty.type_in("k");
    assert!(child.wait().unwrap().success());
    assert!(!pty.is_raw());
}

#[test]
fn a_program_is_told_of_its_terminals_resize() {
    let _guard = Deadline::secs(30);
    let pty = Pty::new();
    let mut child = run("resize", &pty);
    pty.read_until("80x24\r\n");
    pty.resize(132, 43);
    pty.read_until("132x43\r\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn ctrl_c_is_a_key_in_raw_mode_and_a_signal_in_normal_mode() {
    let _guard = Deadline::secs(30);
    let pty = Pty::new();
    let mut child = run("echo_key", &pty);
    pty.read_until("raw\r\n");
    pty.type_in("\x03");
    pty.read_until("[3]\r\n");
    pty.read_until("normal\r\n");
    pty.type_in("\x03");
    assert!(!child.wait().unwrap().success());
}
