//! The end of a loop.
//!
//! In this order: what `on_exit` installed; tasks; handles; requests; queues; and again, since a
//! user's Drop may hand something in. On a dead loop that is inert: nothing new is accepted, so it
//! ends. A panic in a Drop does not stop the rest; the first one is raised at the end.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Instant;

use super::{Loop, State, handle};
use crate::sys;
use crate::task::ExitPayload;

impl Drop for Loop {
    fn drop(&mut self) {
        let _here = self.enter();
        let state = self.state();
        let mut end = End::default();
        if state.exiting.get().is_none() {
            let code = if std::thread::panicking() { 101 } else { 0 };
            end.guard(|| state.emit_exit(code));
        }
        state.wait_for_jobs(&mut end);
        state.die();
        for _ in 0..2 {
            // The second round meets what Drop code of the first one left, such as a waker.
            state.drop_all(&mut end);
        }
        sys::let_pipes_drain();
        if let Some(payload) = end.panic.take()
            && !std::thread::panicking()
        {
            resume_unwind(payload);
        }
    }
}

/// Runs drops, and keeps the first panic.
#[derive(Default)]
struct End {
    panic: Option<Box<dyn Any + Send>>,
}

impl End {
    fn guard(&mut self, f: impl FnOnce()) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
            match &self.panic {
                // `exit` in a Drop, which comes too late: there is no run to unwind to.
                _ if payload.is::<ExitPayload>() => {}
                None => self.panic = Some(payload),
                // Its own drop may panic once more.
                Some(_) => std::mem::forget(payload),
            }
        }
    }

    fn drop_each<T>(&mut self, all: impl IntoIterator<Item = T>) {
        for one in all {
            self.guard(|| drop(one));
        }
    }
}

impl State {
    /// Gives jobs of this loop that are in the pool the time that the builder allows. Their results are
    /// nobody's any more, so what only asks is not waited for.
    fn wait_for_jobs(&self, end: &mut End) {
        // A timeout that is too long for the clock is for ever.
        let deadline = Instant::now().checked_add(self.config.shutdown_timeout);
        while self.jobs.have_effects_under_way() {
            let completion = self.mailbox.completed.pop();
            let completion = completion.or_else(|| self.sending.wait_for_completion(deadline));
            let Some(completion) = completion else { return };
            self.abandon_job(completion.key(), |step| end.guard(step));
            end.guard(|| drop(completion));
        }
    }

    fn drop_all(&self, end: &mut End) {
        self.executor.drop_tasks(|drop_one| end.guard(drop_one));
        end.drop_each(self.mailbox.mail.take());
        for resource in self.registry.all() {
            end.guard(|| handle::abandon(&resource));
            let link = self.registry.free(resource.handle().slot());
            end.guard(|| drop((link, resource)));
        }
        self.abandon_jobs(|step| end.guard(step));
        end.drop_each(self.mailbox.completed.take());
        end.drop_each(std::iter::from_fn(|| self.ticks.pop()));
        end.drop_each(self.checkpoint_ends.take());
        end.drop_each(self.lists.with(|lists| lists.take_actions()));
        end.drop_each(self.immediates.with(|immediates| immediates.take_actions()));
        end.drop_each(self.pending.take());
        end.drop_each(self.closing.take());
        end.drop_each(self.closing_now.take());
        end.drop_each(self.signalled.take());
        end.drop_each(self.hooks.before_exit.take());
        end.drop_each(self.hooks.on_exit.take());
        end.drop_each(self.hooks.uncaught.clear());
        end.drop_each(self.hooks.unhandled.clear());
        while let Some(error) = self.executor.next_unobserved() {
            end.guard(|| drop(error));
        }
    }
}
