//! Lanes: which job is next.
//!
//! ```text
//!             front, under one lock                              back, under another
//!  queue [ Job Job ]   slow [ job job job ]   slow_running        [ Job SlowTurn Job ]
//!    ▲                                                               │      └ stands for the first slow
//!    └─────────── all at once, when the queue is empty ──────────────┘        job; back at the end while
//!                                                                             one waits and may run
//! ```
//!
//! Who submits puts a job at the back, who works takes one from the front: so they meet at one lock
//! only when the front is empty, once for all that came meanwhile. No job is ever out of reach of any
//! worker.
//!
//! As in libuv, the slow lane is one entry of the common queue at a time, so a thousand lookups
//! delay a file read by one lookup, not by a thousand. Unlike libuv's, the turn leaves the queue
//! while the limit is reached and comes back when a slow job ends, so whatever is in the queue may
//! run now.
//!
//! Nothing here runs or drops a job.

use std::mem::swap;

use super::job::Job;
use super::line::{Line, Next};

/// What kind of work a job is: it decides how many may run at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// File operations: any number of threads.
    Fast,
    /// Name lookups, which may take seconds each: at most half of the threads, rounded up.
    Slow,
    /// A user's computation: any number of threads, in one queue with `Fast`.
    Cpu,
}

/// Names a job that was submitted, to cancel it. Dropping it changes nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    lane: Lane,
    serial: u64,
}

/// Where jobs come in.
#[derive(Default)]
pub(super) struct Back {
    /// Fast and Cpu jobs; the mark is the turn of the slow lane.
    queue: Line<Box<dyn Job>>,
    last_serial: u64,
}

impl Back {
    /// Queues a job that is not slow.
    pub(super) fn push(&mut self, lane: Lane, job: Box<dyn Job>) -> Ticket {
        let serial = self.next_serial();
        self.queue.push(serial, job);
        Ticket { lane, serial }
    }

    fn next_serial(&mut self) -> u64 {
        self.last_serial += 1;
        self.last_serial
    }
}

/// Where jobs are taken from.
pub(super) struct Front {
    /// Fast and Cpu jobs. Here and at the back together there is at most one turn of the slow lane.
    queue: Line<Box<dyn Job>>,
    slow: Line<Box<dyn Job>>,
    slow_running: usize,
    slow_limit: usize,
    /// Whether the turn is queued: while a slow job waits and fewer than the limit run. One that was
    /// cancelled may leave its turn behind.
    has_turn: bool,
}

/// A job to run. If it is slow, `slow_done` is owed when it is done, and `queue_turn` now.
pub(super) struct Taken {
    pub(super) job: Box<dyn Job>,
    pub(super) is_slow: bool,
}

impl Front {
    /// The lanes of a pool of `threads` threads.
    pub(super) fn new(threads: usize) -> Front {
        Front {
            queue: Line::default(),
            slow: Line::default(),
            slow_running: 0,
            slow_limit: threads.div_ceil(2),
            has_turn: false,
        }
    }

    /// Queues a job of any lane.
    pub(super) fn push(&mut self, back: &mut Back, lane: Lane, job: Box<dyn Job>) -> Ticket {
        if lane != Lane::Slow {
            return back.push(lane, job);
        }
        let serial = back.next_serial();
        self.slow.push(serial, job);
        self.queue_turn(back);
        Ticket { lane, serial }
    }

    /// Takes a job back that was not taken yet.
    pub(super) fn remove(&mut self, back: &mut Back, ticket: Ticket) -> Option<Box<dyn Job>> {
        let Ticket { lane, serial } = ticket;
        if lane == Lane::Slow {
            return self.slow.remove(serial);
        }
        self.queue.remove(serial).or_else(|| back.queue.remove(serial))
    }

    /// The next job of those at the front that may run now.
    pub(super) fn take(&mut self) -> Option<Taken> {
        loop {
            match self.queue.pop()? {
                Next::Value(job) => return Some(Taken { job, is_slow: false }),
                Next::Mark => {
                    self.has_turn = false;
                    // Nobody is there if the last that waited was cancelled.
                    if let Some(Next::Value(job)) = self.slow.pop() {
                        self.slow_running += 1;
                        return Some(Taken { job, is_slow: true });
                    }
                }
            }
        }
    }

    /// Fetches what came in. To be called when nothing is left to take.
    pub(super) fn refill(&mut self, back: &mut Back) {
        debug_assert!(self.queue.pop().is_none(), "the order would be lost");
        swap(&mut self.queue, &mut back.queue);
    }

    /// A slow job that was taken is done. It owes `queue_turn`.
    pub(super) fn slow_done(&mut self) {
        self.slow_running -= 1;
    }

    /// How many threads the queued jobs could keep busy now.
    pub(super) fn runnable(&self, back: &Back) -> usize {
        let slow = self.slow.len().min(self.slow_limit - self.slow_running);
        self.queue.len() + back.queue.len() + slow
    }

