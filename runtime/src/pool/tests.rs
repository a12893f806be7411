//! The pool from outside: order, limits, cancelling, panics, the end.

use std::{
    cell::Cell,
    collections::HashSet,
    io, panic,
    sync::{
        Arc, Barrier, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::job::Nowhere;
use super::{Job, Lane, Pool, Ticket};
use crate::base::Key;

/// A job that answers to nobody.
pub(super) fn job<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Box<dyn Job> {
    super::job(Nowhere, Key::DEAD, work)
}

/// A job and its pool.
struct Submitted(Pool, Ticket);

impl Submitted {
    fn cancel(&self) -> bool {
        self.0.cancel(self.1).is_some()
    }
}

/// Submits a job that answers to nobody.
fn submit(pool: &Pool, lane: Lane, work: impl FnOnce() + Send + 'static) -> io::Result<Submitted> {
    let ticket = pool.submit(lane, job(work)).map_err(|refused| refused.error)?;
    Ok(Submitted(pool.clone(), ticket))
}

/// Nothing here takes longer unless it hangs.
const DEADLINE: Duration = Duration::from_secs(30);

/// Makes jobs that say that they have started, then wait: `open_once` lets one pass, the drop all.
struct Gate {
    started: (Sender<usize>, Receiver<usize>),
    passes: Sender<()>,
    at_gate: Receiver<()>,
}

impl Gate {
    fn new() -> Gate {
        let (passes, at_gate) = unbounded();
        Gate { started: unbounded(), passes, at_gate }
    }

    fn submit(&self, pool: &Pool, lane: Lane, number: usize) -> Submitted {
        let (started, at_gate) = (self.started.0.clone(), self.at_gate.clone());
        let job = move || {
            started.send(number).unwrap();
            // An error is the drop of the gate, or a test that failed long ago.
            let _ = at_gate.recv_timeout(DEADLINE);
        };
        submit(pool, lane, job).unwrap()
    }

    fn next_start(&self) -> usize {
        self.started.1.recv_timeout(DEADLINE).expect("a job starts")
    }

    fn open_once(&self) {
        self.passes.send(()).unwrap();
    }
}

/// Sends when dropped.
struct Farewell(Sender<()>);

impl Drop for Farewell {
    fn drop(&mut self) {
        let _ = self.0.send(()); // the test may be over
    }
}

thread_local! {
    /// Dropped when its thread ends.
    static FAREWELL: Cell<Option<Farewell>> = const { Cell::new(None) };
}

/// Waits for a job of the CPU: on a pool of one thread, all but waiting slow jobs were dealt with before,
/// if no more than a row of them were there.
fn wait_for_all(pool: &Pool) {
    let (done, wait) = bounded(1);
    submit(pool, Lane::Cpu, move || done.send(()).unwrap()).unwrap();
    wait.recv_timeout(DEADLINE).expect("the pool gets to its last job");
}

#[test]
fn one_thread_runs_the_jobs_of_a_lane_in_the_order_of_their_submission() {
    let pool = Pool::new(1);
    let [(fast, fast_ran), (cpu, cpu_ran)] = [unbounded(), unbounded()];
    for number in 0..1000 {
        let (lane, tx) = match number % 3 {
            0 => (Lane::Fast, fast.clone()),
            _ => (Lane::Cpu, cpu.clone()),
        };
        submit(&pool, lane, move || tx.send(number).unwrap()).unwrap();
    }
    for number in 0..1000 {
        let ran = if number % 3 == 0 { &fast_ran } else { &cpu_ran };
        assert_eq!(ran.recv_timeout(DEADLINE), Ok(number));
    }
}

#[test]
fn a_thousand_jobs_of_the_cpu_delay_a_fast_one_by_the_one_that_runs() {
    let (pool, gate) = (Pool::new(1), Gate::new());
    gate.submit(&pool, Lane::Cpu, 0);
    gate.next_start();
    let (tx, rx) = unbounded();
    for number in 0..1000 {
        let tx = tx.clone();
        submit(&pool, Lane::Cpu, move || tx.send(number).unwrap()).unwrap();
    }
    for number in 1000..1002 {
        let tx = tx.clone();
        let lane = if number == 1000 { Lane::Fast } else { Lane::Slow };
        submit(&pool, lane, move || tx.send(number).unwrap()).unwrap();
    }
    gate.open_once();
    let order: Vec<_> = (0..1002).map(|_| rx.recv_timeout(DEADLINE).unwrap()).collect();
    assert_eq!(order[..3], [1000, 1001, 0]);
}

#[test]
fn a_job_of_the_cpu_gets_its_turn_in_a_flood_of_fast_ones() {
    /// Each queues the next one: the flood never ends by itself.
    fn flow(pool: &Pool, end: Arc<AtomicUsize>) {
        let own = pool.clone();
        let next = move || {
            if end.fetch_add(1, SeqCst) < usize::MAX / 2 {
                flow(&own, end);
            }
        };
        submit(pool, Lane::Fast, next).unwrap();
    }
    for threads in [1, 3] {
        let (pool, end) = (Pool::new(threads), Arc::new(AtomicUsize::new(0)));
        for _ in 0..100 {
            flow(&pool, end.clone());
        }
        for _ in 0..100 {
            wait_for_all(&pool);
        }
        end.store(usize::MAX / 2, SeqCst);
    }
}

#[test]
fn slow_jobs_keep_their_order_among_themselves() {
    let pool = Pool::new(2); // one slow job at a time
    let (tx, rx) = unbounded();
    for number in 0..1000 {
        let tx = tx.clone();
        submit(&pool, Lane::Slow, move || tx.send(number).unwrap()).unwrap();
        submit(&pool, Lane::Fast, || {}).unwrap();
    }
    for number in 0..1000 {
        assert_eq!(rx.recv_timeout(DEADLINE), Ok(number));
    }
}

#[test]
fn four_threads_run_four_jobs_at_once_and_the_fifth_waits() {
    let (pool, gate) = (Pool::new(4), Gate::new());
    for number in 0..5 {
        gate.submit(&pool, Lane::Cpu, number);
    }
    let started: HashSet<_> = (0..4).map(|_| gate.next_start()).collect();
    assert_eq!(started, HashSet::from([0, 1, 2, 3]));
    assert!(gate.started.1.try_recv().is_err());
    gate.open_once();
    assert_eq!(gate.next_start(), 4);
}

#[test]
fn a_queued_job_can_be_cancelled_and_its_closure_is_dropped_at_once() {
    let (pool, gate) = (Pool::new(1), Gate::new());
    gate.submit(&pool, Lane::Cpu, 0);
    gate.next_start();

    let (tx, rx) = unbounded();
    let farewell = Farewell(tx);
    let ran = Arc::new(AtomicUsize::new(0));
    let ticket = submit(&pool, Lane::Fast, {
        let ran = ran.clone();
        move || {
            ran.fetch_add(1, SeqCst);
            drop(farewell);
        }
    });
    let ticket = ticket.unwrap();
    assert!(rx.is_empty());
    assert!(ticket.cancel());
    assert_eq!(rx.len(), 1);
    assert!(!ticket.cancel(), "once");

    gate.open_once();
    wait_for_all(&pool);
    assert_eq!(ran.load(SeqCst), 0);
}

#[test]
fn a_job_that_runs_or_is_done_cannot_be_cancelled() {
    let (pool, gate) = (Pool::new(1), Gate::new());
    let ticket = gate.submit(&pool, Lane::Slow, 0);
    gate.next_start();
    assert!(!ticket.cancel());
    gate.open_once();
    wait_for_all(&pool);
    assert!(!ticket.cancel());
}

#[test]
fn a_dropped_ticket_changes_nothing() {
    let (pool, gate) = (Pool::new(1), Gate::new());
    gate.submit(&pool, Lane::Cpu, 0);
    let ticket = gate.submit(&pool, Lane::Cpu, 1);
    drop(ticket);
    assert_eq!(gate.next_start(), 0);
    gate.open_once();
    assert_eq!(gate.next_start(), 1);
}

#[test]
fn a_hundred_thousand_queued_jobs_can_be_cancelled() {
    const JOBS: usize = 100_000;
    let (pool, gate) = (Pool::new(1), Gate::new());
    gate.submit(&pool, Lane::Cpu, 0);
    gate.next_start();
    let ran = Arc::new(AtomicUsize::new(0));
    let tickets: Vec<_> = (0..JOBS)
        .map(|number| {
            let ran = ran.clone();
            let lane = if number % 2 == 0 { Lane::Fast } else { Lane::Slow };
            submit(&pool, lane, move || _ = ran.fetch_add(1, SeqCst)).unwrap()
        })
        .collect();

    // From the end: the worst case for whoever would search the queue from its front.
    let cancelled = tickets.iter().rev().filter(|ticket| ticket.cancel()).count();
    assert_eq!(cancelled, JOBS);
    gate.open_once();
    wait_for_all(&pool);
    assert_eq!(ran.load(SeqCst), 0);
    assert_eq!(Arc::strong_count(&ran), 1, "all closures are gone");
}

#[test]
fn a_closure_dropped_by_cancel_may_use_the_pool_and_its_own_ticket() {
    struct Reenter {
        pool: Pool,
        own: Arc<OnceLock<Submitted>>,
        tx: Sender<()>,
    }
    impl Drop for Reenter {
        fn drop(&mut self) {
            assert!(!self.own.get().unwrap().cancel(), "already");
            let tx = self.tx.clone();
            submit(&self.pool, Lane::Fast, move || tx.send(()).unwrap()).unwrap();
        }
    }

    let (pool, gate) = (Pool::new(1), Gate::new());
    gate.submit(&pool, Lane::Cpu, 0);
    gate.next_start();
    let (tx, rx) = unbounded();
    let own = Arc::new(OnceLock::new());
    let guard = Reenter { pool: pool.clone(), own: own.clone(), tx };
    let _ = own.set(submit(&pool, Lane::Cpu, move || drop(guard)).unwrap()); // it is empty
    // On a thread of its own: a lock held here would stop it for ever.
    let (cancelled, result) = bounded(1);
    thread::spawn(move || cancelled.send(own.get().unwrap().cancel()).unwrap());
    assert_eq!(result.recv_timeout(DEADLINE), Ok(true));
    gate.open_once();
    rx.recv_timeout(DEADLINE).expect("the job submitted by the drop runs");
}

#[test]
fn each_job_either_runs_or_is_cancelled() {
    const JOBS: usize = 2_000;
    let pool = Pool::new(4);
    let ran = Arc::new(AtomicUsize::new(0));
    let cancelled: usize = (0..JOBS)
        .map(|number| {
            let ran = ran.clone();
            let lane = [Lane::Fast, Lane::Slow, Lane::Cpu][number % 3];
            submit(&pool, lane, move || _ = ran.fetch_add(1, SeqCst)).unwrap()
        })
        .filter(Submitted::cancel)
        .count();
    wait_for_value(&ran, JOBS - cancelled);
}

fn wait_for_value(counter: &AtomicUsize, value: usize) {
    let end = Instant::now() + DEADLINE;
    while counter.load(SeqCst) != value {
        assert!(Instant::now() < end, "{} instead of {value}", counter.load(SeqCst));
        thread::yield_now();
    }
}

#[test]
fn slow_jobs_leave_half_of_the_threads_to_the_others() {
    let (pool, lookups, reads) = (Pool::new(4), Gate::new(), Gate::new());
    for number in 0..10 {
        lookups.submit(&pool, Lane::Slow, number);
    }
    let started: HashSet<_> = (0..2).map(|_| lookups.next_start()).collect();
    assert_eq!(started, HashSet::from([0, 1]));
    for number in 0..100 {
        let lane = if number % 2 == 0 { Lane::Fast } else { Lane::Cpu };
        reads.submit(&pool, lane, number);
        reads.next_start();
        reads.open_once();
    }
    assert!(lookups.started.1.is_empty(), "the third lookup waits");
    for number in 2..10 {
        lookups.open_once();
        assert_eq!(lookups.next_start(), number);
    }
}

#[test]
fn slow_jobs_may_have_the_only_thread() {
    let (pool, gate) = (Pool::new(1), Gate::new());
    gate.submit(&pool, Lane::Slow, 0);
    gate.submit(&pool, Lane::Slow, 1);
    assert_eq!(gate.next_start(), 0);
    gate.open_once();
    assert_eq!(gate.next_start(), 1);
}

#[test]
fn a_job_that_never_ends_keeps_no_other_from_running() {
    let (pool, gate) = (Pool::new(2), Gate::new());
    gate.submit(&pool, Lane::Fast, 0);
    gate.next_start();
    let (tx, rx) = unbounded();
    for number in 0..1000 {
        let tx = tx.clone();
        submit(&pool, Lane::Fast, move || tx.send(number).unwrap()).unwrap();
    }
    for number in 0..1000 {
        assert_eq!(rx.recv_timeout(DEADLINE), Ok(number));
    }
}

#[test]
fn a_worker_survives_a_panic_and_a_payload_that_panics_when_dropped() {
    /// Panics when dropped, with another of its kind.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic::resume_unwind(Box::new(Bomb));
        }
    }

    let pool = Pool::new(1);
    let (tx, rx) = unbounded();
    let name_job = |tx: &Sender<_>| {
        let tx = tx.clone();
        move || tx.send(thread::current().id()).unwrap()
    };
    submit(&pool, Lane::Cpu, name_job(&tx)).unwrap();
    // `resume_unwind` does not call the panic hook: nothing is printed.
    submit(&pool, Lane::Cpu, || panic::resume_unwind(Box::new("plain"))).unwrap();
    submit(&pool, Lane::Slow, || panic::resume_unwind(Box::new(Bomb))).unwrap();
    submit(&pool, Lane::Slow, name_job(&tx)).unwrap();
    let [before, after] = [0, 1].map(|_| rx.recv_timeout(DEADLINE).expect("the worker lives on"));
    assert_eq!(before, after);
}

