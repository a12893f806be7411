//! The system's poller: that of `polling`, and on Linux registration and wait of our own.
//!
//! `polling::Poller::wait` makes five system calls each time (it arms a timer, re-arms its
//! notification twice and reads it). On Linux we wait on its epoll descriptor ourselves, with the
//! deadline given to the kernel, and wake by an eventfd of our own that is edge-triggered and never
//! read: each write is a new edge. That is one call an iteration. Elsewhere `Poller::wait` serves.
//!
//! Level mode everywhere: one meaning on epoll, kqueue, poll and IOCP, and a short read may be
//! taken for "drained for now", since what is left is reported again.

#![allow(unsafe_code)] // registration: the poller must not outlive a source, see `Watched`

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{Interest, Ready, Wakeup};
use crate::base::Guarded;

pub(super) use backend::Signal;

/// Slots of one wait, as libuv.
const EVENTS_PER_WAIT: usize = 1024;

/// What can be registered: a file descriptor, on Windows a socket.
pub(crate) use polling::AsSource as Source;

/// One loop's poller and its batch of events. The batch lives here and not on the stack, so that
/// a callback's panic does not lose the events behind it.
pub(crate) struct Poller {
    polling: Arc<polling::Poller>,
    backend: backend::Backend,
    batch: Guarded<backend::Batch>,
    /// The batch has events that were not taken.
    has_events: Cell<bool>,
    wakeup: Arc<Wakeup>,
}

impl std::fmt::Debug for Poller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poller").field("wakeup", &self.wakeup).finish_non_exhaustive()
    }
}

impl Poller {
    pub(crate) fn new() -> io::Result<Rc<Self>> {
        let polling = Arc::new(polling::Poller::new()?);
        let (backend, signal) = backend::Backend::new(&polling)?;
        Ok(Rc::new(Self {
            polling,
            backend,
            batch: Guarded::new(backend::Batch::new(EVENTS_PER_WAIT)),
            has_events: Cell::new(false),
            wakeup: Arc::new(Wakeup::new(signal)),
        }))
    }

    pub(crate) fn wakeup(&self) -> &Arc<Wakeup> {
        &self.wakeup
    }

    /// Waits at most `timeout` (`None`: for ever) and replaces the batch by what came. That has no events
    /// if a wake-up, a signal handler or the timeout ended the wait.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> io::Result<()> {
        let waited = self.batch.with(|batch| self.backend.wait(&self.polling, batch, timeout));
        self.has_come(waited)
    }

    /// Replaces the batch by what is there already. Apart from [`wait`](Self::wait), for the compiler then
    /// knows the timeout, and makes nothing of it.
    #[inline]
    pub(crate) fn look(&self) -> io::Result<()> {
        let now = Some(Duration::ZERO);
        let waited = self.batch.with(|batch| self.backend.wait(&self.polling, batch, now));
        self.has_come(waited)
    }

    #[inline]
    fn has_come(&self, waited: io::Result<bool>) -> io::Result<()> {
        let has_events = match waited {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => false,
            waited => waited?,
        };
        self.has_events.set(has_events);
        Ok(())
    }

    /// Whether there are events to take.
    #[inline]
    pub(crate) fn has_events(&self) -> bool {
        self.has_events.get()
    }

    /// Takes the events out of the batch, one by one: gives `deliver` the key of each source, and what is
    /// ready. An error or a panic of that ends it, and loses no event behind the one it was about.
    #[inline]
    pub(crate) fn deliver<E>(
        &self,
        deliver: impl FnMut(usize, Ready) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut taken = Taken { poller: self, batch: self.batch.take() };
        taken.batch.deliver(deliver)?;
        self.has_events.set(false);
        Ok(())
    }

    /// Asks the system for exactly `interest` in `source`, which it was asked for `before`: one system call.
    ///
    /// For [`Watched`](super::Watched) alone, which has the poller forget a source before that closes.
    pub(super) fn register(
        &self,
        source: &impl Source,
        key: usize,
        before: Interest,
        interest: Interest,
    ) -> io::Result<()> {
        match (before.is_none(), interest.is_none()) {
            (_, true) => self.forget(source),
            (true, _) => backend::add(self, source, key, interest),
            (false, _) => backend::modify(self, source, key, interest),
        }
    }

    /// Nothing is asked about `source` any more.
    pub(super) fn forget(&self, source: &impl Source) -> io::Result<()> {
        self.polling.delete(source)
    }

    /// Whether the last wait filled all slots, so that more may be waiting.
    pub(crate) fn batch_was_full(&self) -> bool {
        self.batch.with(|batch| batch.len() == EVENTS_PER_WAIT)
    }

    /// Of the poll() back end there is none.
    #[cfg(all(unix, not(polling_test_poll_backend)))]
    pub(crate) fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.polling.as_fd()
    }
}

