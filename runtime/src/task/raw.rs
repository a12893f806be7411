//! The memory of a task: one allocation, and who may touch which part of it.
//!
//! ```text
//!   Header                                              Stage
//!   [ vtable, loop id | count, mailed | flags, links ]  [ future, then outcome ]
//!     never changes     any thread      home              home, one at a time
//! ```
//!
//! *Home* is the thread of the task's loop. Who is there, and may touch its part, is told by:
//! - a type that is not `Send`: [`Runnable`], [`Join`], [`Living`];
//! - for a waker, which may be anywhere, [`home::is_current`]: an executor's id is unique and it never
//!   leaves its thread, so where that id is the current one, that thread is home.
//!
//! *The stage* is lent while `RUNNING` is set: to a poll, or to the drop of the future. Nobody else looks
//! at it then. It is touched at home only, so neither future nor output is ever dropped elsewhere. Until
//! `DONE` is set there is the future in it, then the outcome. A task that is not done is `LIVING` or
//! `RUNNING`: home refers to it.
//!
//! *The memory* lives as long as its references ([`Count`]): those of wakers and mail ([`TaskRef`]), and
//! that of home, which lasts while one of the flags [`CLAIMS`] is set. When the last of these is cleared
//! the stage is empty, and there is no waiter without a `Join`: freeing drops nothing.
//!
//! *Wakes* from elsewhere touch `mailed` only, and send a reference by mail if it was not set: many wakes
//! are one mail. Home clears it before it queues the task, so a wake is either seen by the poll that
//! follows or sends again.

#![allow(unsafe_code)] // a task is freed by counts, and reached by wakers on any thread: see above

use std::alloc::{Layout, dealloc};
use std::cell::{Cell, UnsafeCell};
use std::future::Future;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, forget};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::task::{Context, RawWaker, RawWakerVTable, Waker};

use super::coop::SelfWakes;
use super::count::Count;
use super::executor::{Executor, ExitPayload, Microtask, Woken};
use super::flags::{
    ABORTED, AWAITED, CLAIMS, DONE, Flags, IS_CALLBACK, JOINED, LIVING, RUNNING, SCHEDULED, WOKEN,
};
use super::home;
use super::mail::{self, Mail};
use super::spare::{self, Unit};
use super::stage::{Outcome, Payload, Polled, Stage};
use crate::error::Uncaught;

mod join;
mod living;

pub(crate) use join::Join;
pub(super) use living::Living;

type Link = Option<NonNull<Header>>;

struct Header {
    vtable: &'static Vtable,
    loop_id: u64,
    /// An `Rc` of which home owns one count while it has a claim.
    executor: *const Executor,
    count: Count,
    /// Mail is under way, or none is wanted any more.
    mailed: AtomicBool,

    // Of the home thread only.
    flags: Flags,
    self_wakes: SelfWakes,
    previous: Cell<Link>,
    next: Cell<Link>,
    /// Who waits for the end, if the flag `AWAITED` is set.
    waiter: Cell<Option<Waker>>,
}

#[repr(C)]
struct Task<F: Future> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

/// What depends on the type of the future. To all of them the caller lends the stage.
struct Vtable {
    /// See [`Stage::poll`]. No panic comes out of it.
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> Polled,
    /// See [`Stage::cancel`].
    cancel: unsafe fn(NonNull<Header>) -> Option<Payload>,
    /// Moves the outcome into an `Outcome<F::Output>`.
    take: unsafe fn(NonNull<Header>, NonNull<()>),
    layout: Layout,
    /// The length of its block, 0 if the type is aligned more than those are.
    units: usize,
}

impl<F: Future> Task<F> {
    const VTABLE: Vtable = Vtable {
        poll: Self::poll,
        cancel: Self::cancel,
        take: Self::take,
        layout: Layout::new::<Self>(),
        units: Self::UNITS,
    };

    const UNITS: usize = if align_of::<Self>() > align_of::<Unit>() {
        0
    } else {
        size_of::<Self>().div_ceil(size_of::<Unit>())
    };

