//! Lanes: which job is next.
//!
//! ```text
//!              front, under one lock                             back, under another
//!  urgent [ Fast Fast ]  slow [ job job job ]  slow_running      [ Fast SlowTurn Fast ]
//!  cpu    [ job job ]                                            [ job job ]
//!    ▲                                                               │    └ stands for the first slow
//!    └───────── a line at once, when the one at the front is empty ──┘      job; back at the end while
//!                                                                           one waits and may run
//! ```
//!
//! Who submits puts a job at the back, who works takes one from the front: so they meet at one lock
//! only when a line at the front is empty, once for all that came meanwhile. No job is ever out of
//! reach of any worker.
//!
//! Fast and slow jobs go before those of the CPU, which may take any time: libuv has one queue for all, where a
//! file waits behind every computation that was there first. So that these do not starve, one of them
//! goes after [`URGENT_IN_A_ROW`] that went before it.
//!
//! As in libuv, the slow lane is one entry of the urgent line at a time, so a thousand lookups
//! delay a file read by one lookup, not by a thousand. Unlike libuv's, the turn leaves the line
//! while the limit is reached and comes back when a slow job ends, so whatever is in the line may
//! run now.
//!
//! Nothing here runs or drops a job.

use std::mem::swap;

use super::job::Job;
use super::line::{Line, Next};
use super::room::Room;

/// How many fast jobs in a row may go before a CPU job that waits. At some 15 us for a file that lies in
/// memory these are 1 ms, and what takes less than that is hardly worth a thread: so a flood of files
/// leaves half of the time to computations, and files that compete with a flood of these get 64 of 65
/// starts.
pub(super) const URGENT_IN_A_ROW: usize = 64;

/// What kind of work a job is: it decides when it goes, and how many may run at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// File operations: any number of threads.
    Fast,
    /// Name lookups, which may take seconds each: at most half of the threads, rounded up.
    Slow,
    /// A user's computation: any number of threads, behind the two others.
    Cpu,
}

impl Lane {
    pub(super) const ALL: [Lane; 3] = [Lane::Fast, Lane::Slow, Lane::Cpu];
}

/// Names a job that was submitted, to cancel it. Dropping it changes nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(super) line: Which,
    pub(super) serial: u64,
}

/// The line that a job stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Of(Lane),
    /// It waits for room in the CPU lane.
    Room,
}

/// Where jobs come in.
// In this order: with the lock before it, what a CPU job needs is on one cache line.
#[derive(Default)]
#[repr(C)]
pub(super) struct Back {
    last_serial: u64,
    cpu: Line<Box<dyn Job>>,
    /// Fast jobs; the mark is the turn of the slow lane.
    urgent: Line<Box<dyn Job>>,
}

impl Back {
    /// Queues a job that is not slow.
    pub(super) fn push(&mut self, lane: Lane, job: Box<dyn Job>) -> Ticket {
        let serial = self.next_serial();
        let line = if lane == Lane::Cpu { &mut self.cpu } else { &mut self.urgent };
        line.push(serial, job);
        Ticket { line: Which::Of(lane), serial }
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.last_serial += 1;
        self.last_serial
    }

    /// Whether a job came that goes before those of the CPU.
    pub(super) fn has_urgent(&self) -> bool {
        !self.urgent.is_over()
    }
}

/// Where jobs are taken from.
// In this order, as the back.
#[repr(C)]
pub(super) struct Front {
    /// Urgent jobs that were taken since the last look for one of the CPU.
    in_a_row: usize,
    cpu: Line<Box<dyn Job>>,
    /// Fast jobs. Here and at the back together there is at most one turn of the slow lane.
    urgent: Line<Box<dyn Job>>,
    slow: Line<Box<dyn Job>>,
    slow_running: usize,
    slow_limit: usize,
    /// Whether the turn is queued: while a slow job waits and fewer than the limit run. One that was
    /// cancelled may leave its turn behind.
    has_turn: bool,
    /// Who waits to get into the CPU lane.
    pub(super) room: Room,
}

/// A job to run. If it is slow, `slow_done` is owed when it is done, and `queue_turn` now.
pub(super) struct Taken {
    pub(super) job: Box<dyn Job>,
    pub(super) lane: Lane,
}

