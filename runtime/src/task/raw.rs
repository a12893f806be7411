//! The memory of a task: one allocation, and who may touch which part of it.
//!
//! ```text
//!   Header                                              Stage
//!   [ vtable, loop id | count, mailed | flags, links ]  [ Waiting(future) | Ended(output) ]
//!     never changes     any thread      home              home, one at a time
//! ```
//!
//! *Home* is the thread of the task's loop. Who is there, and may touch its part, is told by:
//! - a type that is not `Send`: [`Runnable`], [`Join`], [`Living`];
//! - for a waker, which may be anywhere, [`home::is_current`]: an executor's id is unique and it never
//!   leaves its thread, so where that id is the current one, that thread is home.
//!
//! *The stage* is lent while `RUNNING` is set: to a poll, or to the drop of the future. Nobody else looks
//! at it then. It is touched at home only, so neither future nor output is ever dropped elsewhere.
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
use std::pin::Pin;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use super::coop::SelfWakes;
use super::count::Count;
use super::executor::{Executor, Microtask};
use super::flags::{
    ABORTED, CLAIMS, DONE, Flags, IS_CALLBACK, JOINED, LIVING, RUNNING, SCHEDULED, WOKEN,
};
use super::home;
use super::mail::{self, Mail};
use super::stage::{Outcome, Payload, Stage};
use crate::error::Uncaught;

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
    /// Who waits for the end.
    waiter: Cell<Option<Waker>>,
}

#[repr(C)]
struct Task<F: Future> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

/// What depends on the type of the future. To all of them the caller lends the stage.
struct Vtable {
    /// See [`Stage::poll`].
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> Result<bool, Payload>,
    /// See [`Stage::cancel`].
    cancel: unsafe fn(NonNull<Header>) -> Option<Payload>,
    /// Moves the outcome into an `Outcome<F::Output>`.
    take: unsafe fn(NonNull<Header>, NonNull<()>),
    layout: Layout,
}

impl<F: Future> Task<F> {
    const VTABLE: Vtable = Vtable {
        poll: Self::poll,
        cancel: Self::cancel,
        take: Self::take,
        layout: Layout::new::<Self>(),
    };

    /// The stage, as it was lent to the caller by its caller.
    unsafe fn stage<'a>(task: NonNull<Header>) -> Pin<&'a mut Stage<F>> {
        // SAFETY: `task` points to the start of a `Task<F>`, with the provenance of all of it: only
        // `allocate` makes such pointers, with this vtable. Nobody else uses the stage, and it is neither
        // moved nor freed with a future in it.
        unsafe { Pin::new_unchecked(&mut *(*task.cast::<Self>().as_ptr()).stage.get()) }
    }

    unsafe fn poll(task: NonNull<Header>, cx: &mut Context<'_>) -> Result<bool, Payload> {
        // SAFETY: the caller lends the stage.
        unsafe { Self::stage(task) }.poll(cx, flags(task), executor(task))
    }

    unsafe fn cancel(task: NonNull<Header>) -> Option<Payload> {
        // SAFETY: the caller lends the stage.
        unsafe { Self::stage(task) }.cancel()
    }

