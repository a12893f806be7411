//! Workers: the threads of a pool, who sleeps and who is woken.
//!
//! ```text
//!  starting ──┐                                 ┌─ nobody is on the way ─▶ lingers ─┐
//!  called ────┼──▶ working ── nothing may run ──┴──────────────────────────────────┴─▶ idle
//!  lingers ───┘       └────── nothing may run, no handle left ──▶ ended                 │
//!                              called ◀── a job, nobody on the way ─────────────────────┘
//! ```
//!
//! Starting, called and lingering workers are *on the way*: each will look for a job. A job wakes somebody
//! only if nobody is; a worker that arrives and leaves work behind wakes the next. Hence, whenever
//! both locks are free: if a job may run and a worker is idle, another is on the way.
//!
//! Two locks, `front` before `back`. A worker with work needs the front only, who submits the back
//! only. Both are held where it is decided that nothing may run, so nothing can slip in between that
//! look and the sleep.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::{fmt, io, thread};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::courier::Courier;
use super::grants::Grants;
use super::job::Job;
use super::lanes::{Back, Front, Lane, Taken, Ticket, Which};
use super::metrics::PoolMetrics;
use super::tally::Tally;
use super::times::{self, LaneTimes};
use crate::base::Apart;
use crate::error;

/// Some 10 us: what it takes to wake a thread. With a stream of empty jobs that is 4.0 to 4.5 million a
/// second where it was 1.4 to 4.2, and a round trip takes 4 us in place of 7 to 31.
const LINGER_PAUSES: usize = 400;

/// As libuv.
const STACK_BYTES: usize = 8 << 20;

/// The threads of one pool and what they work on.
pub(super) struct Crew {
    // Apart: the locks are there to keep the threads from meeting.
    front: Apart<Mutex<Front>>,
    back: Apart<Mutex<Entrance>>,
    /// Where idle workers sleep until `calls` says otherwise.
    bell: Condvar,
    /// Counts the jobs, under the lock of the back, for who lingers and has no lock.
    submitted: Apart<AtomicUsize>,
    /// Whether the back has a job that goes before those of the CPU: for who has work of that kind at the
    /// front, and not the lock of the back.
    has_urgent: Apart<AtomicBool>,
    /// One for each thread that was started.
    tallies: Mutex<Vec<Arc<Apart<Tally>>>>,
    /// Whether the times of jobs are taken that are submitted.
    records_times: AtomicBool,
    times: [Arc<LaneTimes>; Lane::ALL.len()],
    /// Who has got room and is not told yet.
    grants: Grants,
    /// How many threads there may be.
    size: usize,
}

/// The back of the lanes, and who is there to be woken.
// In this order: the counts, and what a job needs of the back, share a cache line with the lock. Numbers
// of threads fit in 16 bits.
#[repr(C)]
struct Entrance {
    /// Threads that exist, whatever they do.
    started: u16,
    /// Of those, the ones that are awake for a job and have not looked for it yet.
    coming: u16,
    /// Workers that sleep and have not been called.
    idle: u16,
    /// Calls not answered yet. Any sleeping worker may answer any call, so a wake-up out of the
    /// blue does no harm.
    calls: u16,
    /// Threads may have to be started yet, or times are taken.
    needs_care: bool,
    jobs: Back,
    /// No handle is left: who finds nothing to do ends.
    is_closing: bool,
    /// For the next thread: a field, so that a test can ask for more than any system grants.
    stack_bytes: usize,
}

/// The system gave no thread, and there is none yet.
pub(crate) struct Refused {
    /// For the caller to drop.
    pub(crate) job: Box<dyn Job>,
    pub(crate) error: io::Error,
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Refused").field(&self.error).finish()
    }
}

/// What a worker did before it looks for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// It began, or slept.
    Away,
    Job,
    SlowJob,
}