    /// The stage, as it was lent to the caller by its caller.
    unsafe fn stage<'a>(task: NonNull<Header>) -> &'a mut Stage<F> {
        // SAFETY: `task` points to the start of a `Task<F>`, with the provenance of all of it: only
        // `allocate` makes such pointers, with this vtable. Nobody else uses the stage.
        unsafe { &mut *(*task.cast::<Self>().as_ptr()).stage.get() }
    }

    unsafe fn poll(task: NonNull<Header>, cx: &mut Context<'_>) -> Polled {
        // SAFETY: the caller lends the stage, of a task that is not done: the future is there. It is neither
        // moved nor freed: the memory is not moved, and has a claim until it is done.
        let poll = || unsafe { Self::stage(task).poll(cx, flags(task)) };
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(polled) => polled,
            // SAFETY: that loan of the stage has ended, that of the caller has not.
            Err(payload) => unsafe { Self::panicked(task, payload) },
        }
    }

    #[cold]
    unsafe fn panicked(task: NonNull<Header>, payload: Payload) -> Polled {
        let flags = flags(task);
        if !flags.has(DONE) {
            flags.change(0, DONE);
            // SAFETY: the caller lends the stage, and by the flag the future is still there.
            if let Some(second) = unsafe { Self::cancel(task) } {
                report(task, second);
            }
        }
        if flags.has(IS_CALLBACK) || payload.is::<ExitPayload>() {
            executor(task).keep_payload(payload);
            return Polled::Unwinds;
        }
        if flags.has(JOINED) {
            // SAFETY: the caller lends the stage.
            unsafe { Self::stage(task) }.end(Some(Err(payload)));
        } else {
            report(task, payload);
        }
        Polled::Ended
    }

    unsafe fn cancel(task: NonNull<Header>) -> Option<Payload> {
        // SAFETY: the caller lends the stage, with the future, and has set `DONE`.
        unsafe { Self::stage(task).cancel() }
    }

    unsafe fn take(task: NonNull<Header>, to: NonNull<()>) {
        // SAFETY: the caller lends the stage of a task that is done.
        let outcome = unsafe { Self::stage(task).take() };
        // SAFETY: the caller's `to` is such an `Outcome`, and `None`.
        unsafe { to.cast::<Outcome<F::Output>>().write(outcome) };
    }
}

/// Makes a task of `future`, and its first turn. Home has three claims from the start.
pub(super) fn spawn<F: Future + 'static>(
    executor: &Rc<Executor>,
    future: F,
) -> (Runnable, Join<F::Output>) {
    let task = allocate(executor, future, SCHEDULED | LIVING | JOINED);
    (Runnable(task), Join { task, output: PhantomData })
}

/// Like [`spawn`], of a callback: nobody joins it, and its panic goes through.
pub(super) fn spawn_callback(
    executor: &Rc<Executor>,
    future: impl Future<Output = ()> + 'static,
) -> Runnable {
    Runnable(allocate(executor, future, SCHEDULED | LIVING | IS_CALLBACK))
}

fn allocate<F: Future>(executor: &Rc<Executor>, future: F, flags: u16) -> NonNull<Header> {
    let memory: NonNull<Task<F>> = match Task::<F>::UNITS {
        0 => NonNull::from(Box::leak(Box::<Task<F>>::new_uninit())).cast(),
        units => executor.spare().take(units).cast(),
    };
    // Built where it stays: a copy of what was just written would wait for it.
    let task = Task {
        header: Header {
            vtable: &Task::<F>::VTABLE,
            loop_id: executor.loop_id(),
            executor: Rc::into_raw(executor.clone()),
            count: Count::new(),
            mailed: AtomicBool::new(false),
            flags: Flags::new(flags),
            self_wakes: SelfWakes::default(),
            previous: Cell::new(None),
            next: Cell::new(None),
            waiter: Cell::new(None),
        },
        stage: UnsafeCell::new(Stage::new(future)),
    };
    // SAFETY: it is ours, large enough, and aligned.
    unsafe { memory.write(task) };
    let task = memory.cast();
    executor.living().link(task);
    task
}

// --- what all pointers to a task have in common ---

