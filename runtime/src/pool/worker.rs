//! Workers: the threads of a pool, who sleeps and who is woken.
//!
//! ```text
//!  starting ──┐
//!             ├──▶ working ── nothing may run ──▶ idle ── a job, nobody on the way ──▶ called
//!  called ────┘       └────── nothing may run, no handle left ──▶ ended
//! ```
//!
//! Starting and called workers are *on the way*: each will look for a job. A job wakes somebody
//! only if nobody is; a worker that arrives and leaves work behind wakes the next. Hence, whenever
//! the lock is free: if a job may run and a worker is idle, another is on the way.

use std::{io, sync::Arc, thread};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{
    job::Job,
    lanes::{Lane, Lanes},
};

/// As libuv.
const STACK_BYTES: usize = 8 << 20;

/// The threads of one pool and what they work on.
pub(super) struct Crew {
    state: Mutex<State>,
    /// Where idle workers sleep until `calls` says otherwise.
    bell: Condvar,
    /// How many threads there may be.
    size: usize,
}

struct State {
    lanes: Lanes,
    /// Threads that exist, whatever they do.
    started: usize,
    /// Of those, the ones that have not had the lock yet.
    starting: usize,
    /// Workers that sleep and have not been called.
    idle: usize,
    /// Calls not answered yet. Any sleeping worker may answer any call, so a wake-up out of the
    /// blue does no harm.
    calls: usize,
    /// No handle is left: who finds nothing to do ends.
    is_closing: bool,
    /// For the next thread: a field, so that a test can ask for more than any system grants.
    stack_bytes: usize,
}

impl Crew {
    /// A crew of up to `size` threads, none of them started.
    pub(super) fn new(size: usize) -> Crew {
        let state = State {
            lanes: Lanes::new(size),
            started: 0,
            starting: 0,
            idle: 0,
            calls: 0,
            is_closing: false,
            stack_bytes: STACK_BYTES,
        };
        Crew { state: Mutex::new(state), bell: Condvar::new(), size }
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Queues `job` and sees to it that somebody comes for it.
    pub(super) fn submit(self: &Arc<Self>, lane: Lane, job: Arc<dyn Job>) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.lanes.runnable() >= state.idle + state.on_the_way() && state.started < self.size {
            // Under the lock: nobody counts on a thread that does not come to be. Starts are few.
            match self.start(&state) {
                Ok(()) => {
                    state.started += 1;
                    state.starting += 1;
                }
                Err(error) if state.started == 0 => return Err(error),
                // Those that run come to the job; the next that finds nobody free asks again.
                Err(_) => {}
            }
        }
        state.lanes.push(lane, job);
        let call = state.call_somebody();
        drop(state);
        self.ring(call);
        Ok(())
    }

    /// Lets the threads end that have nothing to do, now and later.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closing = true;
        state.calls += state.idle;
        state.idle = 0;
        drop(state);
        self.bell.notify_all();
    }

    fn start(self: &Arc<Self>, state: &State) -> io::Result<()> {
        let crew = self.clone();
        // Nobody joins it: a job that never ends must not keep the process from ending.
        thread::Builder::new()
            .name(format!("runtime-pool-{}", state.started))
            .stack_size(state.stack_bytes)
            .spawn(move || crew.work())
            .map(drop)
    }

    /// The life of a worker.
    fn work(&self) {
        let mut state = self.state.lock();
        state.starting -= 1;
        loop {
            if let Some(taken) = state.lanes.take() {
                let call = state.call_somebody();
                MutexGuard::unlocked(&mut state, || {
                    self.ring(call);
                    taken.job.run();
                    drop(taken.job);
                });
                if taken.is_slow {
                    state.lanes.slow_done();
                }
            } else if state.is_closing {
                // Slow jobs that wait at their limit are for the workers that run slow jobs now.
                return;
            } else {
                state.idle += 1;
                while state.calls == 0 {
                    self.bell.wait(&mut state);
                }
                state.calls -= 1;
            }
        }
    }

    /// Wakes one worker if there is a call. Not under the lock: the woken would wait for it.
    fn ring(&self, call: bool) {
        if call {
            self.bell.notify_one();
        }
    }
}

impl State {
    fn on_the_way(&self) -> usize {
        self.starting + self.calls
    }