#[test]
fn threads_of_a_dropped_pool_end_once_the_queue_is_empty() {
    let pool = Pool::new(3);
    let (ended, watch) = unbounded();
    let barrier = Arc::new(Barrier::new(4));
    for _ in 0..3 {
        let (farewell, barrier) = (Farewell(ended.clone()), barrier.clone());
        let job = move || {
            FAREWELL.set(Some(farewell));
            barrier.wait(); // so each of the three threads has one
        };
        submit(&pool, Lane::Cpu, job).unwrap();
    }
    barrier.wait();
    let gate = Gate::new();
    for number in 0..10 {
        gate.submit(&pool, Lane::Slow, number);
    }
    let another = pool.clone();
    drop(pool);
    drop(another);

    // Two lookups at a time: the third thread has nothing to do. The others go on to the last of
    // them.
    watch.recv_timeout(DEADLINE).expect("an idle thread ends");
    assert!(watch.is_empty());
    let mut order = Vec::new();
    for number in 0..10 {
        order.push(gate.next_start());
        if number < 8 {
            gate.open_once();
        }
    }
    order.sort_unstable();
    assert_eq!(order, Vec::from_iter(0..10));
    drop(gate);
    for _ in 0..2 {
        watch.recv_timeout(DEADLINE).expect("a busy thread ends after its job");
    }
}