/// The header, for as long as the pointer it came from refers to the task.
#[inline]
fn header<'a>(task: NonNull<Header>) -> &'a Header {
    // SAFETY: a `NonNull<Header>` is kept by types of this module only, each of which has a reference. What
    // is not atomic in it is touched by functions that are called at home.
    unsafe { task.as_ref() }
}

#[inline]
fn flags<'a>(task: NonNull<Header>) -> &'a Flags {
    &header(task).flags
}

/// The task's executor, while home has a claim. At home only.
#[inline]
fn executor<'a>(task: NonNull<Header>) -> &'a Executor {
    // SAFETY: home's count of the `Rc` is given up with the last claim.
    unsafe { &*header(task).executor }
}

fn report(task: NonNull<Header>, payload: Payload) {
    executor(task).report(Uncaught::Panic(payload));
}

#[inline]
fn is_home(task: NonNull<Header>) -> bool {
    home::is_current(header(task).loop_id)
}

/// Counts one reference more. By who has one.
#[inline]
fn retain(task: NonNull<Header>) {
    let count = &header(task).count;
    // `local` counts while home has a claim.
    if is_home(task) && flags(task).has(CLAIMS) {
        count.retain_at_home();
    } else {
        count.retain_shared();
    }
}

/// Gives one reference up. By who has one.
#[inline]
fn release(task: NonNull<Header>) {
    if is_home(task) { release_at_home(task) } else { release_shared(task) }
}

#[inline]
fn release_at_home(task: NonNull<Header>) {
    if flags(task).has(CLAIMS) {
        header(task).count.release_at_home();
    } else {
        release_shared(task);
    }
}

#[inline(never)]
fn release_shared(task: NonNull<Header>) {
    if header(task).count.release_shared() {
        free(task);
    }
}

/// Gives claims up, and home's reference with the last of them. At home only.
#[inline]
fn unclaim(task: NonNull<Header>, claims: u16) {
    let flags = flags(task);
    flags.change(claims, 0);
    if !flags.has(CLAIMS) {
        leave(task);
    }
}

#[inline(never)]
fn leave(task: NonNull<Header>) {
    let header = header(task);
    // SAFETY: made by `Rc::into_raw`; home had its last claim.
    let executor = unsafe { Rc::from_raw(header.executor) };
    if header.count.leave() {
        // Home's claims went before: the stage holds nothing, and there is no waiter without a `Join`.
        match header.vtable.units {
            0 => free(task),
            // SAFETY: nobody refers to it any more, and it was a block of as many units.
            units => unsafe { executor.spare().give(task.cast(), units) },
        }
    }
    drop(executor);
}

/// Ends the task's memory. By who gave the last reference up.
#[cold]
fn free(task: NonNull<Header>) {
    let Vtable { layout, units, .. } = *header(task).vtable;
    match units {
        // SAFETY: nobody refers to it any more, and it was a `Box` of this layout.
        0 => unsafe { dealloc(task.as_ptr().cast(), layout) },
        // SAFETY: nobody refers to it any more, and it was a block of as many units.
        units => unsafe { spare::free(task.cast(), units) },
    }
}

fn wake(task: NonNull<Header>) {
    if is_home(task) { wake_at_home(task) } else { wake_by_mail(task) }
}

/// Wakes by a reference that is given up with it.
fn wake_and_release(task: NonNull<Header>) {
    if is_home(task) && !flags(task).has(UNWAKEABLE) {
        // It is not done, so home has a claim, and this is not the last reference.
        header(task).count.release_at_home();
        schedule(task);
    } else {
        wake_otherwise(task);
    }
}

#[inline(never)]
fn wake_otherwise(task: NonNull<Header>) {
    wake(task);
    release(task);
}

#[inline]
fn wake_at_home(task: NonNull<Header>) {
    let flags = flags(task);
    if !flags.has(UNWAKEABLE) {
        schedule(task);
    } else if !flags.has(SCHEDULED | DONE) {
        flags.change(0, WOKEN);
    }
}

/// In these states a wake queues nothing.
const UNWAKEABLE: u16 = SCHEDULED | RUNNING | WOKEN | DONE;

#[inline]
fn schedule(task: NonNull<Header>) {
    flags(task).change(0, SCHEDULED);
    executor(task).push(Microtask::Future(Woken::Task(Runnable(task))));
}

