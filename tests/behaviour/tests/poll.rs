//! `Poll` as libuv's own tests have it: descriptors that do their I/O themselves, both ways, until both
//! ends have ended; urgent data; descriptors that are loops; what is closed with an event on its way.
#![cfg(unix)]

mod loop_support;
mod tcp_support;

use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use behaviour::Deadline;
use loop_support::{note_close, real};
use runtime::handle::{Interest, Poll, Ready};
use runtime::{Loop, ms, set_timeout};
use tcp_support::std_pair;

/// What each end sends.
const BYTES: usize = 1 << 20;

/// One end of a connection, driven by readiness alone.
struct End {
    socket: RefCell<TcpStream>,
    poll: Poll,
    sends: bool,
    sent: Cell<usize>,
    received: Cell<usize>,
    /// The end of the other side was read.
    is_over: Cell<bool>,
    /// The own side was shut down.
    is_shut: Cell<bool>,
    /// Readiness that was none, which is allowed but rare.
    spurious: Cell<usize>,
    events: Cell<usize>,
}

impl End {
    fn start(socket: TcpStream, sends: bool) -> Rc<Self> {
        socket.set_nonblocking(true).unwrap();
        let end = Rc::new(Self {
            poll: Poll::new(&socket).unwrap(),
            socket: RefCell::new(socket),
            sends,
            sent: Cell::default(),
            received: Cell::default(),
            is_over: Cell::default(),
            is_shut: Cell::default(),
            spurious: Cell::default(),
            events: Cell::default(),
        });
        end.clone().watch();
        end
    }

    /// Watches for what is still to be done, or closes.
    fn watch(self: Rc<Self>) {
        let read = if self.is_over.get() { Interest::default() } else { Interest::READABLE };
        let write = if self.is_shut.get() { Interest::default() } else { Interest::WRITABLE };
        if read | write == Interest::default() {
            return self.poll.close();
        }
        let end = self.clone();
        self.poll.start(read | write, move |_, ready| {
            end.events.set(end.events.get() + 1);
            end.clone().ready(ready.unwrap());
        });
    }

    fn ready(self: Rc<Self>, ready: Ready) {
        let before = (self.is_over.get(), self.is_shut.get());
        if ready.is_readable() && !self.is_over.get() {
            self.read();
        }
        if ready.is_writable() && !self.is_shut.get() {
            self.write();
        }
        if before != (self.is_over.get(), self.is_shut.get()) {
            // In its own callback: the mask changes, or it closes.
            self.watch();
        }
    }

    fn read(&self) {
        let mut buffer = [0; 4096];
        match self.socket.borrow_mut().read(&mut buffer) {
            Ok(0) => self.is_over.set(true),
            Ok(len) => self.received.set(self.received.get() + len),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.was_spurious(),
            Err(error) => panic!("{error}"),
        }
    }

    fn write(&self) {
        let left = if self.sends { BYTES - self.sent.get() } else { 0 };
        let mut socket = self.socket.borrow_mut();
        if left == 0 {
            socket.shutdown(Shutdown::Write).unwrap();
            return self.is_shut.set(true);
        }
        match socket.write(&[7; 4096][..left.min(4096)]) {
            Ok(len) => self.sent.set(self.sent.get() + len),
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.was_spurious(),
            Err(error) => panic!("{error}"),
        }
    }

    fn was_spurious(&self) {
        self.spurious.set(self.spurious.get() + 1);
    }

    fn expect_done(&self, received: usize) {
        assert!(self.is_over.get() && self.is_shut.get());
        assert_eq!(self.sent.get(), if self.sends { BYTES } else { 0 });
        assert_eq!(self.received.get(), received);
        assert!(self.poll.is_closing() && !self.poll.is_active());
        assert!(self.spurious.get() * 10 <= self.events.get(), "{} spurious", self.spurious.get());
    }
}

#[test]
fn ten_connections_send_a_megabyte_both_ways_and_end() {
    let (mut lp, _log, _guards) = real();
    let ends: Vec<_> = (0..10).map(|_| std_pair()).collect();
    let ends: Vec<_> = ends
        .into_iter()
        .map(|(one, other)| (End::start(one, true), End::start(other, true)))
        .collect();
    assert!(!lp.run().unwrap());
    for (one, other) in ends {
        one.expect_done(BYTES);
        other.expect_done(BYTES);
    }
}

#[test]
fn ten_connections_send_a_megabyte_one_way_and_end() {
    let (mut lp, _log, _guards) = real();
    let ends: Vec<_> = (0..10).map(|_| std_pair()).collect();
    let ends: Vec<_> = ends
        .into_iter()
        .map(|(one, other)| (End::start(one, true), End::start(other, false)))
        .collect();
    assert!(!lp.run().unwrap());
    for (one, other) in ends {
        one.expect_done(0);
        other.expect_done(BYTES);
    }
}

#[test]
fn closed_with_an_event_on_its_way_it_is_not_called_back() {
    let (mut lp, log, _guards) = real();
    let mut ends = Vec::new();
    for number in 0..10 {
        let (one, mut other) = UnixStream::pair().unwrap();
        let poll = Poll::new(&one).unwrap();
        poll.start(Interest::READABLE | Interest::WRITABLE, |_, _| panic!("it was closed"));
        other.write_all(b"x").unwrap();
        poll.close();
        poll.closed().callback(note_close(&log, format!("{number} closed")));
        ends.push((one, other));
    }
    assert!(!lp.run().unwrap());
    // The last one that was closed is the first.
    let closed: Vec<_> = (0..10).rev().map(|number| format!("{number} closed")).collect();
    assert_eq!(log.take(), closed);
}

