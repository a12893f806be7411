//! `FsEvent` as the loop sees it.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::hub::Hub;
use super::queue::Queue;
use super::{FsChange, FsEvent, FsEventOptions};
use crate::base::{CallbackSlot, Guarded, Waiter, Wakers};
use crate::error::Result;
use crate::event_loop::{Dispatcher, Event, Flow, Handle, Resource};
use crate::reactor::Ready;
use crate::sys::{self, WatcherId};
use crate::task::{coop, keep};

pub(super) type OnChange = dyn FnMut(&FsEvent, io::Result<FsChange>) -> Result;

pub(crate) struct Inner {
    handle: Handle,
    /// While it is started.
    watching: Guarded<Option<Watching>>,
    calls_back: Cell<bool>,
    callback: CallbackSlot<OnChange>,
    /// For tasks, if there is no callback.
    queue: Guarded<Queue>,
    readers: Wakers,
}

struct Watching {
    id: WatcherId,
    hub: Rc<Hub>,
    path: PathBuf,
}

impl Inner {
    pub(super) fn new(handle: Handle) -> Self {
        Self {
            handle,
            watching: Guarded::default(),
            calls_back: Cell::new(false),
            callback: CallbackSlot::default(),
            queue: Guarded::default(),
            readers: Wakers::default(),
        }
    }

    // --- start and stop ---

    /// Begins to watch; by callback if `callback` is one.
    pub(super) fn start(
        self: &Rc<Self>,
        path: &Path,
        options: FsEventOptions,
        callback: Option<Box<OnChange>>,
    ) -> io::Result<()> {
        self.handle.check_open()?;
        if self.is_watching() {
            return Err(sys::invalid());
        }
        let hub = Hub::of(self.handle.state())?;
        let id = hub.join(self, path, options.is_recursive)?;
        let watching = Watching { id, hub, path: path.to_owned() };
        self.watching.with(|slot| *slot = Some(watching));
        let former =
            self.queue.with(|queue| std::mem::replace(queue, Queue::new(options.queue_size)));
        drop(former);
        self.calls_back.set(callback.is_some());
        if let Some(callback) = callback {
            drop(self.callback.set(callback));
        }
        self.update();
        Ok(())
    }

    /// Watches no longer. What tasks did not take is left to them.
    fn leave(&self) {
        let watching = self.watching.with(|watching| watching.take());
        if let Some(Watching { id, hub, .. }) = watching {
            hub.leave(id);
        }
        self.calls_back.set(false);
    }

    pub(super) fn stop(&self) {
        self.leave();
        let callback = self.callback.clear();
        let queue = self.queue.take();
        self.update();
        // Who waits is told that nothing will come.
        self.readers.wake();
        drop((callback, queue));
    }

    pub(super) fn is_watching(&self) -> bool {
        self.watching.with(|watching| watching.is_some())
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        self.watching.with(|watching| watching.as_ref().map(|watching| watching.path.clone()))
    }

    fn hub(&self) -> Option<Rc<Hub>> {
        self.watching.with(|watching| watching.as_ref().map(|watching| watching.hub.clone()))
    }

    /// Brings the liveness in line: a callback keeps the loop alive, and so does a task that waits.
    fn update(&self) {
        self.handle.set_active(self.calls_back.get() || !self.readers.is_empty());
        self.handle.hold(self.calls_back.get());
    }

    // --- changes ---

    /// Tells a change: calls back, or keeps it for a task.
    pub(super) fn tell(
        self: Rc<Self>,
        change: io::Result<FsChange>,
        d: &mut Dispatcher<'_>,
    ) -> Flow {
        let is_last = matches!(change, Ok(FsChange::Gone));
        if !self.calls_back.get() {
            let refused = self.queue.with(|queue| queue.push(change));
            drop(refused);
            if is_last {
                self.leave();
            }
            self.readers.wake();
            self.update();
            return d.checkpoint();
        }
        let event = FsEvent(self);
        let Some(mut callback) = event.0.callback.take() else { return Ok(()) };
        if is_last {
            // Stopped already when it is called: it may start anew.
            event.0.stop();
        }
        let result = callback(&event, change);
        drop(callback);
        d.done(result)
    }

    /// The next change; `None` if all were taken and nothing is watched.
    pub(super) fn poll_changed(
        &self,
        cx: &mut Context<'_>,
        waiter: &mut Option<Waiter>,
    ) -> Poll<Option<io::Result<FsChange>>> {
        if let Err(error) = self.handle.check_open() {
            return Poll::Ready(Some(Err(error)));
        }
        if self.calls_back.get() {
            return Poll::Ready(Some(Err(sys::already())));
        }
        std::task::ready!(coop::poll_proceed(cx));
        let change = self.queue.with(Queue::pop);
        if change.is_some() || !self.is_watching() {
            return Poll::Ready(change);
        }
        coop::made_no_progress();
        self.readers.register(waiter, keep(cx));
        self.update();
        Poll::Pending
    }

    /// Who waited does so no longer.
    pub(super) fn forget(&self, waiter: Option<Waiter>) {
        if waiter.is_some_and(|waiter| self.readers.unregister(waiter)) {
            self.update();
        }
    }

    pub(super) async fn changed(&self) -> io::Result<FsChange> {
        struct Reader<'a>(&'a Inner, Option<Waiter>);
        impl Drop for Reader<'_> {
            fn drop(&mut self) {
                self.0.forget(self.1.take());
            }
        }
        let mut reader = Reader(self, None);
        let change = poll_fn(|cx| {
            let Reader(inner, waiter) = &mut reader;
            inner.poll_changed(cx, waiter)
        });
        change.await.unwrap_or_else(|| {
            let message = "nothing is watched: `watch` was not called, or it was stopped since";
            Err(io::Error::new(io::ErrorKind::InvalidInput, message))
        })
    }
}

impl Resource for Inner {
    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn ready(self: Rc<Self>, _: Ready, d: &mut Dispatcher<'_>) -> Flow {
        let Some(hub) = self.hub() else { return Ok(()) };
        drop(self);
        hub.read(d)
    }

    fn dispatch(self: Rc<Self>, event: Event, d: &mut Dispatcher<'_>) -> Flow {
        let Some(hub) = self.hub() else { return Ok(()) };
        drop(self);
        match event {
            Event::Signalled => hub.read(d),
            _ => hub.deliver(d),
        }
    }

    fn release(&self) {
        self.leave();
        self.readers.wake();
    }

    fn discard(&self) {
        drop((self.callback.clear(), self.queue.take()));
    }
}

impl Drop for Inner {
    /// The last owner is gone.
    fn drop(&mut self) {
        self.leave();
    }
}