#[cold]
fn wake_by_mail(task: NonNull<Header>) {
    let header = header(task);
    if !header.mailed.swap(true, AcqRel) {
        retain(task);
        // A loop that is gone has nothing to run.
        drop(mail::send(header.loop_id, Mail::Wake(TaskRef(task))));
    }
}

/// Drops the future, which is there and not lent. At home only, by who has a claim.
fn cancel(task: NonNull<Header>) {
    let header = header(task);
    header.flags.change(0, RUNNING | DONE);
    // SAFETY: the stage was not lent, and now is.
    if let Some(payload) = unsafe { (header.vtable.cancel)(task) } {
        report(task, payload);
    }
    finish(task);
}

fn take_waiter(task: NonNull<Header>) -> Option<Waker> {
    flags(task).change(AWAITED, 0);
    header(task).waiter.take()
}

/// The future is gone: whoever waits for that is woken, last of all.
fn finish(task: NonNull<Header>) {
    let header = header(task);
    header.mailed.store(true, Relaxed);
    if flags(task).has(LIVING) {
        executor(task).living().unlink(task);
    }
    if header.flags.has(AWAITED) {
        finish_awaited(task);
    } else {
        unclaim(task, RUNNING | LIVING);
    }
}

#[inline(never)]
fn finish_awaited(task: NonNull<Header>) {
    let waiter = take_waiter(task);
    unclaim(task, RUNNING | LIVING);
    waiter.into_iter().for_each(Waker::wake);
}

/// Makes the task's next turn its last, if it has not ended. At home only.
fn abort(task: NonNull<Header>) {
    if !flags(task).has(DONE) {
        flags(task).change(0, ABORTED);
        wake(task);
    }
}

/// A counted reference that stays at home.
pub(crate) struct HomeRef(NonNull<Header>);

impl HomeRef {
    /// As [`Join::abort`].
    pub(super) fn abort(&self) {
        abort(self.0);
    }
}

impl Drop for HomeRef {
    fn drop(&mut self) {
        release(self.0);
    }
}

// --- the reference that any thread may have ---

/// A counted reference, as a waker has it, on its way to the task's loop.
pub(crate) struct TaskRef(NonNull<Header>);

// SAFETY: what it does is done at home, or with the atomic part. Neither future nor output is in its reach.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl TaskRef {
    /// Wakes the task, by the loop that was sent to.
    pub(crate) fn deliver(self) {
        let task = self.0;
        if !is_home(task) || flags(task).has(DONE) {
            return;
        }
        // What was written before a wake that sent nothing is seen by the poll to come.
        header(task).mailed.swap(false, AcqRel);
        wake_at_home(task);
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        release(self.0);
    }
}

static WAKER: RawWakerVTable = RawWakerVTable::new(
    |data| {
        retain(task_of(data));
        RawWaker::new(data, &WAKER)
    },
    |data| wake_and_release(task_of(data)),
    |data| wake(task_of(data)),
    |data| release(task_of(data)),
);

fn task_of(data: *const ()) -> NonNull<Header> {
    // SAFETY: the data of `WAKER` is such a pointer.
    unsafe { NonNull::new_unchecked(data.cast_mut().cast()) }
}

// --- what home has ---

/// A turn of a task that waits in a queue.
pub(crate) struct Runnable(NonNull<Header>);

/// How a turn went.
pub(super) enum Turn {
    Waits,
    /// It was woken meanwhile, by itself mostly.
    Again(Runnable),
    Ended,
    /// It ended by a panic that is to be raised again: the executor has it.
    Unwinds,
}

impl Runnable {
    /// Polls the task once, or drops its future if it was aborted.
    #[inline]
    pub(super) fn run(self) -> Turn {
        let task = self.0;
        let header = header(task);
        if header.flags.has(RUNNING | DONE | ABORTED) {
            self.cancel();
            return Turn::Ended;
        }
        forget(self);
        header.flags.change(SCHEDULED, RUNNING);
        // SAFETY: the claim is the waker's reference: it is not dropped, and lives shorter.
        let waker = ManuallyDrop::new(unsafe { Waker::new(task.as_ptr().cast(), &WAKER) });
        // SAFETY: the stage was not lent, and now is.
        let polled = unsafe { (header.vtable.poll)(task, &mut Context::from_waker(&waker)) };
        match polled {
            Polled::Pending => Self::pending(task),
            ended => {
                finish(task);
                if let Polled::Unwinds = ended { Turn::Unwinds } else { Turn::Ended }
            }
        }
    }