/// A batch that is being delivered. It goes back with what was not taken.
struct Taken<'a> {
    poller: &'a Poller,
    batch: backend::Batch,
}

impl Drop for Taken<'_> {
    #[inline]
    fn drop(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.poller.batch.with(|kept| *kept = batch);
    }
}

#[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
mod backend {
    //! epoll, waited on by ourselves.

    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::sync::Arc;
    use std::time::Duration;

    use rustix::buffer::spare_capacity;
    use rustix::event::epoll::{self, EventData, EventFlags};
    use rustix::event::{EventfdFlags, Timespec, eventfd};

    use super::{Interest, Poller, Ready, Source};

    /// The key that `polling` uses for its own notifications, which we never send.
    const POLLING_KEY: u64 = usize::MAX as u64;
    /// The key of our eventfd.
    const WAKE_KEY: u64 = POLLING_KEY - 1;

    #[derive(Debug)]
    pub(super) struct Backend;

    /// Wakes a loop that waits: an eventfd.
    #[derive(Debug)]
    pub(in crate::reactor) struct Signal(OwnedFd);

    impl Signal {
        pub(in crate::reactor) fn raise(&self) {
            // Full (EAGAIN) after 2^64 - 1 writes; nothing else can go wrong with an own eventfd.
            let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
        }
    }

    impl Backend {
        pub(super) fn new(polling: &Arc<polling::Poller>) -> io::Result<(Self, Signal)> {
            let signal = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
            epoll::add(
                polling.as_fd(),
                &signal,
                EventData::new_u64(WAKE_KEY),
                EventFlags::IN | EventFlags::ET,
            )?;
            Ok((Self, Signal(signal)))
        }

        /// Says whether there are events.
        #[inline]
        pub(super) fn wait(
            &self,
            polling: &polling::Poller,
            batch: &mut Batch,
            timeout: Option<Duration>,
        ) -> io::Result<bool> {
            batch.events.clear();
            batch.next = 0;
            let timeout = timeout.map(|timeout| Timespec {
                // A few hundred billion years are for ever.
                tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
                tv_nsec: timeout.subsec_nanos().into(),
            });
            epoll::wait(polling.as_fd(), spare_capacity(&mut batch.events), timeout.as_ref())?;
            Ok(batch.has_events())
        }
    }

    #[derive(Default)]
    pub(super) struct Batch {
        events: Vec<epoll::Event>,
        next: usize,
    }

    impl Batch {
        pub(super) fn new(capacity: usize) -> Self {
            Self { events: Vec::with_capacity(capacity), next: 0 }
        }

        pub(super) fn len(&self) -> usize {
            self.events.len()
        }

        /// Whether a source has an event. The wake-up, which comes once at most, is none.
        #[inline]
        fn has_events(&self) -> bool {
            match *self.events {
                [] => false,
                [event] => event.data.u64() < WAKE_KEY,
                _ => true,
            }
        }

        /// Gives `deliver` what was not taken yet, until it fails.
        #[inline]
        pub(super) fn deliver<E>(
            &mut self,
            mut deliver: impl FnMut(usize, Ready) -> Result<(), E>,
        ) -> Result<(), E> {
            for &event in &self.events[self.next..] {
                self.next += 1;
                let key = event.data.u64();
                if key < WAKE_KEY {
                    deliver(key as usize, ready(event.flags))?;
                }
            }
            Ok(())
        }
    }

    /// What else epoll may say besides what was asked for is nobody's business.
    #[inline]
    fn ready(flags: EventFlags) -> Ready {
        const KNOWN: EventFlags = EventFlags::IN
            .union(EventFlags::PRI)
            .union(EventFlags::OUT)
            .union(EventFlags::ERR)
            .union(EventFlags::HUP)
            .union(EventFlags::RDHUP);
        Ready::from_bits(flags.intersection(KNOWN).bits() as u16)
    }

