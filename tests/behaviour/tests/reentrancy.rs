//! Stop, close, restart, drop, fail: to oneself and to another, from everywhere. One case is one thread
//! whose name says which it is, so that a hang or an abort tells it too.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

use behaviour::Deadline;
use runtime::handle::{Async, AsyncSender, Check, Idle, Prepare, Timer, Waiter};
use runtime::net::{TcpListener, TcpStream};
use runtime::sync::mpsc;
use runtime::{
    Clock, ImmediateId, Loop, Result, TimerId, ms, next_tick, set_immediate, set_interval,
    set_timeout_mut, spawn,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Op {
    Stop,
    Close,
    Restart,
    DropOwner,
    Err,
    Panic,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    Itself,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    OwnCallback,
    AnothersCallback,
    Tick,
    TasksPoll,
    DropOfACapture,
}

use Place::{AnothersCallback, DropOfACapture, OwnCallback, TasksPoll, Tick};

const OPS: [Op; 6] = [Op::Stop, Op::Close, Op::Restart, Op::DropOwner, Op::Err, Op::Panic];
const PLACES: [Place; 5] = [OwnCallback, AnothersCallback, Tick, TasksPoll, DropOfACapture];

/// What happens when a subject is called back.
type OnCall = Rc<dyn Fn() -> Result>;

/// Something that calls back in each iteration it is provoked in.
trait Subject {
    /// Makes one that is started.
    fn make(on_call: OnCall) -> Self
    where
        Self: Sized;
    /// Brings the next call about.
    fn provoke(&self) {}
    fn stop(&self);
    fn close(&self) {
        self.stop();
    }
    /// Started or not, it is started anew.
    fn restart(&self);
}

/// The subject's callback, to be started with as often as one likes; only the newest start's may be called.
struct Calls(OnCall, Rc<Cell<usize>>);

impl Calls {
    fn new(on_call: OnCall) -> Self {
        Self(on_call, Rc::default())
    }

    /// The callback for one start.
    fn fresh(&self) -> impl Fn() -> Result + 'static {
        let (on_call, newest) = (self.0.clone(), self.1.clone());
        newest.set(newest.get() + 1);
        let mine = newest.get();
        move || {
            assert_eq!(mine, newest.get(), "the callback of an earlier start was called");
            on_call()
        }
    }

    fn on_call<H: ?Sized>(&self) -> impl FnMut(&H) -> Result + 'static {
        let fresh = self.fresh();
        move |_| fresh()
    }
}

struct TimerSubject(Timer, Calls);

impl Subject for TimerSubject {
    fn make(on_call: OnCall) -> Self {
        let subject = Self(Timer::new(), Calls::new(on_call));
        subject.restart();
        subject
    }

    fn stop(&self) {
        self.0.stop();
    }

    fn close(&self) {
        self.0.close();
    }

    fn restart(&self) {
        self.0.start(ms(1), ms(1), self.1.on_call()).ok();
    }
}

macro_rules! watcher {
    ($name:ident, $handle:ident) => {
        struct $name($handle, Calls);

        impl Subject for $name {
            fn make(on_call: OnCall) -> Self {
                let subject = Self($handle::new(), Calls::new(on_call));
                subject.restart();
                subject
            }

            fn stop(&self) {
                self.0.stop();
            }

            fn close(&self) {
                self.0.close();
            }

            fn restart(&self) {
                self.0.stop();
                self.0.start(self.1.on_call()).ok();
            }
        }
    };
}

watcher!(IdleSubject, Idle);
watcher!(PrepareSubject, Prepare);
watcher!(CheckSubject, Check);

struct AsyncSubject(Async, RefCell<Option<AsyncSender>>);

impl Subject for AsyncSubject {
    fn make(on_call: OnCall) -> Self {
        let handle = Async::new(Calls::new(on_call).on_call());
        let sender = handle.sender();
        Self(handle, RefCell::new(Some(sender)))
    }