    /// Notes a call if one is needed: then the bell must be rung.
    fn call_somebody(&mut self) -> bool {
        let call = self.idle > 0 && self.on_the_way() == 0 && self.lanes.runnable() > 0;
        if call {
            self.idle -= 1;
            self.calls += 1;
        }
        call
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crossbeam_channel::bounded;

    use super::{super::job::Slot, *};

    const DEADLINE: Duration = Duration::from_secs(20);

    fn job(work: impl FnOnce() + Send + 'static) -> Arc<dyn Job> {
        Arc::new(Slot::new(work))
    }

    /// Yields until `expected` holds. For what only the lock can tell: that a worker fell asleep.
    fn wait_until(crew: &Crew, expected: impl Fn(&State) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !expected(&crew.state.lock()) {
            assert!(Instant::now() < end, "nothing happened");
            thread::yield_now();
        }
    }

    /// Ends the workers and waits for it: each holds the crew while it lives.
    fn close(crew: &Arc<Crew>) {
        crew.close();
        wait_until(crew, |_| Arc::strong_count(crew) == 1);
    }

    /// Submits jobs of which none ends before all have started, and waits for their end.
    fn burst(crew: &Arc<Crew>, jobs: usize) {
        let (gate, at_gate) = bounded::<()>(0);
        let (running, all) = bounded(jobs);
        for _ in 0..jobs {
            let (running, at_gate) = (running.clone(), at_gate.clone());
            let waits = move || {
                running.send(()).unwrap();
                let _ = at_gate.recv_timeout(DEADLINE); // until `gate` is dropped
            };
            crew.submit(Lane::Fast, job(waits)).unwrap();
        }
        for _ in 0..jobs {
            all.recv_timeout(DEADLINE).expect("all run at once");
        }
        drop(gate);
        wait_until(crew, |state| state.idle == state.started);
    }

    #[test]
    fn a_thread_starts_only_for_a_job_that_finds_none_free() {
        let crew = Arc::new(Crew::new(4));
        assert_eq!(crew.state.lock().started, 0);
        for _ in 0..3 {
            burst(&crew, 1);
            assert_eq!(crew.state.lock().started, 1);
        }
        for _ in 0..3 {
            burst(&crew, 3);
            assert_eq!(crew.state.lock().started, 3);
        }
        close(&crew);
    }

    #[test]
    fn there_are_never_more_threads_than_the_size_says() {
        let crew = Arc::new(Crew::new(2));
        let (done, all) = bounded(1000);
        for _ in 0..1000 {
            let done = done.clone();
            crew.submit(Lane::Cpu, job(move || done.send(()).unwrap())).unwrap();
            assert!(crew.state.lock().started <= 2);
        }
        for _ in 0..1000 {
            all.recv_timeout(DEADLINE).unwrap();
        }
        close(&crew);
    }

    #[test]
    fn a_burst_wakes_every_sleeper_and_starts_who_is_missing() {
        for _ in 0..50 {
            let crew = Arc::new(Crew::new(6));
            burst(&crew, 3);
            burst(&crew, 3);
            assert_eq!(crew.state.lock().started, 3);
            burst(&crew, 6);
            burst(&crew, 6);
            assert_eq!(crew.state.lock().started, 6);
            close(&crew);
        }
    }

    #[test]
    fn no_job_is_left_to_a_sleeper_nobody_wakes() {
        let crew = Arc::new(Crew::new(3));
        burst(&crew, 3);
        // A slow job that ends makes the next one runnable, with no submit to wake anybody.
        for _ in 0..200 {
            let (done, all) = bounded(10);
            for lane in [Lane::Slow, Lane::Fast, Lane::Slow, Lane::Slow, Lane::Cpu] {
                let done = done.clone();
                crew.submit(lane, job(move || done.send(()).unwrap())).unwrap();
            }
            for _ in 0..5 {
                all.recv_timeout(DEADLINE).expect("all run");
            }
        }
        close(&crew);
    }

    // Linux has no room for such a stack; elsewhere the start may fail in another way, or succeed.
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    #[test]
    fn a_refused_thread_is_an_error_only_while_there_is_none() {
        let crew = Arc::new(Crew::new(2));
        crew.state.lock().stack_bytes = 1 << 60;
        let (dropped, watch) = bounded::<()>(1);
        crew.submit(Lane::Slow, job(move || dropped.send(()).unwrap())).unwrap_err();
        assert!(watch.recv_timeout(DEADLINE).is_err(), "the closure is gone and did not run");
        assert_eq!(crew.state.lock().lanes.runnable(), 0);

        crew.state.lock().stack_bytes = STACK_BYTES;
        let (gate, at_gate) = bounded::<()>(1);
        crew.submit(Lane::Slow, job(move || at_gate.recv_timeout(DEADLINE).unwrap())).unwrap();
        wait_until(&crew, |state| state.lanes.runnable() == 0);
        crew.state.lock().stack_bytes = 1 << 60;
        let (ran, watch) = bounded::<()>(1);
        crew.submit(Lane::Fast, job(move || ran.send(()).unwrap())).unwrap();
        assert_eq!(crew.state.lock().started, 1);
        gate.send(()).unwrap();
        watch.recv_timeout(DEADLINE).expect("the one that runs comes to it");
        close(&crew);
    }
}