    /// Registered by ourselves, for `polling` asks for urgent data along with reading: one urgent byte
    /// of a peer, which nobody takes, would be reported for ever. And it has no word for DISCONNECT.
    pub(super) fn add(
        poller: &Poller,
        source: &impl Source,
        key: usize,
        interest: Interest,
    ) -> io::Result<()> {
        let data = EventData::new_u64(key as u64);
        Ok(epoll::add(poller.as_fd(), source.source(), data, flags(interest))?)
    }

    pub(super) fn modify(
        poller: &Poller,
        source: &impl Source,
        key: usize,
        interest: Interest,
    ) -> io::Result<()> {
        let data = EventData::new_u64(key as u64);
        Ok(epoll::modify(poller.as_fd(), source.source(), data, flags(interest))?)
    }

    fn flags(interest: Interest) -> EventFlags {
        EventFlags::from_bits_retain(interest.bits().into())
    }

    #[cfg(test)]
    mod tests {
        use super::super::super::Watched;
        use super::*;
        use std::os::unix::net::UnixStream;

        #[test]
        fn each_flag_has_its_bit() {
            for (flag, bit) in [
                (EventFlags::IN, Ready::READABLE),
                (EventFlags::OUT, Ready::WRITABLE),
                (EventFlags::RDHUP, Ready::DISCONNECT),
                (EventFlags::PRI, Ready::PRIORITY),
                (EventFlags::HUP, Ready::HANGUP),
                (EventFlags::ERR, Ready::ERROR),
            ] {
                assert_eq!(ready(flag), bit);
            }
            for (interest, flag) in [
                (Interest::READABLE, EventFlags::IN),
                (Interest::WRITABLE, EventFlags::OUT),
                (Interest::DISCONNECT, EventFlags::RDHUP),
                (Interest::PRIORITY, EventFlags::PRI),
            ] {
                assert_eq!(flags(interest), flag);
            }
            assert_eq!(
                ready(EventFlags::all()),
                ready(EventFlags::all().difference(EventFlags::ET))
            );
            let both = Ready::READABLE | Ready::DISCONNECT;
            assert_eq!(ready(EventFlags::IN | EventFlags::RDHUP | EventFlags::RDNORM), both);
        }

        #[test]
        fn an_event_carries_the_key_of_its_source() {
            let poller = Poller::new().unwrap();
            let (one, _other) = UnixStream::pair().unwrap();
            let source = Watched::new(&poller, one);
            source.set_interest(4711, Interest::WRITABLE).unwrap();
            poller.wait(Some(Duration::from_secs(5))).unwrap();
            assert_eq!(taken(&poller), [(4711, Ready::WRITABLE)]);
            assert_eq!(taken(&poller), []);
        }

        #[test]
        fn a_wake_up_is_no_event_neither_alone_nor_among_some() {
            let poller = Poller::new().unwrap();
            poller.wakeup().notify();
            poller.wait(Some(Duration::from_secs(5))).unwrap();
            assert!(!poller.has_events());
            let (one, _other) = UnixStream::pair().unwrap();
            let source = Watched::new(&poller, one);
            source.set_interest(1, Interest::WRITABLE).unwrap();
            poller.wakeup().take_mail();
            poller.wakeup().set_asleep();
            poller.wakeup().notify();
            poller.wait(Some(Duration::from_secs(5))).unwrap();
            assert!(poller.has_events());
            assert_eq!(taken(&poller), [(1, Ready::WRITABLE)]);
            assert!(!poller.has_events());
        }

        #[test]
        fn an_error_loses_no_event_behind_it() {
            let poller = Poller::new().unwrap();
            let pairs = [(); 3].map(|()| UnixStream::pair().unwrap());
            let sources = pairs.map(|(one, _)| Watched::new(&poller, one));
            for (key, source) in sources.iter().enumerate() {
                source.set_interest(key, Interest::WRITABLE).unwrap();
            }
            poller.wait(Some(Duration::from_secs(5))).unwrap();
            let first = poller.deliver(|key, _| Err(key)).unwrap_err();
            assert!(poller.has_events());
            let mut rest: Vec<_> = taken(&poller).into_iter().map(|(key, _)| key).collect();
            rest.push(first);
            rest.sort_unstable();
            assert_eq!(rest, [0, 1, 2]);
        }

        fn taken(poller: &Poller) -> Vec<(usize, Ready)> {
            let mut all = Vec::new();
            let taken = poller.deliver(|key, ready| {
                all.push((key, ready));
                Ok::<_, ()>(())
            });
            taken.unwrap();
            all
        }
    }
}