    unsafe fn take(task: NonNull<Header>, to: NonNull<()>) {
        // SAFETY: the caller lends the stage.
        let outcome = unsafe { Self::stage(task) }.take();
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

fn allocate<F: Future>(executor: &Rc<Executor>, future: F, flags: u8) -> NonNull<Header> {
    let header = Header {
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
    };
    let task = Box::new(Task { header, stage: UnsafeCell::new(Stage::Waiting { future }) });
    let task = NonNull::from(Box::leak(task)).cast();
    executor.living().link(task);
    task
}

// --- what all pointers to a task have in common ---

/// The header, for as long as the pointer it came from refers to the task.
#[inline]
fn header<'a>(task: NonNull<Header>) -> &'a Header {
    // SAFETY: a `NonNull<Header>` is kept by types of this file only, each of which has a reference. What
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

/// Whether this is home, and home has a claim: then references are counted in `local`.
#[inline]
fn counts_at_home(task: NonNull<Header>) -> bool {
    home::is_current(header(task).loop_id) && flags(task).has(CLAIMS)
}

/// Counts one reference more. By who has one.
#[inline]
fn retain(task: NonNull<Header>) {
    let count = &header(task).count;
    if counts_at_home(task) { count.retain_at_home() } else { count.retain_shared() }
}

/// Gives one reference up. By who has one.
#[inline]
fn release(task: NonNull<Header>) {
    let count = &header(task).count;
    if counts_at_home(task) {
        count.release_at_home();
    } else if count.release_shared() {
        free(task);
    }
}

/// Gives claims up, and home's reference with the last of them. At home only.
#[inline]
fn unclaim(task: NonNull<Header>, claims: u8) {
    let header = header(task);
    header.flags.change(claims, 0);
    if header.flags.has(CLAIMS) {
        return;
    }
    // SAFETY: made by `Rc::into_raw`; home had its last claim.
    let executor = unsafe { Rc::from_raw(header.executor) };
    if header.count.leave() {
        free(task);
    }
    drop(executor);
}

fn free(task: NonNull<Header>) {
    let layout = header(task).vtable.layout;
    // SAFETY: the last reference is gone, and home's claims before it: the stage holds nothing, and there
    // is no waiter without a `Join`. It was allocated by a `Box` of this layout.
    unsafe { dealloc(task.as_ptr().cast(), layout) };
}

fn wake(task: NonNull<Header>) {
    if home::is_current(header(task).loop_id) { wake_at_home(task) } else { wake_by_mail(task) }
}

#[inline]
fn wake_at_home(task: NonNull<Header>) {
    let flags = flags(task);
    if flags.has(SCHEDULED | WOKEN | DONE) {
        return;
    }
    if flags.has(RUNNING) {
        flags.change(0, WOKEN);
    } else {
        flags.change(0, SCHEDULED);
        executor(task).push(Microtask::Task(Runnable(task)));
    }
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

/// The future is gone: whoever waits for that is woken, last of all.
fn finish(task: NonNull<Header>) {
    let header = header(task);
    header.mailed.store(true, Relaxed);
    if flags(task).has(LIVING) {
        executor(task).living().unlink(task);
    }
    header.flags.change(0, DONE);
    let waiter = header.waiter.take();
    unclaim(task, RUNNING | LIVING);
    if let Some(waiter) = waiter {
        waiter.wake();
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
        if !home::is_current(header(task).loop_id) || flags(task).has(DONE) {
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
    |data| {
        wake(task_of(data));
        release(task_of(data));
    },
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
    /// It ended by a panic that is to be raised again.
    Unwinds(Payload),
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
            Ok(false) => Self::pending(task),
            Ok(true) => {
                finish(task);
                Turn::Ended
            }
            Err(payload) => {
                finish(task);
                Turn::Unwinds(payload)
            }
        }
    }

    #[inline]
    fn pending(task: NonNull<Header>) -> Turn {
        let flags = flags(task);
        if !flags.has(LIVING) {
            // The loop went away meanwhile.
            cancel(task);
            return Turn::Ended;
        }
        if !flags.has(WOKEN) {
            flags.change(RUNNING, 0);
            return Turn::Waits;
        }
        flags.change(RUNNING | WOKEN, SCHEDULED);
        Turn::Again(Self(task))
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

/// The right to a task's output.
pub(super) struct Join<T> {
    task: NonNull<Header>,
    output: PhantomData<fn() -> T>,
}

impl<T> Join<T> {
    pub(super) fn executor(&self) -> Rc<Executor> {
        // SAFETY: home has a claim, and so a count of it, which stays.
        let owned = ManuallyDrop::new(unsafe { Rc::from_raw(header(self.task).executor) });
        Rc::clone(&owned)
    }

    pub(super) fn is_finished(&self) -> bool {
        flags(self.task).has(DONE)
    }

    /// Makes the task's next turn its last, if it has not ended.
    pub(super) fn abort(&self) {
        if !self.is_finished() {
            flags(self.task).change(0, ABORTED);
            wake(self.task);
        }
    }

    /// The output, `None` if there is none: the task was cancelled, or this was asked before.
    pub(super) fn poll(&self, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        if !flags(self.task).is_over() {
            self.wait(cx.waker());
            // That was foreign code: look again.
            if !flags(self.task).is_over() {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.take())
    }

    fn wait(&self, waker: &Waker) {
        let waiter = &header(self.task).waiter;
        let known = waiter.take().filter(|known| known.will_wake(waker));
        let replaced = waiter.replace(Some(known.unwrap_or_else(|| waker.clone())));
        drop(replaced);
    }

    fn take(&self) -> Outcome<T> {
        let mut output = None;
        if flags(self.task).is_over() {
            // SAFETY: the stage is not lent, and this `Join` was made with the type of the output.
            unsafe {
                (header(self.task).vtable.take)(self.task, NonNull::from(&mut output).cast())
            };
        }
        output
    }
}

impl<T> Drop for Join<T> {
    #[inline]
    fn drop(&mut self) {
        let output = match self.take() {
            Some(Ok(output)) => Some(output),
            // A panic that nobody sees any more.
            Some(Err(payload)) => {
                report(self.task, payload);
                None
            }
            None => None,
        };
        let waiter = header(self.task).waiter.take();
        unclaim(self.task, JOINED);
        drop((waiter, output));
    }
}

/// The tasks of an executor whose future is there, the oldest first. Without it a task that left no
/// waker anywhere would be freed with its future never dropped; and teardown has to reach them all.
#[derive(Default)]
pub(super) struct Living {
    first: Cell<Link>,
    last: Cell<Link>,
    len: Cell<usize>,
}

impl Living {
    pub(super) fn len(&self) -> usize {
        self.len.get()
    }

    #[inline]
    fn link(&self, task: NonNull<Header>) {
        let last = self.last.replace(Some(task));
        header(task).previous.set(last);
        last.map_or(&self.first, |last| &header(last).next).set(Some(task));
        self.len.set(self.len.get() + 1);
    }

    #[inline]
    fn unlink(&self, task: NonNull<Header>) {
        let (previous, next) = (header(task).previous.take(), header(task).next.take());
        previous.map_or(&self.first, |previous| &header(previous).next).set(next);
        next.map_or(&self.last, |next| &header(next).previous).set(previous);
        self.len.set(self.len.get() - 1);
    }

    /// Drops the future of the oldest task. One that is polled just now loses it when the poll returns.
    pub(super) fn cancel_first(&self) {
        let Some(task) = self.first.get() else { return };
        if flags(task).has(RUNNING) {
            self.unlink(task);
            unclaim(task, LIVING);
        } else {
            cancel(task);
        }
    }
}