impl Front {
    /// The lanes of a pool of `threads` threads.
    pub(super) fn new(threads: usize) -> Front {
        Front {
            urgent: Line::default(),
            cpu: Line::default(),
            slow: Line::default(),
            slow_running: 0,
            slow_limit: threads.div_ceil(2),
            has_turn: false,
            in_a_row: 0,
            room: Room::default(),
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
        Ticket { line: Which::Of(lane), serial }
    }

    /// Takes a job back that was not taken yet.
    pub(super) fn remove(&mut self, back: &mut Back, ticket: Ticket) -> Option<Box<dyn Job>> {
        let Ticket { line, serial } = ticket;
        match line {
            Which::Of(Lane::Fast) => {
                self.urgent.remove(serial).or_else(|| back.urgent.remove(serial))
            }
            Which::Of(Lane::Cpu) => self.cpu.remove(serial).or_else(|| back.cpu.remove(serial)),
            Which::Of(Lane::Slow) => self.slow.remove(serial),
            Which::Room => self.room.leave(serial),
        }
    }

    /// Whether what is at the front does not tell which job is next. `has_urgent` is the back's.
    #[inline]
    pub(super) fn must_refill(&self, has_urgent: bool) -> bool {
        (self.urgent.is_over() && has_urgent) || (self.is_cpu_due() && self.cpu.is_over())
    }

    #[inline]
    fn is_cpu_due(&self) -> bool {
        self.in_a_row >= URGENT_IN_A_ROW
    }

    /// The next job of those at the front that may run now. None is found either where all there was is the
    /// turn of a slow job that was cancelled.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Taken> {
        if (self.urgent.is_over() || self.is_cpu_due())
            && let Some(taken) = self.take_cpu()
        {
            return Some(taken);
        }
        self.take_urgent()
    }

    #[inline]
    fn take_cpu(&mut self) -> Option<Taken> {
        // Whether or not there is one: who comes now has seen none of them go.
        self.in_a_row = 0;
        match self.cpu.pop()? {
            Next::Value(job) => Some(Taken { job, lane: Lane::Cpu }),
            Next::Mark => unreachable!("the turn is in the urgent line"),
        }
    }

    #[inline]
    fn take_urgent(&mut self) -> Option<Taken> {
        loop {
            match self.urgent.pop()? {
                Next::Value(job) => {
                    self.in_a_row += 1;
                    return Some(Taken { job, lane: Lane::Fast });
                }
                Next::Mark => {
                    self.has_turn = false;
                    // Nobody is there if the last that waited was cancelled.
                    if let Some(Next::Value(job)) = self.slow.pop() {
                        self.slow_running += 1;
                        // A whole row: the others count microseconds, it may take seconds.
                        self.in_a_row = URGENT_IN_A_ROW;
                        return Some(Taken { job, lane: Lane::Slow });
                    }
                }
            }
        }
    }

    /// Fetches what came in, for each line that is empty here.
    pub(super) fn refill(&mut self, back: &mut Back) {
        if self.urgent.is_over() {
            swap(&mut self.urgent, &mut back.urgent);
        }
        if self.cpu.is_over() {
            swap(&mut self.cpu, &mut back.cpu);
        }
    }

    /// A slow job that was taken is done. It owes `queue_turn`.
    pub(super) fn slow_done(&mut self) {
        self.slow_running -= 1;
    }

    /// How many jobs of a lane wait.
    pub(super) fn queued(&self, back: &Back, lane: Lane) -> usize {
        match lane {
            Lane::Fast => self.urgent.len() + back.urgent.len(),
            Lane::Slow => self.slow.len(),
            Lane::Cpu => self.cpu.len() + back.cpu.len(),
        }
    }

    /// How many threads the queued jobs could keep busy now.
    pub(super) fn runnable(&self, back: &Back) -> usize {
        self.runnable_urgent(back) + self.queued(back, Lane::Cpu)
    }

    /// Of these, the jobs that go before those of the CPU.
    pub(super) fn runnable_urgent(&self, back: &Back) -> usize {
        let slow = self.slow.len().min(self.slow_limit - self.slow_running);
        self.queued(back, Lane::Fast) + slow
    }

