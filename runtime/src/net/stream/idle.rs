//! The idle timeout of a stream.
//!
//! Each read and each progress of a write notes the loop's cached time, a store. The timer is not
//! moved for that: when it comes up it looks at the note, and waits for the rest.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::kind::StreamHandle;
use super::resource::{IDLE, READING, Stream};
use crate::base::Key;
use crate::base::clock::saturating_ns;
use crate::event_loop::{Dispatcher, Flow, Resource};

#[derive(Debug)]
pub(crate) struct Idle {
    limit_ns: u64,
    active_at_ns: u64,
    timer: Option<Key>,
}

impl<S: StreamHandle> Stream<S> {
    pub(crate) fn set_idle_timeout(&self, limit: Option<Duration>) {
        self.disarm_idle();
        if let Some(limit) = limit.filter(|_| !self.handle().is_closing()) {
            let (now, limit_ns) = (self.state().update_time(), saturating_ns(limit));
            let timer = Some(self.arm_idle(now.saturating_add(limit_ns)));
            let idle = Box::new(Idle { limit_ns, active_at_ns: now, timer });
            self.with_rare(|rare| rare.idle = Some(idle));
            self.set(IDLE, true);
        }
    }

    fn arm_idle(&self, deadline_ns: u64) -> Key {
        self.state().arm(deadline_ns, self.handle().slot())
    }

    pub(crate) fn disarm_idle(&self) {
        if !self.has(IDLE) {
            return;
        }
        self.set(IDLE, false);
        let idle = self.ask_rare(|rare| rare.idle.take());
        if let Some(timer) = idle.and_then(|idle| idle.timer) {
            self.state().disarm(timer);
        }
    }

    /// Something was read or written.
    pub(crate) fn note_activity(&self) {
        if self.has(IDLE) {
            let now = self.state().now_ns();
            self.ask_rare(|rare| {
                if let Some(idle) = &mut rare.idle {
                    idle.active_at_ns = now;
                }
            });
        }
    }

    pub(crate) fn idle_timer(self: Rc<Self>, d: &mut Dispatcher<'_>) -> Flow {
        let deadline = self.ask_rare(|rare| {
            let idle = rare.idle.as_mut()?;
            idle.timer = None;
            Some(idle.active_at_ns.saturating_add(idle.limit_ns))
        });
        let Some(deadline) = deadline else { return Ok(()) };
        if deadline > self.state().now_ns() {
            let timer = self.arm_idle(deadline);
            self.ask_rare(|rare| {
                if let Some(idle) = &mut rare.idle {
                    idle.timer = Some(timer);
                }
            });
            return Ok(());
        }
        self.disarm_idle();
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
