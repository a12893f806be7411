//! The idle timeout of a stream.
//!
//! Each read and each progress of a write notes the loop's cached time, a store. The timer is not
//! moved for that: when it comes up it looks at the note, and waits for the rest.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::kind::StreamHandle;
use super::resource::{READING, Stream};
use crate::base::Key;
use crate::base::clock::saturating_ns;
use crate::event_loop::{Dispatcher, Flow, Resource, TimerTarget};

#[derive(Debug)]
pub(crate) struct Idle {
    limit_ns: u64,
    active_at_ns: Cell<u64>,
    timer: Cell<Option<Key>>,
}

impl<S: StreamHandle> Stream<S> {
    pub(crate) fn set_idle_timeout(&self, limit: Option<Duration>) {
        self.disarm_idle();
        let limit = limit.filter(|_| !self.handle().is_closing());
        let idle = limit.map(|limit| {
            let (now, limit_ns) = (self.state().update_time(), saturating_ns(limit));
            let timer = self.arm_idle(now.saturating_add(limit_ns));
            Box::new(Idle { limit_ns, active_at_ns: Cell::new(now), timer: Cell::new(Some(timer)) })
        });
        self.idle.set(idle);
    }

    fn arm_idle(&self, deadline_ns: u64) -> Key {
        self.state().arm(deadline_ns, TimerTarget::Resource(self.handle().slot()))
    }

    pub(crate) fn disarm_idle(&self) {
        if let Some(idle) = self.idle.take()
            && let Some(timer) = idle.timer.take()
        {
            self.state().disarm(timer);
        }
    }

    /// Something was read or written.
    #[inline]
    pub(crate) fn note_activity(&self) {
        if let Some(idle) = self.idle.take() {
            idle.active_at_ns.set(self.state().now_ns());
            self.idle.set(Some(idle));
        }
    }

    pub(crate) fn idle_timer(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        let Some(idle) = self.idle.take() else { return Ok(()) };
        let deadline = idle.active_at_ns.get().saturating_add(idle.limit_ns);
        if deadline > self.state().now_ns() {
            idle.timer.set(Some(self.arm_idle(deadline)));
            self.idle.set(Some(idle));
            return Ok(());
        }
        let message = "nothing was read or written for the idle timeout";
        let error = io::Error::new(io::ErrorKind::TimedOut, message);
        if self.has(READING) {
            let stream = S::wrap(self);
            return stream.stream().read_failed(&stream, error, d);
        }
        self.close_with(error);
        d.checkpoint()
    }
}