#[test]
fn the_last_handle_may_go_inside_a_job() {
    let pool = Pool::new(1);
    let (ended, watch) = unbounded();
    let (farewell, own, go) = (Farewell(ended), pool.clone(), bounded::<()>(1));
    let job = move || {
        FAREWELL.set(Some(farewell));
        go.1.recv_timeout(DEADLINE).unwrap();
        drop(own);
    };
    submit(&pool, Lane::Cpu, job).unwrap();
    drop(pool);
    go.0.send(()).unwrap();
    watch.recv_timeout(DEADLINE).expect("the thread ends");
}

#[test]
fn no_job_of_many_submitters_is_lost() {
    const EACH: usize = 2_000;
    let pool = Pool::new(4);
    let (tx, rx) = unbounded();
    let submitters: Vec<_> = (0..8)
        .map(|submitter| {
            let (pool, tx) = (pool.clone(), tx.clone());
            thread::spawn(move || {
                for number in 0..EACH {
                    let (tx, lane) = (tx.clone(), [Lane::Fast, Lane::Slow, Lane::Cpu][number % 3]);
                    submit(&pool, lane, move || tx.send(submitter * EACH + number).unwrap())
                        .unwrap();
                }
            })
        })
        .collect();
    let seen: HashSet<_> =
        (0..8 * EACH).map(|_| rx.recv_timeout(DEADLINE).expect("a job runs")).collect();
    assert_eq!(seen.len(), 8 * EACH);
    for submitter in submitters {
        submitter.join().unwrap();
    }
}