#[test]
fn a_hang_up_after_the_close_is_not_told_to_who_has_the_number_next() {
    let (mut lp, log, _guards) = real();
    let (one, other) = UnixStream::pair().unwrap();
    let poll = Poll::new(&one).unwrap();
    poll.start(Interest::READABLE, |_, _| panic!("it was closed"));
    lp.run_nowait().unwrap();
    // The open file lives on by `one`: only a handle that took its own out hears nothing of it.
    poll.close();
    let (next, _peer) = UnixStream::pair().unwrap();
    let next = Poll::new(&next).unwrap();
    next.start(Interest::READABLE, |_, _| panic!("nothing happened to this one"));
    drop(other);
    lp.run_nowait().unwrap();
    lp.run_nowait().unwrap();
    next.close();
    next.closed().callback(note_close(&log, "closed"));
    lp.run().unwrap();
    log.expect(["closed"]);
    drop(one);
}

#[test]
fn a_hang_up_is_told_once_an_iteration_until_it_is_met() {
    let (mut lp, log, _guards) = real();
    let (one, other) = UnixStream::pair().unwrap();
    let poll = Poll::new(&one).unwrap();
    poll.start(Interest::READABLE, {
        let log = log.clone();
        move |_, ready| log.push(ready.unwrap().is_disconnect())
    });
    drop(other);
    lp.run_nowait().unwrap();
    log.expect(["true"]);
    lp.run_nowait().unwrap();
    log.expect(["true"]);
    poll.stop();
    assert!(!lp.run().unwrap());
    log.expect([]);
}

#[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
mod on_linux {
    use super::*;
    use rustix::event::epoll;
    use socket2::SockRef;

    #[test]
    fn urgent_data_is_a_priority() {
        let (mut lp, log, _guards) = real();
        let (ours, peer) = std_pair();
        let poll = Poll::new(&ours).unwrap();
        poll.start(Interest::READABLE | Interest::PRIORITY, {
            let log = log.clone();
            move |poll, ready| {
                let ready = ready.unwrap();
                if ready.is_priority() {
                    let mut urgent = [std::mem::MaybeUninit::uninit()];
                    let len = SockRef::from(&ours).recv_out_of_band(&mut urgent).unwrap();
                    log.push(format!("{len} urgent"));
                }
                if ready.is_readable() {
                    let mut buffer = [0; 16];
                    let len = (&ours).read(&mut buffer).unwrap();
                    log.push(String::from_utf8_lossy(&buffer[..len]));
                    poll.close();
                }
            }
        });
        // Urgent data overtakes nothing; what comes before it in the stream is read first.
        SockRef::from(&peer).send_out_of_band(b"!").unwrap();
        set_timeout(ms(1), move || (&peer).write_all(b"usual").unwrap());
        lp.run().unwrap();
        log.expect(["1 urgent", "usual"]);
    }

    #[test]
    fn a_task_may_wait_for_urgent_data() {
        let _guard = Deadline::secs(20);
        let mut lp = Loop::new().unwrap();
        lp.block_on(async {
            let (ours, peer) = std_pair();
            let poll = Poll::new(&ours).unwrap();
            SockRef::from(&peer).send_out_of_band(b"!").unwrap();
            assert!(poll.ready(Interest::PRIORITY).await.unwrap().is_priority());
        });
    }

    #[test]
    fn an_epoll_descriptor_is_polled_like_any_other() {
        let (mut lp, log, _guards) = real();
        let (mut one, mut other) = UnixStream::pair().unwrap();
        let inner = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let data = epoll::EventData::new_u64(7);
        epoll::add(&inner, &one, data, epoll::EventFlags::IN).unwrap();
        Poll::new(&inner).unwrap().start(Interest::READABLE, {
            let log = log.clone();
            move |poll, ready| {
                log.push(ready.unwrap().is_readable());
                one.read_exact(&mut [0]).unwrap();
                poll.close();
            }
        });
        lp.run_nowait().unwrap();
        log.expect([]);
        other.write_all(b"x").unwrap();
        lp.run().unwrap();
        log.expect(["true"]);
    }

    #[test]
    fn an_inotify_descriptor_is_polled_like_any_other() {
        use rustix::fs::inotify;
        let (mut lp, log, _guards) = real();
        let folder = std::env::temp_dir().join(format!("behaviour-poll-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let watcher = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&watcher, &folder, inotify::WatchFlags::CREATE).unwrap();
        Poll::new(&watcher).unwrap().start(Interest::READABLE, {
            let log = log.clone();
            move |poll, ready| {
                log.push(ready.unwrap().is_readable());
                poll.close();
            }
        });
        lp.run_nowait().unwrap();
        log.expect([]);
        std::fs::write(folder.join("new"), "").unwrap();
        lp.run().unwrap();
        log.expect(["true"]);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

#[cfg(any(not(target_os = "linux"), polling_test_poll_backend))]
#[test]
fn what_the_system_can_not_watch_for_is_unsupported() {
    for interest in [Interest::PRIORITY, Interest::DISCONNECT] {
        let (mut lp, log, _guards) = real();
        let (one, _other) = UnixStream::pair().unwrap();
        let poll = Poll::new(&one).unwrap();
        poll.start(interest, {
            let log = log.clone();
            move |_, ready| log.push(ready.unwrap_err().kind() == ErrorKind::Unsupported)
        });
        assert!(!lp.run().unwrap());
        log.expect(["true"]);
        assert!(!poll.is_active());
    }
}