    fn provoke(&self) {
        if let Some(sender) = &*self.1.borrow() {
            sender.send().ok();
        }
    }

    /// There is nothing less than a close: what was sent before the last sender went is heard.
    fn stop(&self) {
        self.0.close();
    }

    fn restart(&self) {
        drop(self.1.take());
        self.1.replace(Some(self.0.sender()));
    }
}

struct WaiterSubject(Waiter, mpsc::Sender<()>);

impl Subject for WaiterSubject {
    fn make(on_call: OnCall) -> Self {
        let (sender, receiver) = mpsc::channel(100);
        let mut on_call = Calls::new(on_call).on_call();
        let waiter = receiver.recv_start(move |value| match value {
            Some(()) => on_call(&()),
            None => Ok(()),
        });
        Self(waiter, sender)
    }

    fn provoke(&self) {
        self.1.try_send(()).ok();
    }

    fn stop(&self) {
        self.0.stop();
    }

    fn close(&self) {
        self.0.close();
    }

    fn restart(&self) {
        self.0.stop();
        self.0.start().ok();
    }
}

#[cfg(unix)]
struct PollSubject(runtime::handle::Poll, Calls, #[expect(dead_code, reason = "kept open")] Pair);

#[cfg(unix)]
type Pair = [std::os::unix::net::UnixStream; 2];

#[cfg(unix)]
impl Subject for PollSubject {
    fn make(on_call: OnCall) -> Self {
        let (one, mut other) = std::os::unix::net::UnixStream::pair().unwrap();
        other.write_all(b"x").unwrap();
        let poll = runtime::handle::Poll::new(&one).unwrap();
        let subject = Self(poll, Calls::new(on_call), [one, other]);
        subject.restart();
        subject
    }

    fn stop(&self) {
        self.0.stop();
    }

    fn close(&self) {
        self.0.close();
    }

    fn restart(&self) {
        let on_call = self.1.fresh();
        self.0.start(runtime::handle::Interest::READABLE, move |_, ready| match ready {
            Ok(_) => on_call(),
            // It was closed: this is the answer to the start.
            Err(_) => Ok(()),
        });
    }
}

struct ListenerSubject(TcpListener, Calls, SocketAddr);

impl Subject for ListenerSubject {
    fn make(on_call: OnCall) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let subject = Self(listener, Calls::new(on_call), address);
        subject.restart();
        subject
    }

    fn provoke(&self) {
        // Refused when it is closed.
        std::net::TcpStream::connect(self.2).ok();
    }

    /// There is nothing less than a close.
    fn stop(&self) {
        self.0.close();
    }

    fn restart(&self) {
        let on_call = self.1.fresh();
        self.0.listen(move |_, _| on_call());
    }
}

struct StreamSubject(TcpStream, Calls, std::net::TcpStream);

impl Subject for StreamSubject {
    fn make(on_call: OnCall) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = TcpStream::from_std(listener.accept().unwrap().0).unwrap();
        let subject = Self(stream, Calls::new(on_call), peer);
        subject.restart();
        subject
    }

    fn provoke(&self) {
        (&self.2).write_all(b"x").ok();
    }

    fn stop(&self) {
        self.0.read_stop();
    }

    fn close(&self) {
        self.0.close();
    }

    fn restart(&self) {
        let on_call = self.1.fresh();
        self.0.read_stop();
        self.0.read_start(move |_, data| match data {
            Ok([_, ..]) => on_call(),
            _ => Ok(()),
        });
    }
}

struct TimeoutSubject(Cell<TimerId>, Calls);

impl Subject for TimeoutSubject {
    fn make(on_call: OnCall) -> Self {
        let calls = Calls::new(on_call);
        Self(Cell::new(Self::set(&calls)), calls)
    }

    fn stop(&self) {
        self.0.get().clear();
    }

    fn restart(&self) {
        if !self.0.get().refresh() {
            self.0.set(Self::set(&self.1));
        }
    }
}