    /// Lets the slow lane stand in line again, if it has a job that may run.
    pub(super) fn queue_turn(&mut self, back: &mut Back) {
        if !self.has_turn && self.slow.len() > 0 && self.slow_running < self.slow_limit {
            self.has_turn = true;
            let serial = back.next_serial();
            back.urgent.push_mark(serial);
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
            // As a worker does, that has both locks only when it must.
            let mut taken = if self.front.must_refill(self.back.has_urgent()) {
                None
            } else {
                self.front.take()
            };
            for _ in 0..2 {
                if taken.is_none() {
                    self.front.refill(&mut self.back);
                    taken = self.front.take();
                }
            }
            let mut taken = taken?;
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
    fn jobs_of_a_lane_leave_in_the_order_they_came_and_those_of_the_cpu_last() {
        for lane in Lane::ALL {
            let mut lanes = Numbered::new(8);
            (0..5).for_each(|number| _ = lanes.push(lane, number));
            assert_eq!(lanes.runnable(), if lane == Lane::Slow { 4 } else { 5 });
            let left: Vec<_> = (0..4).map(|_| lanes.take().unwrap()).collect();
            assert_eq!(left, [0, 1, 2, 3], "{lane:?}");
        }
        let mut lanes = Numbered::new(8);
        for (number, lane) in
            [Lane::Fast, Lane::Cpu, Lane::Cpu, Lane::Fast, Lane::Fast].into_iter().enumerate()
        {
            lanes.push(lane, number);
        }
        assert_eq!(lanes.runnable(), 5);
        assert_eq!(lanes.take_all(), [0, 3, 4, 1, 2]);
    }

    #[test]
    fn what_comes_while_the_front_is_worked_on_stands_behind_its_lane() {
        let mut lanes = Numbered::new(8);
        for number in 0..3 {
            lanes.push(Lane::Cpu, number);
        }
        assert_eq!(lanes.take(), Some(0));
        for (number, lane) in [(3, Lane::Fast), (4, Lane::Cpu), (5, Lane::Fast)] {
            lanes.push(lane, number);
        }
        assert_eq!(lanes.runnable(), 5);
        assert_eq!(lanes.take_all(), [3, 5, 1, 2, 4]);
        assert_eq!(lanes.runnable(), 0);
    }

    #[test]
    fn one_of_the_cpu_goes_after_a_row_of_fast_ones() {
        // Where the waiting one stands makes no difference: at the front or at the back.
        for is_at_front in [false, true] {
            let mut lanes = Numbered::new(8);
            if is_at_front {
                (0..2).for_each(|number| _ = lanes.push(Lane::Cpu, 1000 + number));
                assert_eq!(lanes.take(), Some(1000));
            }
            (0..2 * URGENT_IN_A_ROW).for_each(|number| _ = lanes.push(Lane::Fast, number));
            (1..4).for_each(|number| _ = lanes.push(Lane::Cpu, 2000 + number));
            let left = lanes.take_all();
            let places: Vec<_> =
                (0..left.len()).filter(|&place| left[place] >= 1000).take(2).collect();
            assert_eq!(places, [URGENT_IN_A_ROW, 2 * URGENT_IN_A_ROW + 1], "{is_at_front}");
        }
    }

    #[test]
    fn a_row_is_counted_while_a_job_of_the_cpu_waits() {
        let mut lanes = Numbered::new(8);
        let mut before = 0;
        // It comes at each place of a row, and waits for one at most.
        for come in 0..3 * URGENT_IN_A_ROW {
            lanes.push(Lane::Cpu, 5000);
            loop {
                lanes.push(Lane::Fast, 1);
                if lanes.take() == Some(5000) {
                    break;
                }
                before += 1;
                assert!(before <= URGENT_IN_A_ROW, "{come}");
            }
            before = 0;
            for _ in 0..come {
                lanes.push(Lane::Fast, 1);
                assert_eq!(lanes.take(), Some(1));
            }
        }
    }

    #[test]
    fn a_slow_job_counts_for_a_whole_row() {
        let mut lanes = Numbered::new(2);
        for number in 0..4 {
            lanes.push(Lane::Slow, number);
            lanes.push(Lane::Cpu, 10 + number);
        }
        let mut left = Vec::new();
        while let Some(number) = lanes.take() {
            left.push(number);
            if number < 10 {
                lanes.slow_done();
            }
        }
        assert_eq!(left, [0, 10, 1, 11, 2, 12, 3, 13]);
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
    fn a_turn_of_nobody_hides_no_job() {
        for lane in [Lane::Fast, Lane::Cpu] {
            let mut lanes = Numbered::new(8);
            lanes.push(Lane::Cpu, 0);
            assert_eq!(lanes.take(), Some(0));
            let ticket = lanes.push(Lane::Slow, 1);
            lanes.push(lane, 2);
            lanes.push(lane, 3);
            assert!(lanes.cancel(ticket));
            assert_eq!(lanes.take_all(), [2, 3], "{lane:?}");
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