impl Crew {
    /// A crew of up to `size` threads, none of them started.
    pub(super) fn new(size: usize) -> Crew {
        let entrance = Entrance {
            jobs: Back::default(),
            started: 0,
            coming: 0,
            idle: 0,
            calls: 0,
            needs_care: true,
            is_closing: false,
            stack_bytes: STACK_BYTES,
        };
        Crew {
            front: Apart(Mutex::new(Front::new(size))),
            back: Apart(Mutex::new(entrance)),
            bell: Condvar::new(),
            submitted: Apart::default(),
            has_urgent: Apart::default(),
            tallies: Mutex::default(),
            records_times: AtomicBool::new(false),
            times: Default::default(),
            grants: Grants::default(),
            size,
        }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Queues `job` and sees to it that somebody comes for it.
    pub(super) fn submit(
        self: &Arc<Self>,
        lane: Lane,
        job: Box<dyn Job>,
    ) -> Result<Ticket, Refused> {
        let mut back = self.back.lock();
        if lane == Lane::Slow || back.needs_care {
            drop(back);
            return self.submit_with_care(lane, job);
        }
        let ticket = back.jobs.push(lane, job);
        if lane != Lane::Cpu {
            self.note_urgent(&back);
        }
        self.count_submitted();
        let call = back.call_somebody();
        drop(back);
        self.ring(call);
        Ok(ticket)
    }

    /// Submits what a thread may have to be started for, what may have to wait, and what is timed.
    fn submit_with_care(
        self: &Arc<Self>,
        lane: Lane,
        mut job: Box<dyn Job>,
    ) -> Result<Ticket, Refused> {
        if self.records_times.load(Relaxed) {
            job = times::timed(job, &self.times[lane as usize]);
        }
        let mut front = self.front.lock();
        let mut back = self.back.lock();
        let free = usize::from(back.idle + back.on_the_way());
        if front.runnable(&back.jobs) >= free && usize::from(back.started) < self.size {
            // Under the locks: nobody counts on a thread that does not come to be. Starts are few.
            match self.start(&back) {
                Ok(()) => {
                    back.started += 1;
                    self.settle(&mut back);
                    back.coming += 1;
                }
                Err(error) if back.started == 0 => {
                    return Err(Refused { job, error: no_thread(error) });
                }
                // Those that run come to the job; the next that finds nobody free asks again.
                Err(_) => {}
            }
        }
        let ticket = front.push(&mut back.jobs, lane, job);
        self.note_urgent(&back);
        self.count_submitted();
        let call = front.runnable(&back.jobs) > 0 && back.call_somebody();
        drop((front, back));
        self.ring(call);
        Ok(ticket)
    }

    /// Under the lock of the back, so that nobody else writes to it.
    #[inline]
    fn count_submitted(&self) {
        self.submitted.store(self.submitted.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Tells the workers whether the back has an urgent job. Under the lock of the back.
    #[inline]
    fn note_urgent(&self, back: &Entrance) {
        let has_urgent = back.jobs.has_urgent();
        // It mostly is so already, and then the cache line stays with all who read it.
        if self.has_urgent.load(Relaxed) != has_urgent {
            self.has_urgent.store(has_urgent, Relaxed);
        }
    }

    pub(super) fn record_times(&self, on: bool) {
        let mut back = self.back.lock();
        self.records_times.store(on, Relaxed);
        self.settle(&mut back);
    }

    /// Notes whether a job may be queued without a further look.
    fn settle(&self, back: &mut Entrance) {
        let may_start = usize::from(back.started) < self.size;
        back.needs_care = may_start || self.records_times.load(Relaxed);
    }

    /// Takes a job back that no worker has taken.
    pub(super) fn cancel(&self, ticket: Ticket) -> Option<Box<dyn Job>> {
        let mut front = self.front.lock();
        let mut back = self.back.lock();
        let job = front.remove(&mut back.jobs, ticket);
        let granted = self.grant(&mut front, &back);
        drop((front, back));
        self.tell(granted);
        job
    }

    // --- room ---

    /// Bounds how many CPU jobs may wait.
    pub(super) fn set_queue_limit(&self, limit: Option<usize>) {
        let mut front = self.front.lock();
        let back = self.back.lock();
        front.room.set_limit(limit);
        let granted = self.grant(&mut front, &back);
        drop((front, back));
        self.tell(granted);
    }

    pub(super) fn queue_limit(&self) -> Option<usize> {
        self.front.lock().room.limit()
    }

    /// Reserves room for a CPU job, which `release` gives back; false: there is none.
    pub(super) fn try_reserve(&self) -> bool {
        let mut front = self.front.lock();
        let back = self.back.lock();
        let (queued, free) = self.in_sight(&front, &back);
        front.room.reserve(queued, free)
    }

    /// Lets `job` wait for room, behind who waits already. When there is some it is reserved, and the
    /// job is run where that is noticed, and brought home.
    pub(super) fn wait_for_room(&self, job: Box<dyn Job>) -> Ticket {
        let mut front = self.front.lock();
        let mut back = self.back.lock();
        let serial = back.jobs.next_serial();
        front.room.wait(serial, job);
        let granted = self.grant(&mut front, &back);
        drop((front, back));
        self.tell(granted);
        Ticket { line: Which::Room, serial }
    }

    /// Room that was reserved is used by a job that is queued, or is not needed.
    pub(super) fn release(&self) {
        let mut front = self.front.lock();
        let back = self.back.lock();
        front.room.release();
        let granted = self.grant(&mut front, &back);
        drop((front, back));
        self.tell(granted);
    }

    /// Gives what room there is to those who wait for it. True: somebody has got some, and is to be told,
    /// without the locks.
    #[must_use]
    #[inline]
    fn grant(&self, front: &mut Front, back: &Entrance) -> bool {
        front.room.has_waiting() && self.grant_some(front, back)
    }

    #[cold]
    fn grant_some(&self, front: &mut Front, back: &Entrance) -> bool {
        let (queued, free) = self.in_sight(front, back);
        self.grants.add(front.room.grant(queued, free))
    }

    /// Tells those who have got room.
    #[inline]
    fn tell(&self, granted: bool) {
        if granted {
            self.grants.bring();
        }
    }

    /// How many CPU jobs are queued, and how many threads are free to begin with one of them at once.
    fn in_sight(&self, front: &Front, back: &Entrance) -> (usize, usize) {
        let busy = usize::from(back.started - back.idle - back.on_the_way());
        let free = (self.size - busy).saturating_sub(front.runnable_urgent(&back.jobs));
        (front.queued(&back.jobs, Lane::Cpu), free)
    }

    // --- metrics ---

    pub(super) fn metrics(&self) -> PoolMetrics {
        let mut metrics = PoolMetrics::default();
        let front = self.front.lock();
        let back = self.back.lock();
        metrics.threads = back.started.into();
        metrics.waiting_for_room = front.room.waiting();
        for lane in Lane::ALL {
            let (of_lane, times) = (metrics.lane(lane), &self.times[lane as usize]);
            of_lane.queued = front.queued(&back.jobs, lane);
            (of_lane.wait, of_lane.run) = (times.wait.get(), times.run.get());
        }
        drop((front, back));
        for tally in self.tallies.lock().iter() {
            for lane in Lane::ALL {
                tally.add_to(lane, metrics.lane(lane));
            }
        }
        metrics.busy = Lane::ALL.map(|lane| metrics.lane(lane).running).iter().sum();
        metrics.idle = metrics.threads.saturating_sub(metrics.busy);
        metrics
    }

    // --- the end ---

    /// Lets the threads end that have nothing to do, now and later.
    pub(super) fn close(&self) {
        let mut back = self.back.lock();
        back.is_closing = true;
        back.calls += back.idle;
        back.idle = 0;
        drop(back);
        self.bell.notify_all();
    }

    fn start(self: &Arc<Self>, back: &Entrance) -> io::Result<()> {
        let (crew, tally) = (self.clone(), Arc::<Apart<Tally>>::default());
        let counted = tally.clone();
        // Nobody joins it: a job that never ends must not keep the process from ending.
        thread::Builder::new()
            .name(format!("runtime-pool-{}", back.started))
            .stack_size(back.stack_bytes)
            .spawn(move || crew.work(&tally))?;
        self.tallies.lock().push(counted);
        Ok(())
    }

    // --- the workers ---

    /// The life of a worker.
    fn work(&self, tally: &Tally) {
        let mut courier = Courier::default();
        let mut next = self.look(Before::Away, &mut courier);
        while let Some(Taken { mut job, lane }) = next {
            courier.before(lane);
            tally.begins(lane);
            job.run();
            tally.done(lane);
            courier.bring(job, lane);
            next = match lane {
                Lane::Slow => self.look(Before::SlowJob, &mut courier),
                Lane::Fast | Lane::Cpu => self.next(&mut courier),
            };
        }
    }

    /// The next job after one that was not slow.
    fn next(&self, courier: &mut Courier) -> Option<Taken> {
        let mut front = self.front.lock();
        let must_look =
            front.room.has_waiting() || front.must_refill(self.has_urgent.load(Relaxed));
        let taken = if must_look { None } else { front.take() };
        let Some(taken) = taken else {
            drop(front);
            return self.look(Before::Job, courier);
        };
        if taken.lane == Lane::Slow {
            let mut back = self.back.lock();
            front.queue_turn(&mut back.jobs);
            self.note_urgent(&back);
        }
        Some(taken)
    }

    /// Takes a job, or sleeps until there is one. `None`: no handle is left, and nothing to do.
    fn look(&self, mut before: Before, courier: &mut Courier) -> Option<Taken> {
        loop {
            let mut front = self.front.lock();
            let mut back = self.back.lock();
            match before {
                Before::Away => back.coming -= 1,
                Before::Job => {}
                Before::SlowJob => front.slow_done(),
            }
            front.queue_turn(&mut back.jobs);
            front.refill(&mut back.jobs);
            let taken = front.take().or_else(|| {
                // What was there may have been a turn of nobody.
                front.refill(&mut back.jobs);
                front.take()
            });
            if let Some(taken) = taken {
                front.queue_turn(&mut back.jobs);
                self.note_urgent(&back);
                let call = front.runnable(&back.jobs) > 0 && back.call_somebody();
                let granted = self.grant(&mut front, &back);
                drop((front, back));
                self.ring(call);
                self.tell(granted);
                return Some(taken);
            }
            if back.is_closing {
                // Slow jobs that wait at their limit are for the workers that run slow jobs now.
                drop((front, back));
                courier.tell();
                return None;
            }
            if before != Before::Away && back.on_the_way() == 0 {
                back.coming += 1;
                let seen = self.submitted.load(Relaxed);
                let granted = self.grant(&mut front, &back);
                drop((front, back));
                courier.tell();
                self.tell(granted);
                self.linger(seen);
                before = Before::Away;
                continue;
            }
            back.idle += 1;
            let granted = self.grant(&mut front, &back);
            drop(front);
            if granted {
                MutexGuard::unlocked(&mut back, || self.grants.bring());
            }
            if courier.is_out() {
                MutexGuard::unlocked(&mut back, || courier.come_back());
            }
            while back.calls == 0 {
                self.bell.wait(&mut back);
            }
            back.calls -= 1;
            back.coming += 1;
            before = Before::Away;
        }
    }

    /// Stays awake for a moment, or until a job comes. One worker at a time, which has just worked: in a
    /// stream of short jobs the next one is about to come, and to wake somebody for it costs more.
    fn linger(&self, seen: usize) {
        for _ in 0..LINGER_PAUSES {
            if self.submitted.load(Relaxed) != seen {
                return;
            }
            spin_loop();
        }
    }

    /// Wakes one worker if there is a call. Not under the lock: the woken would wait for it.
    fn ring(&self, call: bool) {
        if call {
            self.bell.notify_one();
        }
    }
}

impl Entrance {
    fn on_the_way(&self) -> u16 {
        self.coming + self.calls
    }

    /// Notes a call for a job that may run, if one is needed: then the bell must be rung.
    fn call_somebody(&mut self) -> bool {
        let call = self.idle > 0 && self.on_the_way() == 0;
        if call {
            self.idle -= 1;
            self.calls += 1;
        }
        call
    }
}

/// Not of the kind `WouldBlock`, as the system has it: who retries on that would spin.
fn no_thread(error: io::Error) -> io::Error {
    let kind = match error.kind() {
        io::ErrorKind::WouldBlock => io::ErrorKind::Other,
        kind => kind,
    };
    io::Error::new(kind, error::failed("the pool could start no thread", error))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crossbeam_channel::bounded;

    use super::{super::tests::job, *};

    const DEADLINE: Duration = Duration::from_secs(20);

    /// Yields until `expected` holds. For what only the lock can tell: that a worker fell asleep.
    fn wait_until(crew: &Crew, expected: impl Fn(&Entrance) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !expected(&crew.back.lock()) {
            assert!(Instant::now() < end, "nothing happened");
            thread::yield_now();
        }
    }

    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    fn runnable(crew: &Crew) -> usize {
        let front = crew.front.lock();
        front.runnable(&crew.back.lock().jobs)
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
        wait_until(crew, |back| back.idle == back.started);
    }

    #[test]
    fn a_thread_starts_only_for_a_job_that_finds_none_free() {
        let crew = Arc::new(Crew::new(4));
        assert_eq!(crew.back.lock().started, 0);
        for _ in 0..3 {
            burst(&crew, 1);
            assert_eq!(crew.back.lock().started, 1);
        }
        for _ in 0..3 {
            burst(&crew, 3);
            assert_eq!(crew.back.lock().started, 3);
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
            assert!(crew.back.lock().started <= 2);
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
            assert_eq!(crew.back.lock().started, 3);
            burst(&crew, 6);
            burst(&crew, 6);
            assert_eq!(crew.back.lock().started, 6);
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
        crew.back.lock().stack_bytes = 1 << 60;
        let (dropped, watch) = bounded::<()>(1);
        crew.submit(Lane::Slow, job(move || dropped.send(()).unwrap())).err().unwrap();
        assert!(watch.recv_timeout(DEADLINE).is_err(), "the closure is gone and did not run");
        assert_eq!(runnable(&crew), 0);

        crew.back.lock().stack_bytes = STACK_BYTES;
        let (gate, at_gate) = bounded::<()>(1);
        crew.submit(Lane::Slow, job(move || at_gate.recv_timeout(DEADLINE).unwrap())).unwrap();
        wait_until(&crew, |_| true);
        while runnable(&crew) > 0 {
            thread::yield_now();
        }
        crew.back.lock().stack_bytes = 1 << 60;
        let (ran, watch) = bounded::<()>(1);
        crew.submit(Lane::Fast, job(move || ran.send(()).unwrap())).unwrap();
        assert_eq!(crew.back.lock().started, 1);
        gate.send(()).unwrap();
        watch.recv_timeout(DEADLINE).expect("the one that runs comes to it");
        close(&crew);
    }
}