impl TimeoutSubject {
    fn set(calls: &Calls) -> TimerId {
        let mut on_call = calls.on_call();
        set_timeout_mut(ms(1), move |_| on_call(&()))
    }
}

struct IntervalSubject(Cell<TimerId>, Calls);

impl Subject for IntervalSubject {
    fn make(on_call: OnCall) -> Self {
        let calls = Calls::new(on_call);
        Self(Cell::new(Self::set(&calls)), calls)
    }

    fn stop(&self) {
        self.0.get().clear();
    }

    fn restart(&self) {
        if !self.0.get().refresh() {
            self.0.set(Self::set(&self.1));
        }
    }
}

impl IntervalSubject {
    fn set(calls: &Calls) -> TimerId {
        let mut on_call = calls.on_call();
        set_interval(ms(1), move |_| on_call(&()))
    }
}

struct ImmediateSubject(Cell<ImmediateId>, Calls);

impl Subject for ImmediateSubject {
    fn make(on_call: OnCall) -> Self {
        let calls = Calls::new(on_call);
        Self(Cell::new(Self::set(&calls)), calls)
    }

    fn stop(&self) {
        self.0.get().clear();
    }

    fn restart(&self) {
        self.stop();
        self.0.set(Self::set(&self.1));
    }
}

impl ImmediateSubject {
    fn set(calls: &Calls) -> ImmediateId {
        let mut on_call = calls.on_call();
        set_immediate(move || on_call(&()))
    }
}

/// Runs a closure when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Two subjects and what happened to them.
struct World<S> {
    subjects: RefCell<[Option<Rc<S>>; 2]>,
    calls: [Cell<usize>; 2],
    /// The calls of the target when the operation was done.
    at_operation: Cell<Option<usize>>,
    op: Op,
    target: usize,
}

impl<S: Subject> World<S> {
    fn subject(&self, n: usize) -> Option<Rc<S>> {
        self.subjects.borrow()[n].clone()
    }

    /// Does what this case is about, once.
    fn operate(&self) -> Result {
        if self.at_operation.get().is_some() {
            return Ok(());
        }
        self.at_operation.set(Some(self.calls[self.target].get()));
        let subject = self.subject(self.target);
        match self.op {
            Op::Stop => subject.unwrap().stop(),
            Op::Close => subject.unwrap().close(),
            Op::Restart => subject.unwrap().restart(),
            Op::DropOwner => {
                let owner = self.subjects.borrow_mut()[self.target].take();
                drop((subject, owner));
            }
            Op::Err => return Err("on purpose".into()),
            Op::Panic => panic!("on purpose"),
        }
        Ok(())
    }
}