    #[inline]
    fn pending(task: NonNull<Header>) -> Turn {
        let flags = flags(task);
        if !flags.has(WOKEN) {
            flags.change(RUNNING, 0);
            return Turn::Waits;
        }
        if flags.has(LIVING) {
            flags.change(RUNNING | WOKEN, SCHEDULED);
            return Turn::Again(Self(task));
        }
        // The loop went away meanwhile.
        cancel(task);
        Turn::Ended
    }

    /// Drops the future instead of a turn.
    pub(crate) fn cancel(self) {
        if !flags(self.0).has(RUNNING | DONE) {
            cancel(self.0);
        }
    }

    pub(super) fn self_wakes(&self) -> &SelfWakes {
        &header(self.0).self_wakes
    }
}

impl Drop for Runnable {
    fn drop(&mut self) {
        unclaim(self.0, SCHEDULED);
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::panic::resume_unwind;
    use std::sync::{Arc, mpsc};
    use std::task::{Poll, Wake};
    use std::thread;

    use super::super::Limits;
    use super::*;

    /// An executor that is the current one of its thread, as in a loop.
    struct Home(Rc<Executor>);

    impl Home {
        fn new() -> Self {
            let executor = Executor::new(Limits { task_polls: 4096 });
            home::replace(Some(executor.clone()));
            Self(executor)
        }

        /// Spawns and queues.
        fn spawn<F: Future + 'static>(&self, future: F) -> Join<F::Output> {
            let (runnable, join) = spawn(&self.0, future);
            self.0.push(Microtask::Future(Woken::Task(runnable)));
            join
        }

        /// Runs what is queued; how many turns that were.
        fn run(&self) -> usize {
            self.0.begin_checkpoint();
            let next = || self.0.next();
            let turns = std::iter::from_fn(next).map(|microtask| match microtask {
                Microtask::Future(Woken::Task(task)) => drop(self.0.run(task)),
                _ => unreachable!("tasks only"),
            });
            turns.count()
        }

        fn reported(&self) -> Vec<String> {
            std::iter::from_fn(|| self.0.next_unobserved()).map(|error| error.to_string()).collect()
        }

        fn drop_tasks(&self) {
            self.0.drop_tasks(|drop_one| drop_one());
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            self.drop_tasks();
            home::replace(None);
        }
    }

    /// Notes that it was dropped, and where.
    #[derive(Clone, Default)]
    struct Dropped(Rc<Cell<Option<thread::ThreadId>>>);

    struct Held(Dropped);

    impl Drop for Held {
        fn drop(&mut self) {
            assert!(self.0.0.replace(Some(thread::current().id())).is_none(), "dropped twice");
        }
    }

    impl Dropped {
        fn held(&self) -> Held {
            Held(self.clone())
        }

        fn is_set(&self) -> bool {
            assert!(self.0.get().is_none_or(|id| id == thread::current().id()));
            self.0.get().is_some()
        }
    }

