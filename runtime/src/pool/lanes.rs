//! Lanes: which job is next.
//!
//! ```text
//!  queue [ Job Job SlowTurn Job ]      slow [ job job job ]      slow_running ≤ slow_limit
//!                     └ stands for the first slow job; back at the end while one waits and may run
//! ```
//!
//! As in libuv, the slow lane is one entry of the common queue at a time, so a thousand lookups
//! delay a file read by one lookup, not by a thousand. Unlike libuv's, the turn leaves the queue
//! while the limit is reached and comes back when a slow job ends, so whatever is in the queue may
//! run now.
//!
//! Nothing here runs or drops a closure: jobs are pointers, and those that a sweep drops are empty.

use std::{collections::VecDeque, sync::Arc};

use super::job::Job;

/// What kind of work a job is: it decides how many may run at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lane {
    /// File operations: any number of threads.
    Fast,
    /// Name lookups, which may take seconds each: at most half of the threads, rounded up.
    #[cfg_attr(not(test), expect(dead_code, reason = "for names, which nothing looks up yet"))]
    Slow,
    /// A user's computation: any number of threads, in one queue with `Fast`.
    Cpu,
}

/// The queued jobs of a pool.
pub(super) struct Lanes {
    /// Fast and Cpu jobs, and at most one turn of the slow lane.
    queue: VecDeque<Entry>,
    slow: VecDeque<Arc<dyn Job>>,
    slow_running: usize,
    slow_limit: usize,
    /// Whether `queue` holds the turn: exactly while a slow job waits and fewer than the limit run.
    has_turn: bool,
}

enum Entry {
    Job(Arc<dyn Job>),
    SlowTurn,
}

/// A job to run. If it is slow, `slow_done` is owed when it is done.
pub(super) struct Taken {
    pub(super) job: Arc<dyn Job>,
    pub(super) is_slow: bool,
}

impl Lanes {
    /// The lanes of a pool of `threads` threads.
    pub(super) fn new(threads: usize) -> Lanes {
        Lanes {
            queue: VecDeque::new(),
            slow: VecDeque::new(),
            slow_running: 0,
            slow_limit: threads.div_ceil(2),
            has_turn: false,
        }
    }

    pub(super) fn push(&mut self, lane: Lane, job: Arc<dyn Job>) {
        match lane {
            Lane::Fast | Lane::Cpu => {
                make_room(&mut self.queue, |entry| match entry {
                    Entry::Job(job) => job.is_gone(),
                    Entry::SlowTurn => false,
                });
                self.queue.push_back(Entry::Job(job));
            }
            Lane::Slow => {
                make_room(&mut self.slow, |job| job.is_gone());
                self.slow.push_back(job);
                self.queue_turn();
            }
        }
    }

    /// The next job that may run now. It may be empty: cancelled.
    pub(super) fn take(&mut self) -> Option<Taken> {
        match self.queue.pop_front()? {
            Entry::Job(job) => Some(Taken { job, is_slow: false }),
            Entry::SlowTurn => {
                let job =
                    self.slow.pop_front().expect("the turn is queued only while a slow job waits");
                self.has_turn = false;
                self.slow_running += 1;
                self.queue_turn();
                Some(Taken { job, is_slow: true })
            }
        }
    }

    /// A slow job that was taken is done.
    pub(super) fn slow_done(&mut self) {
        self.slow_running -= 1;
        self.queue_turn();
    }

    /// How many threads the queued jobs could keep busy now, empty ones included.
    pub(super) fn runnable(&self) -> usize {
        let slow = self.slow.len().min(self.slow_limit - self.slow_running);
        self.queue.len() - usize::from(self.has_turn) + slow
    }

    fn queue_turn(&mut self) {
        if !self.has_turn && !self.slow.is_empty() && self.slow_running < self.slow_limit {
            self.has_turn = true;
            self.queue.push_back(Entry::SlowTurn);
        }
    }
}

