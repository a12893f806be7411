//! `Signal`, and what is made of it: `once`, `ctrl_c`, `signals`.
//!
//! Signals are the whole process's, and tests are its threads: they run one at a time.
#![cfg(unix)]

mod loop_support;

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;

use behaviour::EventLog;
use futures_lite::{StreamExt, future};
use loop_support::{note_close, real};
use runtime::handle::{Interest, Kind, Poll, Signal};
use runtime::net::{TcpListener, TcpStream};
use runtime::process::Command;
use runtime::signal::{
    SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH,
    ctrl_c, once, signals, terminate,
};
use runtime::time::sleep;
use runtime::{
    Cancelled, Closed, Entered, Loop, LoopGone, clear_timeout, ms, next_tick, queue_microtask,
    secs, set_timeout, spawn, spawn_blocking,
};

/// One test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // A shell lets programs in its background ignore these.
    for signum in [SIGINT, SIGQUIT] {
        set_action(signum, libc::SIG_DFL);
    }
    alone
}

/// The lock first, so that it is let go last: dropping the loop gives signals back.
fn start() -> (MutexGuard<'static, ()>, Loop, EventLog, (Entered, behaviour::Deadline)) {
    let alone = alone();
    let (lp, log, guards) = real();
    (alone, lp, log, guards)
}

/// One iteration, of a loop that a watcher alone does not keep alive.
fn try_turn(lp: &mut Loop) -> std::io::Result<bool> {
    let keep_alive = set_timeout(secs(3600), || ());
    let ran = lp.run_nowait();
    clear_timeout(keep_alive);
    ran
}

fn turn(lp: &mut Loop) {
    try_turn(lp).unwrap();
}

/// Sends a signal to this thread: its handler has run when this returns.
#[allow(unsafe_code)]
fn raise(signum: i32) {
    // SAFETY: a call with a number; the signal is watched, or was meant to be.
    assert_eq!(unsafe { libc::raise(signum) }, 0);
}

/// The action of a signal: 0 is the default, 1 to ignore it, else a function.
#[allow(unsafe_code)]
fn action(signum: i32) -> usize {
    // SAFETY: a struct of integers; null asks and changes nothing.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        assert_eq!(libc::sigaction(signum, std::ptr::null(), &mut now), 0);
        now.sa_sigaction
    }
}

/// Sets the action of a signal; gives the former one.
#[allow(unsafe_code)]
fn set_action(signum: i32, action: usize) -> usize {
    // SAFETY: the action is `SIG_DFL`, `SIG_IGN` or a function that does what a handler may.
    unsafe { libc::signal(signum, action) }
}