#[cfg(not(all(target_os = "linux", not(polling_test_poll_backend))))]
mod backend {
    //! Whatever `polling` uses, waited on and woken by `polling`.

    use std::io;
    use std::num::NonZeroUsize;
    use std::sync::Arc;
    use std::time::Duration;

    use polling::{Event, PollMode};

    use super::{Interest, Poller, Ready, Source};

    #[derive(Debug)]
    pub(super) struct Backend;

    /// Wakes a loop that waits: the poller's own notification.
    #[derive(Debug)]
    pub(in crate::reactor) struct Signal(Arc<polling::Poller>);

    impl Signal {
        pub(in crate::reactor) fn raise(&self) {
            // An error means that the poller is broken, which the loop's own wait will report.
            let _ = self.0.notify();
        }
    }

    impl Backend {
        pub(super) fn new(polling: &Arc<polling::Poller>) -> io::Result<(Self, Signal)> {
            Ok((Self, Signal(Arc::clone(polling))))
        }

        /// Says whether there are events.
        pub(super) fn wait(
            &self,
            polling: &polling::Poller,
            batch: &mut Batch,
            timeout: Option<Duration>,
        ) -> io::Result<bool> {
            batch.events.clear();
            batch.ready.clear();
            batch.next = 0;
            match polling.wait(&mut batch.events, timeout) {
                // With poll(), a wait that begins while another thread notifies may find the flag set
                // and the signal not there yet. It is a wake-up; the second wait clears the flag, without
                // which no signal would be sent any more.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    polling.wait(&mut batch.events, Some(Duration::ZERO))?
                }
                waited => waited?,
            };
            batch.ready.extend(batch.events.iter().map(|event| (event.key, ready(&event))));
            Ok(!batch.ready.is_empty())
        }
    }

    pub(super) struct Batch {
        events: polling::Events,
        ready: Vec<(usize, Ready)>,
        next: usize,
    }

    impl Default for Batch {
        fn default() -> Self {
            Self::new(1)
        }
    }

    impl Batch {
        pub(super) fn new(capacity: usize) -> Self {
            let capacity = NonZeroUsize::new(capacity).expect("a batch has slots");
            let events = polling::Events::with_capacity(capacity);
            Self { events, ready: Vec::new(), next: 0 }
        }

        pub(super) fn len(&self) -> usize {
            self.ready.len()
        }

        pub(super) fn deliver<E>(
            &mut self,
            mut deliver: impl FnMut(usize, Ready) -> Result<(), E>,
        ) -> Result<(), E> {
            for &(key, ready) in &self.ready[self.next..] {
                self.next += 1;
                deliver(key, ready)?;
            }
            Ok(())
        }
    }

    fn ready(event: &polling::Event) -> Ready {
        let mut ready = Ready::default();
        for (is_set, bit) in [
            (event.readable, Ready::READABLE),
            (event.writable, Ready::WRITABLE),
            (event.is_priority(), Ready::PRIORITY),
            (event.is_interrupt(), Ready::HANGUP),
            (event.is_err().unwrap_or(false), Ready::ERROR),
        ] {
            if is_set {
                ready |= bit;
            }
        }
        ready
    }

    pub(super) fn add(
        poller: &Poller,
        source: &impl Source,
        key: usize,
        interest: Interest,
    ) -> io::Result<()> {
        let event = event(key, interest)?;
        // SAFETY: the source is owned by a `Watched`, which lends it and has it back before anybody
        // else can have it, and deletes it from the poller before it lets it close.
        unsafe { poller.polling.add_with_mode(&source.source(), event, PollMode::Level) }
    }

    pub(super) fn modify(
        poller: &Poller,
        source: &impl Source,
        key: usize,
        interest: Interest,
    ) -> io::Result<()> {
        let event = event(key, interest)?;
        poller.polling.modify_with_mode(source, event, PollMode::Level)
    }

    /// `polling` has no portable word for the other two.
    fn event(key: usize, interest: Interest) -> io::Result<Event> {
        let rest = interest.without(Interest::READABLE | Interest::WRITABLE);
        if rest.is_none() {
            let readable = interest.contains(Interest::READABLE);
            return Ok(Event::new(key, readable, interest.contains(Interest::WRITABLE)));
        }
        let message = format!("{rest:?} can be watched for on Linux only");
        Err(io::Error::new(io::ErrorKind::Unsupported, message))
    }
}