    struct Bomb(&'static str);

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("{}", self.0);
        }
    }

    /// Waits for ever, gives wakers away, and keeps `held`.
    fn give_wakers<H: 'static>(held: H) -> (impl Future<Output = ()>, mpsc::Receiver<Waker>) {
        let (to, wakers) = mpsc::channel();
        let future = poll_fn(move |cx| {
            let _held = &held;
            to.send(cx.waker().clone()).ok();
            Poll::<()>::Pending
        });
        (future, wakers)
    }

    fn outcome<T>(join: &Join<T>) -> Poll<Outcome<T>> {
        join.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn text<T>(join: &Join<T>) -> String {
        let Poll::Ready(Some(Err(payload))) = outcome(join) else { panic!("it panicked") };
        Uncaught::Panic(payload).to_string()
    }

    #[test]
    fn an_output_is_given_once() {
        let home = Home::new();
        let join = home.spawn(ready(Box::new(5)));
        assert!(outcome(&join).is_pending() && !join.is_finished());
        assert_eq!((home.run(), home.0.tasks()), (1, 0));
        assert!(join.is_finished());
        assert!(matches!(outcome(&join), Poll::Ready(Some(Ok(output))) if *output == 5));
        assert!(matches!(outcome(&join), Poll::Ready(None)));
    }

    #[test]
    fn an_output_that_nobody_takes_is_dropped_with_the_join_or_at_once() {
        let home = Home::new();
        let (kept, detached) = (Dropped::default(), Dropped::default());
        let join = home.spawn(ready(kept.held()));
        drop(home.spawn(ready(detached.held())));
        home.run();
        assert!(detached.is_set() && !kept.is_set());
        drop(join);
        assert!(kept.is_set());
    }

    #[test]
    fn wakers_may_be_used_on_any_thread_and_outlive_everything() {
        let home = Home::new();
        let dropped = Dropped::default();
        let (future, wakers) = give_wakers(dropped.held());
        let join = home.spawn(future);
        home.run();
        let waker = wakers.recv().unwrap();
        let elsewhere = waker.clone();
        let (here, there) = (mpsc::channel::<()>(), mpsc::channel());
        let thread = thread::spawn(move || {
            let clone = elsewhere.clone();
            elsewhere.wake_by_ref();
            there.0.send(clone.clone()).unwrap();
            elsewhere.wake();
            // Home is left meanwhile.
            here.1.recv().unwrap_err();
            clone.wake_by_ref();
            drop(clone);
        });
        let back = there.1.recv().unwrap();
        assert!(back.will_wake(&waker));
        waker.wake();
        drop(back);
        assert_eq!(home.run(), 1);
        drop((join, home));
        assert!(dropped.is_set());
        drop(here.0);
        thread.join().unwrap();
        let last = wakers.recv().unwrap();
        last.wake_by_ref();
        thread::spawn(move || drop(last)).join().unwrap();
    }

    #[test]
    fn threads_that_clone_and_drop_beside_home() {
        let rounds = if cfg!(miri) { 20 } else { 2_000 };
        for _ in 0..rounds {
            let home = Home::new();
            let (future, wakers) = give_wakers(Box::new(1));
            let join = home.spawn(future);
            home.run();
            let waker = wakers.recv().unwrap();
            let threads = [0; 2].map(|_| {
                let waker = waker.clone();
                thread::spawn(move || {
                    let clones: Vec<_> = (0..3).map(|_| waker.clone()).collect();
                    drop(waker);
                    clones.into_iter().for_each(|waker| waker.wake());
                })
            });
            let clone = waker.clone();
            waker.wake();
            home.run();
            drop(join);
            drop(home);
            drop((clone, wakers));
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    }

    #[test]
    fn many_wakes_from_elsewhere_are_one_mail_until_that_is_delivered() {
        let home = Home::new();
        let (future, wakers) = give_wakers(());
        let join = home.spawn(future);
        home.run();
        let waker = wakers.recv().unwrap();
        let mailed = &header(join.task).mailed;
        let elsewhere = waker.clone();
        let thread = thread::spawn(move || (0..1000).for_each(|_| elsewhere.wake_by_ref()));
        thread.join().unwrap();
        assert!(mailed.load(Relaxed));
        assert_eq!(home.run(), 0, "nothing is queued from elsewhere");
        retain(join.task);
        TaskRef(join.task).deliver();
        assert!(!mailed.load(Relaxed));
        assert_eq!(home.run(), 1);
        // Mail for a task that is done is none.
        join.abort();
        home.run();
        retain(join.task);
        TaskRef(join.task).deliver();
        assert_eq!(home.run(), 0);
        thread::spawn(move || waker.wake()).join().unwrap();
    }

    #[test]
    fn a_wake_while_it_runs_queues_it_once() {
        let home = Home::new();
        let mut polls = 0;
        drop(home.spawn(poll_fn(move |cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            let clone = cx.waker().clone();
            clone.wake();
            if polls < 3 { Poll::Pending } else { Poll::Ready(()) }
        })));
        assert_eq!((home.run(), home.0.tasks()), (3, 0));
    }

    #[test]
    fn abort_and_join_inside_of_its_own_poll() {
        let home = Home::new();
        let own = Rc::new(Cell::new(None::<Join<()>>));
        let (mine, dropped) = (own.clone(), Dropped::default());
        let held = dropped.held();
        own.set(Some(home.spawn(async move {
            let _held = held;
            let join = mine.take().unwrap();
            join.abort();
            poll_fn(|cx| join.poll(cx)).await;
        })));
        assert_eq!((home.run(), home.0.tasks()), (2, 0));
        assert!(dropped.is_set());
    }

    #[test]
    fn a_join_is_woken_at_the_end_and_not_before_the_future_is_gone() {
        let home = Home::new();
        let dropped = Dropped::default();
        let (held, seen) = (dropped.held(), dropped.clone());
        let task = home.spawn(async move {
            let _held = held;
            pending::<()>().await;
        });
        let joining = home.spawn(async move {
            task.abort();
            let output = poll_fn(|cx| task.poll(cx)).await;
            assert!(output.is_none() && seen.is_set());
            7
        });
        home.run();
        assert!(matches!(outcome(&joining), Poll::Ready(Some(Ok(7)))));
    }

    #[test]
    fn panics_end_the_task_and_nothing_else() {
        let home = Home::new();
        let in_poll = home.spawn(async { panic!("in poll") });
        let in_drop = home.spawn(async {
            let _bomb = Bomb("in drop");
        });
        let twice = home.spawn(poll_fn({
            let bomb = Bomb("in drop, second");
            move |_| -> Poll<()> {
                let _bomb = &bomb;
                panic!("first")
            }
        }));
        drop(home.spawn(async { panic!("detached") }));
        drop(home.spawn(async { Bomb("output") }));
        home.run();
        assert_eq!([text(&in_poll), text(&in_drop), text(&twice)], ["in poll", "in drop", "first"]);
        assert_eq!(home.reported(), ["in drop, second", "detached", "output"]);
        let unseen = home.spawn(async { panic!("unseen") });
        let aborted = home.spawn(async {
            let _bomb = Bomb("aborted");
            pending::<()>().await
        });
        home.run();
        aborted.abort();
        home.run();
        drop(unseen);
        assert_eq!(home.reported(), ["aborted", "unseen"]);
        assert!(matches!(outcome(&aborted), Poll::Ready(None)));
    }

    #[test]
    fn a_panic_in_the_drop_of_a_kept_output_comes_out_of_the_joins_drop() {
        let home = Home::new();
        let join = home.spawn(async { Bomb("output") });
        home.run();
        assert!(catch_unwind(AssertUnwindSafe(|| drop(join))).is_err());
    }

    #[test]
    fn a_waiter_that_panics_leaves_the_task_done() {
        struct Panics;
        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                panic!("in the waker");
            }
        }
        let home = Home::new();
        let join = home.spawn(ready(3));
        let waker = Waker::from(Arc::new(Panics));
        assert!(join.poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(catch_unwind(AssertUnwindSafe(|| home.run())).is_err());
        assert!(matches!(outcome(&join), Poll::Ready(Some(Ok(3)))));
        assert_eq!(home.0.tasks(), 0);
    }

    #[test]
    fn a_waker_whose_clone_ends_the_task_loses_no_wake() {
        // The clone is called by `Join::poll`, and ends what is joined behind its back.
        struct Ends(Rc<Home>, Rc<Cell<usize>>);
        static ENDS: RawWakerVTable = RawWakerVTable::new(
            |data| {
                // SAFETY: the data is an `Ends` that outlives its wakers.
                let ends = unsafe { &*data.cast::<Ends>() };
                ends.1.set(ends.1.get() + 1);
                ends.0.run();
                RawWaker::new(data, &ENDS)
            },
            |_| (),
            |_| (),
            |_| (),
        );
        let home = Rc::new(Home::new());
        let join = home.spawn(ready(4));
        let ends = Ends(home.clone(), Rc::default());
        // SAFETY: all on this thread, and `ends` lives longest.
        let waker = unsafe { Waker::new((&raw const ends).cast(), &ENDS) };
        let polled = join.poll(&mut Context::from_waker(&waker));
        assert!(matches!(polled, Poll::Ready(Some(Ok(4)))));
        assert_eq!(ends.1.get(), 1);
        drop((join, waker));
    }

    #[test]
    fn exit_and_the_panic_of_a_callback_go_through() {
        let home = Home::new();
        let dropped = Dropped::default();
        let held = dropped.held();
        let (task, join) = spawn(&home.0, async move {
            let _held = held;
            resume_unwind(Box::new(ExitPayload));
        });
        assert!(matches!(task.run(), Turn::Unwinds));
        assert!(home.0.take_payload().is::<ExitPayload>());
        assert!(dropped.is_set() && matches!(outcome::<()>(&join), Poll::Ready(None)));
        let callback = spawn_callback(&home.0, async { panic!("callback") });
        assert!(matches!(callback.run(), Turn::Unwinds));
        assert_eq!(Uncaught::Panic(home.0.take_payload()).to_string(), "callback");
        assert_eq!(home.0.tasks(), 0);
    }

    #[test]
    fn the_end_of_the_loop_inside_of_a_poll() {
        let home = Rc::new(Home::new());
        let (dropped, other) = (Dropped::default(), Dropped::default());
        let (inner, held) = (home.clone(), dropped.held());
        let seen = (dropped.clone(), other.clone());
        let join = home.spawn(poll_fn(move |cx| {
            let _held = &held;
            inner.drop_tasks();
            assert!(!seen.0.is_set() && seen.1.is_set(), "all but the one that runs");
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        drop(home.spawn({
            let held = other.held();
            async move { drop(held) }
        }));
        home.run();
        assert!(dropped.is_set() && join.is_finished());
        assert_eq!(home.0.tasks(), 0);
    }

    #[test]
    fn futures_of_any_size_and_alignment_lie_right() {
        #[repr(align(128))]
        struct Wide(u8);
        async fn hold<T>(value: T, right: fn(&T) -> bool) -> bool {
            for _ in 0..2 {
                let mut is_over = false;
                poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    if std::mem::replace(&mut is_over, true) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                })
                .await;
            }
            right(&value)
        }
        let home = Home::new();
        // Twice, so that blocks are used again.
        for _ in 0..2 {
            let joins = [
                home.spawn(hold((), |()| true)),
                home.spawn(hold([7u8; 10_000], |all| all.iter().all(|n| *n == 7))),
                home.spawn(hold(Wide(3), |wide| wide.0 == 3 && (&raw const *wide).is_aligned())),
                home.spawn(hold(1u128, |n| *n == 1 && (&raw const *n).is_aligned())),
            ];
            let wide = home.spawn(async { Wide(5) });
            home.run();
            for join in joins {
                assert!(matches!(outcome(&join), Poll::Ready(Some(Ok(true)))));
            }
            assert!(matches!(outcome(&wide), Poll::Ready(Some(Ok(Wide(5))))));
        }
    }

    #[test]
    fn a_turn_that_is_never_taken_keeps_the_task_for_teardown() {
        let home = Home::new();
        let dropped = Dropped::default();
        let held = dropped.held();
        let (task, join) = spawn(&home.0, async move { drop(held) });
        drop((task, join));
        assert!(!dropped.is_set());
        home.drop_tasks();
        assert!(dropped.is_set());
    }

    #[test]
    #[cfg_attr(miri, ignore)] // it leaks: that is what it is about
    fn a_loop_that_is_forgotten_leaks_its_tasks_though_all_wakers_are_dropped_elsewhere() {
        let home = Home::new();
        let drops = Arc::new(());
        let held = drops.clone();
        let (future, wakers) = give_wakers(held);
        forget(home.spawn(future));
        home.run();
        let waker = wakers.recv().unwrap();
        home::replace(None);
        forget(home);
        thread::spawn(move || drop(waker)).join().unwrap();
        assert_eq!(Arc::strong_count(&drops), 2, "neither dropped here nor there");
    }
}