/// Notes `name` and the number.
fn note(log: &EventLog, name: &'static str) -> impl FnMut(&Signal, i32) + 'static {
    let log = log.clone();
    move |_, signum| log.push(format!("{name} {signum}"))
}

/// A started watcher that notes.
fn watch(log: &EventLog, name: &'static str, signum: i32) -> Signal {
    let signal = Signal::new();
    signal.start(signum, note(log, name)).unwrap();
    signal
}

fn watch_once(log: &EventLog, name: &'static str, signum: i32) -> Signal {
    let signal = Signal::new();
    signal.start_once(signum, note(log, name)).unwrap();
    signal
}

/// As `note` writes it.
fn told(name: &str, signum: i32) -> String {
    format!("{name} {signum}")
}

#[track_caller]
fn expect(log: &EventLog, events: &[(&str, i32)]) {
    let events: Vec<_> = events.iter().map(|(name, signum)| told(name, *signum)).collect();
    assert_eq!(log.take(), events);
}

#[test]
fn a_watcher_is_told_each_signal_until_it_is_stopped() {
    let (_alone, mut lp, log, _guards) = start();
    let signal = watch(&log, "a", SIGUSR1);
    assert_eq!((signal.signum(), signal.is_active()), (Some(SIGUSR1), true));
    assert_eq!(signal.kind(), Kind::Signal);
    raise(SIGUSR1);
    log.expect([]);
    turn(&mut lp);
    expect(&log, &[("a", SIGUSR1)]);
    turn(&mut lp);
    log.expect([]);
    raise(SIGUSR1);
    signal.stop();
    assert_eq!((signal.signum(), signal.is_active()), (None, false));
    turn(&mut lp);
    log.expect([]);
    signal.stop();
}

#[test]
fn number_and_order_are_kept() {
    let (_alone, mut lp, log, _guards) = start();
    let _watchers = [watch(&log, "a", SIGUSR1), watch(&log, "b", SIGUSR2)];
    for signum in [SIGUSR2, SIGUSR1, SIGUSR1, SIGUSR2] {
        raise(signum);
    }
    turn(&mut lp);
    expect(&log, &[("b", SIGUSR2), ("a", SIGUSR1), ("a", SIGUSR1), ("b", SIGUSR2)]);
}

#[test]
fn a_watcher_for_one_signal_stops_before_its_callback() {
    let (_alone, mut lp, log, _guards) = start();
    let signal = Signal::new();
    signal
        .start_once(SIGUSR1, {
            let log = log.clone();
            move |signal, signum| log.push(format!("{signum} {:?}", signal.signum()))
        })
        .unwrap();
    raise(SIGUSR1);
    raise(SIGUSR1);
    turn(&mut lp);
    log.expect([&format!("{SIGUSR1} None")]);
    assert_eq!((signal.is_active(), action(SIGUSR1)), (false, libc::SIG_DFL));
}

#[test]
fn those_that_stay_are_told_before_those_for_one_signal() {
    let (_alone, mut lp, log, _guards) = start();
    let _watchers = [
        watch_once(&log, "once 1", SIGUSR1),
        watch(&log, "stays 1", SIGUSR1),
        watch_once(&log, "once 2", SIGUSR1),
        watch(&log, "stays 2", SIGUSR1),
        watch(&log, "other", SIGUSR2),
    ];
    raise(SIGUSR1);
    turn(&mut lp);
    expect(&log, &["stays 1", "stays 2", "once 1", "once 2"].map(|name| (name, SIGUSR1)));
    raise(SIGUSR1);
    turn(&mut lp);
    expect(&log, &["stays 1", "stays 2"].map(|name| (name, SIGUSR1)));
}

#[test]
fn a_callback_may_start_its_one_signal_handle_anew() {
    let (_alone, mut lp, log, _guards) = start();
    let signal = Signal::new();
    let noted = log.clone();
    signal
        .start_once(SIGUSR1, move |signal, _| {
            noted.push("first");
            signal.start_once(SIGUSR1, note(&noted, "second")).unwrap();
        })
        .unwrap();
    for expected in [Some("first".to_owned()), Some(told("second", SIGUSR1)), None] {
        if expected.is_some() {
            raise(SIGUSR1);
        }
        turn(&mut lp);
        assert_eq!(log.take(), Vec::from_iter(expected));
    }
}

#[test]
fn started_anew_for_the_same_signal_it_has_another_callback_and_loses_nothing() {
    let (_alone, mut lp, log, _guards) = start();
    let signal = watch(&log, "old", SIGUSR1);
    raise(SIGUSR1);
    signal.start(SIGUSR1, note(&log, "new")).unwrap();
    turn(&mut lp);
    expect(&log, &[("new", SIGUSR1)]);
    raise(SIGUSR1);
    raise(SIGUSR1);
    signal.start_once(SIGUSR1, note(&log, "once")).unwrap();
    turn(&mut lp);
    expect(&log, &[("once", SIGUSR1)]);
    assert_eq!(action(SIGUSR1), libc::SIG_DFL);
}

#[test]
fn started_anew_for_another_signal_it_gives_the_first_back() {
    let (_alone, mut lp, log, _guards) = start();
    let signal = watch(&log, "old", SIGUSR1);
    raise(SIGUSR1);
    signal.start(SIGUSR2, note(&log, "new")).unwrap();
    assert_eq!((signal.signum(), action(SIGUSR1)), (Some(SIGUSR2), libc::SIG_DFL));
    raise(SIGUSR2);
    turn(&mut lp);
    expect(&log, &[("new", SIGUSR2)]);
}

#[test]
fn what_came_before_the_start_is_not_told() {
    let (_alone, mut lp, log, _guards) = start();
    let first = watch(&log, "first", SIGUSR1);
    raise(SIGUSR1);
    let _second = watch(&log, "second", SIGUSR1);
    first.stop();
    first.start(SIGUSR1, note(&log, "again")).unwrap();
    turn(&mut lp);
    log.expect([]);
    raise(SIGUSR1);
    turn(&mut lp);
    expect(&log, &[("second", SIGUSR1), ("again", SIGUSR1)]);
}

#[test]
fn numbers_that_cannot_be_watched_are_refused_by_name() {
    let (_alone, _lp, _log, _guards) = start();
    let signal = Signal::new();
    for signum in [0, -1, 65, 129, i32::MAX, i32::MIN, libc::SIGKILL, libc::SIGSTOP]
        .into_iter()
        .chain([libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL])
    {
        let error = signal.start(signum, |_, _| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{signum}");
        assert!(error.to_string().contains(&format!("signal {signum} ")), "{error}");
        assert_eq!((signal.signum(), signal.is_active()), (None, false));
        let error = future::block_on(once(signum)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{signum}");
        assert_eq!(signals(&[SIGUSR1, signum]).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(action(SIGUSR1), libc::SIG_DFL);
    }
    signal.start(SIGUSR1, |_, _| ()).unwrap();
    signal.start(0, |_, _| ()).unwrap_err();
    assert_eq!(signal.signum(), Some(SIGUSR1), "an error leaves it as it was");
}

#[test]
fn every_number_with_a_name_can_be_watched() {
    let (_alone, mut lp, log, _guards) = start();
    let all =
        [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD, SIGWINCH, SIGPIPE, SIGALRM];
    let _watchers = all.map(|signum| watch(&log, "", signum));
    all.into_iter().for_each(raise);
    turn(&mut lp);
    expect(&log, &all.map(|signum| ("", signum)));
}

extern "C" fn own_handler(_: i32) {
    OWN.fetch_add(1, SeqCst);
}

static OWN: AtomicUsize = AtomicUsize::new(0);

#[test]
fn the_last_watcher_gives_back_what_the_process_did_before() {
    let (_alone, _lp, log, _guards) = start();
    let own = own_handler as extern "C" fn(i32) as usize;
    for before in [libc::SIG_DFL, libc::SIG_IGN, own] {
        let original = set_action(SIGUSR1, before);
        let (first, second) = (watch(&log, "1", SIGUSR1), watch_once(&log, "2", SIGUSR1));
        assert_ne!(action(SIGUSR1), before);
        first.stop();
        assert_ne!(action(SIGUSR1), before);
        second.close();
        assert_eq!(action(SIGUSR1), before);
        set_action(SIGUSR1, original);
    }
}

#[test]
fn a_handler_that_is_given_back_works() {
    let (_alone, mut lp, log, _guards) = start();
    let own = own_handler as extern "C" fn(i32) as usize;
    set_action(SIGUSR1, own);
    OWN.store(0, SeqCst);
    let signal = watch_once(&log, "ours", SIGUSR1);
    raise(SIGUSR1);
    turn(&mut lp);
    expect(&log, &[("ours", SIGUSR1)]);
    assert_eq!(OWN.load(SeqCst), 0);
    raise(SIGUSR1);
    assert_eq!(OWN.load(SeqCst), 1);
    drop(signal);
    set_action(SIGUSR1, libc::SIG_DFL);
}

#[test]
fn a_handler_that_somebody_put_in_place_of_ours_stays() {
    let (_alone, _lp, log, _guards) = start();
    let own = own_handler as extern "C" fn(i32) as usize;
    let signal = watch(&log, "ours", SIGUSR1);
    set_action(SIGUSR1, own);
    signal.stop();
    assert_eq!(action(SIGUSR1), own);
    set_action(SIGUSR1, libc::SIG_DFL);
}

#[test]
fn a_loop_that_is_dropped_gives_its_signals_back() {
    let guard = alone();
    let (lp, log, guards) = real();
    let signal = watch(&log, "a", SIGUSR1);
    let request = once(SIGUSR2);
    assert_ne!((action(SIGUSR1), action(SIGUSR2)), (libc::SIG_DFL, libc::SIG_DFL));
    drop((guards, lp));
    assert_eq!((action(SIGUSR1), action(SIGUSR2)), (libc::SIG_DFL, libc::SIG_DFL));
    let error = signal.start(SIGUSR1, |_, _| ()).unwrap_err();
    assert!(LoopGone::is_in(&error), "{error}");
    let error = future::block_on(request).unwrap_err();
    assert!(LoopGone::is_in(&error), "{error}");
    drop(guard);
}

#[test]
fn an_owner_that_goes_leaves_a_started_watcher_to_the_loop() {
    let (_alone, mut lp, log, _guards) = start();
    drop(watch(&log, "a", SIGUSR1));
    raise(SIGUSR1);
    turn(&mut lp);
    expect(&log, &[("a", SIGUSR1)]);
    drop(Signal::new());
    turn(&mut lp);
    assert_eq!(lp.metrics().handles, 1);
}

#[test]
fn it_keeps_the_loop_alive_only_if_it_is_referenced() {
    let (_alone, mut lp, log, _guards) = start();
    let signal = watch(&log, "a", SIGUSR1);
    assert!(!signal.has_ref() && !lp.is_alive());
    assert!(!lp.run().unwrap());
    signal.ref_();
    assert!(lp.is_alive());
    signal.unref();
    assert!(!lp.is_alive());
    // A handle that is referenced ends a run by itself.
    signal.ref_();
    signal.start(SIGUSR1, |signal, _| signal.unref()).unwrap();
    raise(SIGUSR1);
    lp.run().unwrap();
}

#[test]
fn signals_come_last_in_a_batch() {
    let (_alone, mut lp, log, _guards) = start();
    let _signal = watch(&log, "signal", SIGUSR1);
    let (one, mut other) = UnixStream::pair().unwrap();
    let poll = Poll::new(&one).unwrap();
    let noted = log.clone();
    poll.start(Interest::READABLE, move |_, _| noted.push("poll"));
    turn(&mut lp);
    // The system reports them in this order.
    raise(SIGUSR1);
    other.write_all(b"x").unwrap();
    turn(&mut lp);
    log.expect(["poll", &told("signal", SIGUSR1)]);
}

#[test]
fn a_checkpoint_follows_each_callback() {
    let (_alone, mut lp, log, _guards) = start();
    let watchers = ["1", "2"].map(|name| {
        let (signal, log) = (Signal::new(), log.clone());
        let callback = move |_: &Signal, _| {
            log.push(name);
            queue_microtask(log.mark(format!("microtask {name}")));
            next_tick(log.mark(format!("tick {name}")));
        };
        signal.start(SIGUSR1, callback).unwrap();
        signal
    });
    raise(SIGUSR1);
    turn(&mut lp);
    log.expect(["1", "tick 1", "microtask 1", "2", "tick 2", "microtask 2"]);
    drop(watchers);
}

#[test]
fn an_error_loses_none_of_what_is_behind_it() {
    let (_alone, mut lp, log, _guards) = start();
    let failing = Signal::new();
    failing.start(SIGUSR1, |_, _| -> runtime::Result { Err("thrown".into()) }).unwrap();
    let _watchers = [watch(&log, "a", SIGUSR1), watch(&log, "b", SIGUSR2)];
    raise(SIGUSR1);
    raise(SIGUSR2);
    assert_eq!(try_turn(&mut lp).unwrap_err().to_string(), "thrown");
    log.expect([]);
    turn(&mut lp);
    expect(&log, &[("a", SIGUSR1), ("b", SIGUSR2)]);
}

#[test]
fn a_callback_may_stop_close_or_restart_any_watcher() {
    let (_alone, mut lp, log, _guards) = start();
    let others: Rc<RefCell<Vec<Signal>>> = Rc::default();
    let first = Signal::new();
    let (noted, handles) = (log.clone(), others.clone());
    let callback = move |signal: &Signal, _| {
        noted.push("first");
        signal.close();
        handles.borrow()[0].stop();
        handles.borrow()[1].close();
        handles.borrow()[2].stop();
        handles.borrow()[2].start(SIGUSR1, note(&noted, "restarted")).unwrap();
    };
    first.start(SIGUSR1, callback).unwrap();
    first.closed().callback(note_close(&log, "closed"));
    others.borrow_mut().extend(["stopped", "closed", "old"].map(|n| watch(&log, n, SIGUSR1)));
    let _last = watch(&log, "last", SIGUSR1);
    raise(SIGUSR1);
    turn(&mut lp);
    log.expect(["first", &told("last", SIGUSR1), "closed"]);
    raise(SIGUSR1);
    turn(&mut lp);
    expect(&log, &[("last", SIGUSR1), ("restarted", SIGUSR1)]);
}

#[test]
fn closing_waits_for_no_signal_that_was_caught() {
    let (_alone, mut lp, log, _guards) = start();
    let signal = watch(&log, "a", SIGUSR1);
    for _ in 0..3 {
        raise(SIGUSR1);
    }
    signal.close();
    assert_eq!(action(SIGUSR1), libc::SIG_DFL);
    signal.closed().callback(note_close(&log, "closed"));
    turn(&mut lp);
    log.expect(["closed"]);
    assert!(Closed::is_in(&signal.start(SIGUSR1, |_, _| ()).unwrap_err()));
}

#[test]
fn a_storm_is_told_as_far_as_there_is_room_and_the_kind_behind_it_is_not_lost() {
    let (_alone, mut lp, _log, _guards) = start();
    let (count, others) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (counted, other) = (count.clone(), others.clone());
    let (storm, after) = (Signal::new(), Signal::new());
    storm.start(SIGUSR1, move |_, _| counted.set(counted.get() + 1)).unwrap();
    after.start(SIGUSR2, move |_, _| other.set(other.get() + 1)).unwrap();
    for _ in 0..100_000 {
        raise(SIGUSR1);
    }
    for _ in 0..10 {
        raise(SIGUSR2);
    }
    while others.get() == 0 {
        assert!(count.get() < 100_000);
        turn(&mut lp);
    }
    // What the pipe had room for, and one more for all the others.
    assert!((512..100_000).contains(&count.get()), "{}", count.get());
    assert_eq!(others.get(), 1);
    let before = count.get();
    turn(&mut lp);
    raise(SIGUSR1);
    raise(SIGUSR2);
    turn(&mut lp);
    assert_eq!((count.get() - before, others.get()), (1, 2), "it is as new");
}

#[test]
fn a_storm_from_many_threads_ends_with_a_callback_after_the_last_signal() {
    let (_alone, mut lp, _log, _guards) = start();
    const THREADS: usize = 4;
    let sent = Arc::new(AtomicUsize::new(0));
    // The count of signals that were sent when the callback ran last.
    let seen = Rc::new(Cell::new(0));
    let (signal, so_far, noted) = (Signal::new(), sent.clone(), seen.clone());
    signal.start(SIGUSR1, move |_, _| noted.set(so_far.load(SeqCst))).unwrap();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let sent = sent.clone();
            thread::spawn(move || {
                for _ in 0..25_000 {
                    sent.fetch_add(1, SeqCst);
                    raise(SIGUSR1);
                }
            })
        })
        .collect();
    signal.ref_();
    while seen.get() < THREADS * 25_000 {
        lp.run_once().unwrap();
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Sends a signal to this thread, and to the process, until it is dropped. Its handler does not ask
/// that what it interrupts be gone on with: most calls that wait fail with `EINTR`.
struct Interruptions {
    signum: i32,
    former: usize,
    is_over: Arc<AtomicBool>,
    sender: Option<thread::JoinHandle<()>>,
}

static INTERRUPTED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn interrupted(_: i32) {
    INTERRUPTED.fetch_add(1, SeqCst);
}

impl Interruptions {
    #[allow(unsafe_code)]
    fn by(signum: i32) -> Self {
        let former = action(signum);
        // SAFETY: a struct of integers without flags; the handler does what one may. This thread lives
        // until the sender was joined.
        let this_thread = unsafe {
            let mut new: libc::sigaction = std::mem::zeroed();
            new.sa_sigaction = interrupted as *const () as usize;
            assert_eq!(libc::sigaction(signum, &new, std::ptr::null_mut()), 0);
            libc::pthread_self() as usize
        };
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let sender = thread::spawn(move || {
            while !over.load(SeqCst) {
                // SAFETY: a thread that lives, and this process.
                unsafe {
                    libc::pthread_kill(this_thread as libc::pthread_t, signum);
                    libc::kill(libc::getpid(), signum);
                }
                thread::yield_now();
            }
        });
        Self { signum, former, is_over, sender: Some(sender) }
    }
}

impl Drop for Interruptions {
    fn drop(&mut self) {
        self.is_over.store(true, SeqCst);
        drop(self.sender.take().map(thread::JoinHandle::join));
        set_action(self.signum, self.former);
    }
}

#[test]
fn signals_that_interrupt_what_waits_are_errors_of_nothing() {
    let (_alone, mut lp, _log, _guards) = start();
    let before = INTERRUPTED.load(SeqCst);
    let interruptions = Interruptions::by(SIGUSR2);
    lp.block_on(async {
        // Waiting for timers, sockets, children and the pool.
        for _ in 0..20 {
            sleep(ms(1)).await;
        }
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = server.accept().await.unwrap();
        let writing = spawn(async move { client.write(vec![7; 4 << 20]).await });
        let (mut total, mut buffer) = (0, vec![0; 64 * 1024]);
        while let read @ 1.. = accepted.read(&mut buffer).await.unwrap() {
            total += read;
        }
        assert_eq!(total, 4 << 20);
        writing.await.unwrap().unwrap();
        let mut command = Command::new("sh");
        let output = command.args(["-c", "head -c 1000000 /dev/zero; exit 3"]).output();
        let output = output.await.unwrap();
        assert_eq!((output.stdout.len(), output.status.code()), (1_000_000, Some(3)));
        let path = std::env::temp_dir().join(format!("runtime-eintr-{}", std::process::id()));
        runtime::fs::write(&path, vec![b'x'; 1 << 20]).await.unwrap();
        assert_eq!(runtime::fs::read(&path).await.unwrap().len(), 1 << 20);
        std::fs::remove_file(&path).unwrap();
        let job = spawn_blocking(|| std::thread::sleep(ms(5)));
        job.await.unwrap();
    });
    drop(interruptions);
    assert_ne!(INTERRUPTED.load(SeqCst), before);
}

#[test]
fn signals_do_not_cut_off_a_file_that_is_sent() {
    const LENGTH: u64 = 4 << 20;
    let (_alone, mut lp, _log, _guards) = start();
    let path = std::env::temp_dir().join(format!("runtime-eintr-send-{}", std::process::id()));
    std::fs::write(&path, vec![b'x'; LENGTH as usize]).unwrap();
    let interruptions = Interruptions::by(SIGUSR2);
    lp.block_on(async {
        let file = runtime::fs::File::open(&path).await.unwrap();
        for _ in 0..20 {
            let (socket, peer) = TcpStream::pair().unwrap();
            let sending = socket.send_file(&file, 0..LENGTH);
            let (mut total, mut buffer) = (0, vec![0; 64 * 1024]);
            while total < LENGTH {
                let read = peer.read(&mut buffer).await.unwrap();
                assert_ne!(read, 0, "cut off after {total} bytes");
                total += read as u64;
            }
            sending.await.unwrap();
        }
    });
    drop(interruptions);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_watcher_of_sigchld_and_who_waits_for_the_child_are_both_told() {
    let (_alone, mut lp, log, _guards) = start();
    let noted = log.clone();
    let signal = Signal::new();
    signal
        .start(SIGCHLD, move |signal, _| {
            noted.push("signal");
            signal.close();
        })
        .unwrap();
    signal.ref_();
    let noted = log.clone();
    Command::new("sh").args(["-c", "exit 3"]).status().callback(move |status| {
        noted.push(status.unwrap().code().unwrap());
    });
    assert!(!lp.run().unwrap());
    let mut told = log.take();
    told.sort();
    assert_eq!(told, ["3", "signal"]);
}

#[test]
fn loops_on_several_threads_are_all_told() {
    let _guard = alone();
    let _deadline = behaviour::Deadline::secs(20);
    const LOOPS: usize = 6;
    let (started, ended) = (Arc::new(Barrier::new(LOOPS + 1)), Arc::new(Barrier::new(LOOPS + 1)));
    let loops: Vec<_> = (0..LOOPS)
        .map(|n| {
            let (started, ended) = (started.clone(), ended.clone());
            thread::spawn(move || {
                let mut lp = Loop::new().unwrap();
                let _here = lp.enter();
                // All watch one signal, each second one another besides.
                let told = Rc::new(RefCell::new(Vec::new()));
                let count = 1 + n % 2;
                for signum in &[SIGUSR1, SIGUSR2][..count] {
                    let (signal, told) = (Signal::new(), told.clone());
                    signal.ref_();
                    let callback = move |_: &Signal, signum| told.borrow_mut().push(signum);
                    signal.start_once(*signum, callback).unwrap();
                }
                started.wait();
                lp.run().unwrap();
                // None stops before all are told.
                ended.wait();
                assert_eq!(*told.borrow(), [SIGUSR1, SIGUSR2][..count]);
            })
        })
        .collect();
    started.wait();
    raise(SIGUSR1);
    raise(SIGUSR2);
    ended.wait();
    loops.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!((action(SIGUSR1), action(SIGUSR2)), (libc::SIG_DFL, libc::SIG_DFL));
}

#[test]
fn loops_come_and_go_under_fire() {
    let _guard = alone();
    let _deadline = behaviour::Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let keeper = Signal::new();
    keeper.start(SIGUSR1, |_, _| ()).unwrap();
    let is_over = Arc::new(AtomicUsize::new(0));
    let over = is_over.clone();
    let storm = thread::spawn(move || {
        while over.load(SeqCst) == 0 {
            raise(SIGUSR1);
        }
    });
    let others: Vec<_> = (0..3)
        .map(|_| {
            thread::spawn(|| {
                for _ in 0..100 {
                    let mut lp = Loop::new().unwrap();
                    let _here = lp.enter();
                    let signal = Signal::new();
                    signal.ref_();
                    signal.start(SIGUSR1, |signal, _| signal.close()).unwrap();
                    lp.run().unwrap();
                }
            })
        })
        .collect();
    others.into_iter().for_each(|other| other.join().unwrap());
    is_over.store(1, SeqCst);
    storm.join().unwrap();
    turn(&mut lp);
}

#[test]
#[cfg(target_os = "linux")]
fn loops_that_are_gone_leave_no_descriptor() {
    let _guard = alone();
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    for _ in 0..50 {
        let lp = Loop::new().unwrap();
        let _here = lp.enter();
        drop(signals(&[SIGUSR1]).unwrap());
    }
    assert_eq!(open(), before);
}

#[test]
fn a_request_is_done_by_the_signal_and_gives_it_back() {
    let (_alone, mut lp, log, _guards) = start();
    let noted = log.clone();
    once(SIGUSR1).callback(move |signum| -> runtime::Result {
        noted.push(format!("once {}", signum?));
        Ok(())
    });
    ctrl_c().callback(note_close(&log, "ctrl-c"));
    terminate().callback(note_close(&log, "terminate"));
    [SIGTERM, SIGINT, SIGUSR1].into_iter().for_each(raise);
    turn(&mut lp);
    log.expect(["terminate", "ctrl-c", &told("once", SIGUSR1)]);
    assert_eq!([SIGTERM, SIGINT, SIGUSR1].map(action), [libc::SIG_DFL; 3]);
}

#[test]
fn a_request_can_be_awaited_again_and_again() {
    let (_alone, mut lp, _log, _guards) = start();
    lp.block_on(async {
        for _ in 0..3 {
            let signal = once(SIGUSR1);
            raise(SIGUSR1);
            assert_eq!(signal.await.unwrap(), SIGUSR1);
            assert_eq!(action(SIGUSR1), libc::SIG_DFL);
        }
    });
}

#[test]
fn a_request_that_is_dropped_or_cancelled_gives_the_signal_back_at_once() {
    let (_alone, mut lp, log, _guards) = start();
    drop(ctrl_c());
    assert_eq!(action(SIGINT), libc::SIG_DFL);
    let request = ctrl_c();
    raise(SIGINT);
    assert!(request.cancel() && !request.cancel());
    assert_eq!(action(SIGINT), libc::SIG_DFL);
    let error = lp.block_on(request).unwrap_err();
    assert!(Cancelled::is_in(&error), "{error}");
    let request = once(SIGUSR1);
    raise(SIGUSR1);
    turn(&mut lp);
    assert!(!request.cancel(), "it is done");
    request.callback(note_close_number(&log));
    turn(&mut lp);
    log.expect([&SIGUSR1.to_string()]);
    assert_eq!(lp.metrics().handles, 0);
}

fn note_close_number(log: &EventLog) -> impl FnOnce(std::io::Result<i32>) + 'static {
    let log = log.clone();
    move |signum: std::io::Result<i32>| log.push(signum.unwrap())
}

#[test]
fn a_stream_of_signals_loses_none_while_it_is_held() {
    let (_alone, mut lp, _log, _guards) = start();
    lp.block_on(async {
        let mut all = signals(&[SIGUSR1, SIGUSR2, SIGUSR1]).unwrap();
        assert_eq!(all.try_recv(), None);
        for signum in [SIGUSR1, SIGUSR2, SIGUSR2] {
            raise(signum);
        }
        assert_eq!(all.recv().await.unwrap(), SIGUSR1);
        runtime::yield_now().await;
        assert_eq!(all.try_recv(), Some(SIGUSR2));
        raise(SIGUSR1);
        assert_eq!(all.next().await.unwrap().unwrap(), SIGUSR2);
        // A future that is dropped loses nothing.
        assert!(future::poll_once(all.recv()).await.is_none());
        runtime::yield_now().await;
        assert_eq!(all.recv().await.unwrap(), SIGUSR1);
        drop(all);
        assert_eq!((action(SIGUSR1), action(SIGUSR2)), (libc::SIG_DFL, libc::SIG_DFL));
    });
}

#[test]
fn a_stream_of_signals_ends_with_a_watcher_that_is_closed() {
    let (_alone, mut lp, log, _guards) = start();
    let noted = log.clone();
    let mut all = signals(&[SIGUSR1, SIGUSR2]).unwrap();
    spawn(async move {
        noted.push(Closed::is_in(&all.recv().await.unwrap_err()));
        noted.push(all.next().await.is_none());
    });
    turn(&mut lp);
    let mut seen = 0;
    lp.walk(|handle| {
        seen += 1;
        if seen == 2 {
            handle.close();
        }
    });
    log.expect([]);
    turn(&mut lp);
    log.expect(["true", "true"]);
    // The other was closed by the drop of both.
    turn(&mut lp);
    assert_eq!((action(SIGUSR1), lp.metrics().handles), (libc::SIG_DFL, 0));
}

#[test]
fn a_stream_of_signals_gives_what_came_and_ends_with_its_loop() {
    let (_alone, mut lp, _log, guards) = start();
    let mut all = signals(&[SIGUSR1]).unwrap();
    raise(SIGUSR1);
    turn(&mut lp);
    assert_eq!(future::block_on(all.recv()).unwrap(), SIGUSR1);
    raise(SIGUSR1);
    turn(&mut lp);
    let mut last = Box::pin(async move { (all.recv().await, all.recv().await) });
    // The second wait is ended by that of the loop.
    assert!(future::block_on(future::poll_once(last.as_mut())).is_none());
    drop((guards, lp));
    let (came, error) = future::block_on(last);
    assert_eq!(came.unwrap(), SIGUSR1);
    assert!(LoopGone::is_in(&error.unwrap_err()));
}

#[test]
fn a_stream_that_nobody_reads_keeps_1024_and_then_each_kind() {
    let (_alone, mut lp, _log, _guards) = start();
    let mut all = signals(&[SIGUSR1, SIGUSR2]).unwrap();
    for _ in 0..3000 {
        raise(SIGUSR1);
    }
    raise(SIGUSR2);
    raise(SIGUSR2);
    for _ in 0..10 {
        turn(&mut lp);
    }
    let kept: Vec<_> = std::iter::from_fn(|| all.try_recv()).collect();
    assert_eq!((kept.len(), kept.last()), (1025, Some(&SIGUSR2)));
}

#[test]
fn a_task_that_awaits_a_signal_keeps_nothing_alive() {
    let (_alone, mut lp, log, _guards) = start();
    let noted = log.clone();
    spawn(async move {
        ctrl_c().await.unwrap();
        noted.push("task");
    });
    lp.run().unwrap();
    log.expect([]);
    raise(SIGINT);
    turn(&mut lp);
    log.expect(["task"]);
}