fn case<S: Subject + 'static>(op: Op, target: Target, place: Place) {
    let _guard = Deadline::secs(20);
    let clock = Clock::manual();
    let mut lp = Loop::builder().clock(clock.clone()).build().unwrap();
    let here = lp.enter();
    let handles = lp.metrics().handles;
    let world = Rc::new(World::<S> {
        subjects: RefCell::default(),
        calls: Default::default(),
        at_operation: Cell::new(None),
        op,
        target: if target == Target::Itself { 0 } else { 1 },
    });
    for n in 0..2 {
        let weak = Rc::downgrade(&world);
        let on_call: OnCall = Rc::new(move || {
            let Some(world) = weak.upgrade() else { return Ok(()) };
            world.calls[n].set(world.calls[n].get() + 1);
            if n == 1 {
                return Ok(());
            }
            match place {
                AnothersCallback => Ok(()),
                OwnCallback => world.operate(),
                Tick => {
                    next_tick(move || world.operate());
                    Ok(())
                }
                TasksPoll => {
                    drop(spawn(async move { world.operate().unwrap() }));
                    Ok(())
                }
                DropOfACapture => {
                    let captured = OnDrop(move || world.operate().unwrap());
                    drop(captured);
                    Ok(())
                }
            }
        });
        let subject = Rc::new(S::make(on_call));
        world.subjects.borrow_mut()[n] = Some(subject);
    }
    let mut failures = 0;
    for iteration in 0..12 {
        if iteration == 1 && place == AnothersCallback {
            let world = world.clone();
            set_immediate(move || world.operate());
        }
        clock.advance(ms(1));
        for subject in world.subjects.borrow().iter().flatten() {
            subject.provoke();
        }
        let before = world.calls.clone().map(Cell::into_inner);
        // An iteration that failed is gone on with: it is still the same.
        for attempt in 0.. {
            assert!(attempt < 4, "it fails again and again");
            match catch_unwind(AssertUnwindSafe(|| lp.run_nowait())) {
                Ok(Ok(_)) => break,
                Ok(Err(error)) => assert_eq!(error.to_string(), "on purpose"),
                Err(_) => {}
            }
            failures += 1;
        }
        for (n, before) in before.into_iter().enumerate() {
            let calls = world.calls[n].get() - before;
            assert!(calls <= 1, "subject {n} was called {calls} times in iteration {iteration}");
        }
    }
    let at_operation = world.at_operation.get().expect("the case happened");
    let later = world.calls[world.target].get() - at_operation;
    match op {
        Op::Stop | Op::Close => assert_eq!(later, 0, "called after it was stopped or closed"),
        Op::Restart => assert!(later > 0, "never called again"),
        _ => {}
    }
    let expected = usize::from(matches!(op, Op::Err | Op::Panic));
    assert_eq!(failures, expected, "failures");
    assert!(world.calls[1].get() > 0 || target == Target::Other, "the other one was called");
    for subject in world.subjects.take().into_iter().flatten() {
        subject.close();
    }
    // What lost its owner is still held by the loop if it is started.
    lp.walk(|handle| handle.close());
    for _ in 0..3 {
        lp.run_nowait().unwrap();
    }
    assert_eq!(lp.metrics().handles, handles, "handles are left");
    let left = Rc::downgrade(&world);
    drop((world, here, lp));
    assert_eq!(left.strong_count(), 0, "something leaked the world");
}

fn all_cases<S: Subject + 'static>(kind: &str) {
    let mut failed = Vec::new();
    for op in OPS {
        for target in [Target::Itself, Target::Other] {
            for place in PLACES {
                // To fail is nobody's but the own business, and a task or a drop has no `Err`.
                let fails = matches!(op, Op::Err | Op::Panic);
                if fails && target == Target::Other
                    || op == Op::Err && matches!(place, TasksPoll | DropOfACapture)
                {
                    continue;
                }
                let name = format!("{kind}: {op:?}, {target:?}, {place:?}");
                let run = move || case::<S>(op, target, place);
                if thread::Builder::new().name(name.clone()).spawn(run).unwrap().join().is_err() {
                    failed.push(name);
                }
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

macro_rules! kinds {
    ($($(#[$attribute:meta])* $test:ident: $subject:ident,)*) => {$(
        $(#[$attribute])*
        #[test]
        fn $test() {
            all_cases::<$subject>(stringify!($subject));
        }
    )*};
}

kinds! {
    a_timer_survives_everything: TimerSubject,
    an_idle_handle_survives_everything: IdleSubject,
    a_prepare_handle_survives_everything: PrepareSubject,
    a_check_handle_survives_everything: CheckSubject,
    an_async_handle_survives_everything: AsyncSubject,
    a_waiter_survives_everything: WaiterSubject,
    #[cfg(unix)]
    a_poll_handle_survives_everything: PollSubject,
    a_tcp_listener_survives_everything: ListenerSubject,
    a_tcp_stream_survives_everything: StreamSubject,
    a_timeout_survives_everything: TimeoutSubject,
    an_interval_survives_everything: IntervalSubject,
    an_immediate_survives_everything: ImmediateSubject,
}