/// Makes a full queue drop what is gone before it grows, so that jobs which come and are cancelled
/// while every thread is stuck cannot fill the memory. It grows if less than half was gone: a
/// constant cost for each push, on average.
fn make_room<T>(queue: &mut VecDeque<T>, mut is_gone: impl FnMut(&T) -> bool) {
    if queue.len() == queue.capacity() {
        queue.retain(|entry| !is_gone(entry));
        if queue.len() > queue.capacity() / 2 {
            queue.reserve(queue.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::{
        super::job::{Slot, Ticket},
        *,
    };

    /// Lanes whose jobs write their number into `last` when run.
    struct Numbered {
        lanes: Lanes,
        last: Arc<AtomicUsize>,
    }

    impl Numbered {
        fn new(threads: usize) -> Numbered {
            Numbered { lanes: Lanes::new(threads), last: Arc::default() }
        }

        fn push(&mut self, lane: Lane, number: usize) -> Ticket {
            let last = self.last.clone();
            let job = Arc::new(Slot::new(move || last.store(number, Relaxed)));
            self.lanes.push(lane, job.clone());
            Ticket::new(job)
        }

        /// Takes a job and runs it; its slow place is kept.
        fn take(&mut self) -> Option<usize> {
            self.lanes.take()?.job.run();
            Some(self.last.load(Relaxed))
        }
    }

    #[test]
    fn jobs_leave_in_the_order_they_came_while_no_limit_is_reached() {
        let mut lanes = Numbered::new(8);
        for (number, lane) in
            [Lane::Fast, Lane::Cpu, Lane::Slow, Lane::Cpu, Lane::Fast].into_iter().enumerate()
        {
            lanes.push(lane, number);
        }
        assert_eq!(lanes.lanes.runnable(), 5);
        let order: Vec<_> = std::iter::from_fn(|| lanes.take()).collect();
        assert_eq!(order, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn waiting_slow_jobs_take_turns_with_the_others() {
        let mut lanes = Numbered::new(8);
        for number in 0..3 {
            lanes.push(Lane::Slow, number);
        }
        for number in 10..13 {
            lanes.push(Lane::Fast, number);
        }
        let order: Vec<_> = std::iter::from_fn(|| lanes.take()).collect();
        assert_eq!(order, [0, 10, 11, 12, 1, 2]);
    }

    #[test]
    fn slow_jobs_hold_at_most_half_of_the_threads_rounded_up() {
        for (threads, limit) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (1024, 512)] {
            let mut lanes = Numbered::new(threads);
            for number in 0..threads + 1 {
                lanes.push(Lane::Slow, number);
            }
            assert_eq!(lanes.lanes.runnable(), limit);
            for number in 0..limit {
                assert_eq!(lanes.take(), Some(number), "{threads} threads");
            }
            assert_eq!(lanes.take(), None, "{threads} threads");
            assert_eq!(lanes.lanes.runnable(), 0);
            lanes.push(Lane::Cpu, 5000);
            assert_eq!(lanes.take(), Some(5000));
            lanes.lanes.slow_done();
            assert_eq!(lanes.lanes.runnable(), 1);
            assert_eq!(lanes.take(), Some(limit));
            assert_eq!(lanes.take(), None);
        }
    }

    #[test]
    fn cancelled_jobs_do_not_make_the_queues_grow() {
        let mut lanes = Numbered::new(1);
        for lane in [Lane::Fast, Lane::Slow] {
            lanes.push(lane, 1);
            for _ in 0..10_000 {
                assert!(lanes.push(lane, 2).cancel());
            }
            lanes.push(lane, 3);
        }
        assert!(lanes.lanes.queue.capacity() < 100, "{}", lanes.lanes.queue.capacity());
        assert!(lanes.lanes.slow.capacity() < 100, "{}", lanes.lanes.slow.capacity());

        // Those that are left over are met as empty jobs, which do nothing.
        let mut order = Vec::new();
        while let Some(taken) = lanes.lanes.take() {
            taken.job.run();
            if taken.is_slow {
                lanes.lanes.slow_done();
            }
            order.push(lanes.last.load(Relaxed));
        }
        order.dedup();
        assert_eq!(order, [1, 3, 1, 3]);
    }
}