    /// Lets the slow lane stand in the queue again, if it has a job that may run.
    pub(super) fn queue_turn(&mut self, back: &mut Back) {
        if !self.has_turn && self.slow.len() > 0 && self.slow_running < self.slow_limit {
            self.has_turn = true;
            let serial = back.next_serial();
            back.queue.push_mark(serial);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::super::tests::job;
    use super::*;

    /// Lanes whose jobs write their number into `last` when run.
    struct Numbered {
        front: Front,
        back: Back,
        last: Arc<AtomicUsize>,
    }

    impl Numbered {
        fn new(threads: usize) -> Numbered {
            Numbered { front: Front::new(threads), back: Back::default(), last: Arc::default() }
        }

        fn push(&mut self, lane: Lane, number: usize) -> Ticket {
            let last = self.last.clone();
            let job = job(move || last.store(number, Relaxed));
            self.front.push(&mut self.back, lane, job)
        }

        fn cancel(&mut self, ticket: Ticket) -> bool {
            self.front.remove(&mut self.back, ticket).is_some()
        }

        fn runnable(&self) -> usize {
            self.front.runnable(&self.back)
        }

        /// Takes a job and runs it; its slow place is kept.
        fn take(&mut self) -> Option<usize> {
            let mut taken = self.front.take().or_else(|| {
                self.front.refill(&mut self.back);
                self.front.take()
            })?;
            self.front.queue_turn(&mut self.back);
            taken.job.run();
            Some(self.last.load(Relaxed))
        }

        fn slow_done(&mut self) {
            self.front.slow_done();
            self.front.queue_turn(&mut self.back);
        }

        fn take_all(&mut self) -> Vec<usize> {
            std::iter::from_fn(|| self.take()).collect()
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
        assert_eq!(lanes.runnable(), 5);
        assert_eq!(lanes.take_all(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn what_comes_while_the_front_is_worked_on_stands_behind_it() {
        let mut lanes = Numbered::new(8);
        for number in 0..3 {
            lanes.push(Lane::Fast, number);
        }
        assert_eq!(lanes.take(), Some(0));
        for (number, lane) in [(3, Lane::Slow), (4, Lane::Cpu), (5, Lane::Slow)] {
            lanes.push(lane, number);
        }
        assert_eq!(lanes.runnable(), 5);
        assert_eq!(lanes.take_all(), [1, 2, 3, 4, 5]);
        assert_eq!(lanes.runnable(), 0);
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
        assert_eq!(lanes.take_all(), [0, 10, 11, 12, 1, 2]);
    }

    #[test]
    fn slow_jobs_hold_at_most_half_of_the_threads_rounded_up() {
        for (threads, limit) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (1024, 512)] {
            let mut lanes = Numbered::new(threads);
            for number in 0..threads + 1 {
                lanes.push(Lane::Slow, number);
            }
            assert_eq!(lanes.runnable(), limit);
            for number in 0..limit {
                assert_eq!(lanes.take(), Some(number), "{threads} threads");
            }
            assert_eq!(lanes.take(), None, "{threads} threads");
            assert_eq!(lanes.runnable(), 0);
            lanes.push(Lane::Cpu, 5000);
            assert_eq!(lanes.take(), Some(5000));
            lanes.slow_done();
            assert_eq!(lanes.runnable(), 1);
            assert_eq!(lanes.take(), Some(limit));
            assert_eq!(lanes.take(), None);
        }
    }

    #[test]
    fn a_job_can_be_cancelled_wherever_it_stands() {
        for cancelled in 0..6 {
            let mut lanes = Numbered::new(8);
            let mut tickets = vec![lanes.push(Lane::Fast, 9)];
            for (number, lane) in
                [Lane::Fast, Lane::Cpu, Lane::Slow].into_iter().cycle().take(6).enumerate()
            {
                if number == 3 {
                    // The first ones stand at the front from here on.
                    assert_eq!(lanes.take(), Some(9));
                    assert!(!lanes.cancel(tickets.remove(0)), "it runs");
                }
                tickets.push(lanes.push(lane, number));
            }
            assert!(lanes.cancel(tickets[cancelled]));
            assert!(!lanes.cancel(tickets[cancelled]), "once");
            assert_eq!(lanes.runnable(), 5);
            let mut left = lanes.take_all();
            assert!(tickets.iter().all(|&ticket| !lanes.cancel(ticket)), "all are gone");
            left.sort_unstable();
            assert_eq!(left, (0..6).filter(|&n| n != cancelled).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_turn_that_a_cancelled_slow_job_left_behind_is_skipped() {
        let mut lanes = Numbered::new(1);
        let ticket = lanes.push(Lane::Slow, 1);
        assert!(lanes.cancel(ticket));
        assert_eq!(lanes.runnable(), 0);
        assert_eq!(lanes.take(), None);
        lanes.push(Lane::Slow, 2);
        assert_eq!((lanes.runnable(), lanes.take()), (1, Some(2)));
    }
}