#[test]
fn a_job_may_submit_jobs() {
    fn descend(pool: &Pool, depth: usize, done: Sender<()>) -> io::Result<Submitted> {
        let own = pool.clone();
        submit(pool, Lane::Fast, move || match depth {
            0 => done.send(()).unwrap(),
            _ => drop(descend(&own, depth - 1, done).unwrap()),
        })
    }
    let (done, wait) = bounded(1);
    descend(&Pool::new(1), 1000, done).unwrap();
    wait.recv_timeout(DEADLINE).expect("the last of them runs");
}

#[test]
fn the_number_of_threads_is_kept_within_1_and_1024() {
    for (asked, given) in [(0, 1), (1, 1), (7, 7), (1024, 1024), (1025, 1024), (usize::MAX, 1024)] {
        assert_eq!(Pool::new(asked).threads(), given);
    }
}

#[test]
fn the_shared_pool_is_one() {
    assert!(Arc::ptr_eq(&Pool::shared().owner, &Pool::shared().owner));
    wait_for_all(&Pool::shared());
}

#[test]
fn threads_are_named_after_their_number() {
    let pool = Pool::new(1);
    let (tx, rx) = bounded(1);
    submit(&pool, Lane::Cpu, move || tx.send(thread::current().name().map(str::to_owned)).unwrap())
        .unwrap();
    assert_eq!(rx.recv_timeout(DEADLINE).unwrap().as_deref(), Some("runtime-pool-0"));
}
