//! `Pool` as a type: whose jobs go where, work from threads that have no loop, which lane goes first, and
//! what is counted.

mod pool_support;

use std::cell::Cell;
use std::fmt::Debug;
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use behaviour::{Deadline, EventLog};
use pool_support::{Dropped, block_a_thread, never, occupy, on};
use runtime::handle::Async;
use runtime::net::TcpStream;
use runtime::{Loop, LoopGone, Pool, fs, next_tick, set_immediate, spawn, spawn_blocking};

const _: fn() = || {
    fn is<T: Clone + Send + Sync + Debug>() {}
    is::<Pool>();
};

#[test]
fn a_pool_is_what_it_is_a_clone_of_and_has_as_many_threads_as_were_asked_for() {
    for (asked, given) in [(0, 1), (1, 1), (3, 3), (1024, 1024), (1025, 1024), (usize::MAX, 1024)] {
        let pool = Pool::new(asked);
        assert_eq!(pool.threads(), given);
        assert_eq!(pool, pool.clone());
        assert_ne!(pool, Pool::new(asked));
        assert_eq!(pool.metrics().threads, 0, "none is started before a job comes");
    }
    assert_eq!(Pool::shared(), Pool::shared());
    assert!(format!("{:?}", Pool::new(3)).contains("threads: 3"));
}

// --- jobs of a loop ---

#[test]
fn a_result_comes_home_by_await_and_by_callback() {
    let _guard = Deadline::secs(20);
    let (pool, log) = (Pool::new(1), EventLog::new());
    let mut lp = Loop::new().unwrap();
    assert_eq!(lp.block_on(async { pool.spawn_blocking(|| 42).await.unwrap() }), 42);

    let _here = lp.enter();
    let noting = log.clone();
    pool.spawn_blocking(|| "output").callback(move |output| {
        noting.push(output.unwrap());
        next_tick(noting.mark("tick"));
        set_immediate(noting.mark("immediate"));
    });
    log.push("script");
    lp.run().unwrap();
    log.expect(["script", "output", "tick", "immediate"]);
    assert_eq!(pool.metrics().cpu.completed, 2);
}

#[test]
fn jobs_of_another_pool_do_not_wait_for_the_loops_own() {
    let _guard = Deadline::secs(20);
    let (own, other) = (Pool::new(1), Pool::new(1));
    let mut lp = on(&own);
    let _here = lp.enter();
    let (go, blocking) = block_a_thread(&own);
    lp.block_on(other.spawn_blocking(|| ())).unwrap();
    drop(go);
    lp.block_on(blocking).unwrap();
}

#[test]
fn abort_reaches_the_pool_that_the_job_is_in() {
    let _guard = Deadline::secs(20);
    // Both have given out the same numbers: who asks the wrong one takes the wrong job.
    let (own, other) = (Pool::new(1), Pool::new(1));
    let mut lp = on(&own);
    let _here = lp.enter();
    let blocked = [block_a_thread(&own), block_a_thread(&other)];
    let here = spawn_blocking(|| "goes on");
    let (to, dropped) = mpsc::channel();
    let held = Dropped(to.clone());
    let there = other.spawn_blocking(move || never(held));
    let held = Dropped(to);
    let on_drop = other.spawn_blocking(move || never(held)).abort_on_drop();
    there.abort();
    assert_eq!(dropped.try_recv().unwrap(), thread::current().id());
    assert!(there.is_finished());
    drop(on_drop);
    assert_eq!(dropped.try_recv().unwrap(), thread::current().id());
    assert!(lp.block_on(there).unwrap_err().is_cancelled());
    let (go, jobs): (Vec<_>, Vec<_>) = blocked.into_iter().unzip();
    drop(go);
    jobs.into_iter().for_each(|job| lp.block_on(job).unwrap());
    assert_eq!(lp.block_on(here).unwrap(), "goes on");
}

#[test]
fn a_pool_that_only_a_job_knows_of_ends_after_the_job_and_can_still_abort_it() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let pool = Pool::new(1);
    let (go, blocking) = block_a_thread(&pool);
    let (to, dropped) = mpsc::channel();
    let held = Dropped(to);
    let aborted = pool.spawn_blocking(move || never(held));
    let last = pool.spawn_blocking(|| "last");
    drop(pool);
    aborted.abort();
    dropped.try_recv().unwrap();
    drop(go);
    assert_eq!(lp.block_on(last).unwrap(), "last");
    lp.block_on(blocking).unwrap();
}

#[test]
fn the_pool_of_the_builder_has_the_loops_jobs_files_and_names() {
    let _guard = Deadline::secs(60);
    let pool = Pool::new(2);
    let mut lp = on(&pool);
    assert_eq!(lp.pool(), pool);
    lp.block_on(async {
        spawn_blocking(|| ()).await.unwrap();
        assert!(fs::metadata(".").await.unwrap().is_dir());
        TcpStream::connect("no..such..name:1").await.unwrap_err();
    });
    let metrics = pool.metrics();
    let counts = [metrics.fast, metrics.slow, metrics.cpu].map(|lane| lane.completed);
    assert_eq!(counts, [1, 1, 1]);
}

#[test]
fn of_pool_and_pool_threads_the_later_counts_and_without_both_it_is_the_shared_one() {
    let given = Pool::new(3);
    let lp = Loop::builder().pool_threads(1).pool(given.clone()).build().unwrap();
    assert_eq!(lp.pool(), given);
    let builder = Loop::builder().pool(given.clone()).pool_threads(2);
    let (first, second) = (builder.clone().build().unwrap(), builder.build().unwrap());
    assert_eq!(first.pool().threads(), 2);
    assert_ne!(first.pool(), given);
    assert_ne!(first.pool(), second.pool(), "each loop has one of its own");
    assert_eq!(Loop::new().unwrap().pool(), Pool::shared());
}

#[test]
fn loops_of_several_threads_share_a_pool_and_each_gets_its_own_results() {
    let _guard = Deadline::secs(60);
    let pool = Pool::new(2);
    let loops: Vec<_> = (0..4)
        .map(|of| {
            let pool = pool.clone();
            thread::spawn(move || {
                let mut lp = on(&pool);
                lp.block_on(async {
                    for n in 0..500 {
                        assert_eq!(spawn_blocking(move || (of, n)).await.unwrap(), (of, n));
                    }
                });
            })
        })
        .collect();
    loops.into_iter().for_each(|lp| lp.join().unwrap());
    assert_eq!(pool.metrics().cpu.completed, 2000);
}

#[test]
#[should_panic(expected = "no current loop")]
fn spawn_blocking_without_a_loop_panics() {
    drop(Pool::new(1).spawn_blocking(|| ()));
}

#[test]
fn on_a_loop_that_is_gone_a_job_is_cancelled_at_once() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(1);
    let reference = (*Loop::new().unwrap()).clone();
    let here = reference.enter();
    let (to, dropped) = mpsc::channel();
    let held = Dropped(to);
    let job = pool.spawn_blocking(move || never(held));
    dropped.try_recv().unwrap();
    let room = pool.reserve();
    pool.set_queue_limit(0);
    let go = occupy(&pool);
    let no_room = pool.reserve();
    drop(here);
    let mut other = Loop::new().unwrap();
    assert!(other.block_on(job).unwrap_err().is_cancelled());
    assert!(other.block_on(room).is_ok());
    assert!(LoopGone::is_in(&other.block_on(no_room).unwrap_err()));
    drop(go);
}

// --- work from threads without a loop ---

#[test]
fn execute_needs_no_loop_and_a_job_may_queue_others() {
    let _guard = Deadline::secs(20);
    fn descend(pool: &Pool, depth: usize, done: mpsc::Sender<usize>) {
        let again = pool.clone();
        let job = move || match depth {
            0 => done.send(depth).unwrap(),
            _ => descend(&again, depth - 1, done),
        };
        pool.execute(job).unwrap();
    }
    let (done, is_done) = mpsc::channel();
    // The only handle is in the job, the only thread is the one that queues.
    descend(&Pool::new(1), 1000, done);
    assert_eq!(is_done.recv().unwrap(), 0);
}

#[test]
fn what_is_executed_keeps_its_order_with_the_jobs_of_loops() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(1);
    let mut lp = on(&pool);
    let _here = lp.enter();
    let (go, blocking) = block_a_thread(&pool);
    let (to, order) = mpsc::channel();
    for n in 0..100 {
        let to = to.clone();
        let job = move || to.send(n).unwrap();
        if n % 2 == 0 { pool.execute(job).unwrap() } else { drop(spawn_blocking(job)) }
    }
    drop(go);
    lp.run().unwrap();
    lp.block_on(blocking).unwrap();
    // Behind them all.
    lp.block_on(spawn_blocking(|| ())).unwrap();
    assert_eq!(order.try_iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_panic_in_execute_ends_neither_thread_nor_queue() {
    let _guard = Deadline::secs(20);
    /// Panics when dropped, with another of its kind.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new(Bomb));
        }
    }
    let pool = Pool::new(1);
    let (to, on_thread) = mpsc::channel();
    let tell = move || to.send(thread::current().id()).unwrap();
    pool.execute(tell.clone()).unwrap();
    // No hook is called, and nothing printed, by `resume_unwind`.
    pool.execute(|| resume_unwind(Box::new("text"))).unwrap();
    pool.execute(|| resume_unwind(Box::new(Bomb))).unwrap();
    pool.execute(tell).unwrap();
    assert_eq!(on_thread.recv().unwrap(), on_thread.recv().unwrap());
    assert_eq!(pool.metrics().threads, 1);
}

#[test]
fn a_job_tells_a_loop_by_its_remote() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(2);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let (remote, again) = (lp.remote(), pool.clone());
    let sender = Async::new(|_| ()).sender(); // the loop waits while there is one
    let (home, told) = (thread::current().id(), Arc::new(AtomicUsize::new(0)));
    let telling = told.clone();
    drop(pool.spawn_blocking(move || {
        let job = move || {
            let sum: usize = (1..=100).sum();
            let tell = move || {
                assert_eq!(thread::current().id(), home);
                telling.store(sum, SeqCst);
            };
            remote.post(tell).unwrap();
            drop(sender);
        };
        again.execute(job).unwrap();
    }));
    lp.run().unwrap();
    assert_eq!(told.load(SeqCst), 5050);
}

#[test]
fn what_is_queued_is_carried_out_after_the_last_handle_and_the_threads_end() {
    let _guard = Deadline::secs(20);
    thread_local!(static AT_END: Cell<Option<Dropped>> = const { Cell::new(None) });
    let pool = Pool::new(1);
    let go = occupy(&pool);
    let (ran, all) = mpsc::channel();
    let (to, ended) = mpsc::channel();
    for n in 0..100 {
        let (ran, to) = (ran.clone(), to.clone());
        let job = move || {
            AT_END.set(Some(Dropped(to)));
            ran.send(n).unwrap();
        };
        pool.execute(job).unwrap();
    }
    drop((pool, to));
    drop(go);
    assert_eq!((0..100).map(|_| all.recv().unwrap()).collect::<Vec<_>>(), Vec::from_iter(0..100));
    // Of each job but the last one by the next; that of the last by the end of the thread.
    assert_eq!(ended.iter().count(), 100);
}

// --- which lane goes first ---

#[test]
fn a_file_waits_for_one_of_a_thousand_jobs() {
    let _guard = Deadline::secs(20);
    let (pool, log) = (Pool::new(1), EventLog::new());
    let mut lp = on(&pool);
    let _here = lp.enter();
    let (go, blocking) = block_a_thread(&pool);
    for _ in 0..1000 {
        let noting = log.clone();
        spawn_blocking(|| ()).callback(move |_| noting.push("job"));
    }
    let noting = log.clone();
    fs::metadata(".").callback(move |_| noting.push("file"));
    let noting = log.clone();
    spawn(async move {
        fs::read("Cargo.toml").await.unwrap();
        noting.push("another file");
    });
    lp.run_nowait().unwrap();
    drop(go);
    lp.run().unwrap();
    lp.block_on(blocking).unwrap();
    let told = log.take();
    assert_eq!((told.len(), &*told[0], &*told[1]), (1002, "file", "another file"));
}

#[test]
fn jobs_have_their_turn_in_a_flood_of_files() {
    let _guard = Deadline::secs(60);
    for threads in 1..=3 {
        let pool = Pool::new(threads);
        let mut lp = on(&pool);
        let _here = lp.enter();
        let is_over = Rc::new(Cell::new(false));
        // There are always more files queued than a row is long.
        fn flow(is_over: Rc<Cell<bool>>) {
            fs::metadata(".").callback(move |_| {
                if !is_over.get() {
                    flow(is_over);
                }
            });
        }
        (0..500).for_each(|_| flow(is_over.clone()));
        spawn(async move {
            for n in 0..50 {
                assert_eq!(spawn_blocking(move || n).await.unwrap(), n);
            }
            is_over.set(true);
        });
        lp.run().unwrap();
        assert_eq!(pool.metrics().cpu.completed, 50);
    }
}

#[test]
fn a_row_of_64_files_is_as_many_as_go_before_a_job_that_waits() {
    let _guard = Deadline::secs(20);
    let (pool, log) = (Pool::new(1), EventLog::new());
    let mut lp = on(&pool);
    let _here = lp.enter();
    let (go, blocking) = block_a_thread(&pool);
    for n in 0..2 {
        let noting = log.clone();
        spawn_blocking(|| ()).callback(move |_| noting.push(format!("job {n}")));
    }
    for _ in 0..200 {
        let noting = log.clone();
        fs::metadata(".").callback(move |_| noting.push("file"));
    }
    drop(go);
    lp.run().unwrap();
    lp.block_on(blocking).unwrap();
    let told = log.take();
    assert_eq!((&*told[64], &*told[129]), ("job 0", "job 1"));
    assert_eq!(told.iter().filter(|told| *told == "file").count(), 200);
}

// --- metrics ---

#[test]
fn metrics_tell_what_waits_runs_and_was_done_in_each_lane() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(2);
    let mut lp = on(&pool);
    let _here = lp.enter();
    let (first, second) = (block_a_thread(&pool), block_a_thread(&pool));
    let waiting: Vec<_> = (0..3).map(|_| spawn_blocking(|| ())).collect();
    let aborted = spawn_blocking(|| ());
    let files: Vec<_> = (0..2).map(|_| fs::metadata(".")).collect();
    aborted.abort();
    let metrics = pool.metrics();
    assert_eq!((metrics.threads, metrics.busy, metrics.idle), (2, 2, 0));
    assert_eq!((metrics.cpu.queued, metrics.cpu.running, metrics.cpu.completed), (3, 2, 0));
    assert_eq!((metrics.fast.queued, metrics.fast.running, metrics.fast.completed), (2, 0, 0));
    assert_eq!(metrics.slow, Default::default());
    // With the two that run, and the aborted one, whose end is on its way.
    assert_eq!(lp.metrics().jobs, 8);

    drop((first.0, second.0));
    for job in [first.1, second.1].into_iter().chain(waiting) {
        lp.block_on(job).unwrap();
    }
    files.into_iter().for_each(|file| _ = lp.block_on(file).unwrap());
    let panicked = pool.spawn_blocking(|| -> () { resume_unwind(Box::new("in the job")) });
    lp.block_on(panicked).unwrap_err();
    let metrics = pool.metrics();
    assert_eq!((metrics.threads, metrics.busy, metrics.idle), (2, 0, 2));
    assert_eq!((metrics.cpu.queued, metrics.cpu.completed), (0, 6), "the aborted one did not run");
    assert_eq!((metrics.fast.queued, metrics.fast.completed), (0, 2));
    assert_eq!(lp.block_on(aborted).unwrap_err().to_string(), "the task was cancelled");
    assert_eq!(lp.metrics().jobs, 0);
    // Nobody asked for times.
    assert_eq!((metrics.cpu.wait.count, metrics.cpu.run.count), (0, 0));
}

#[test]
fn times_are_recorded_while_they_are_asked_for() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(1);
    let mut lp = on(&pool);
    lp.block_on(async {
        spawn_blocking(|| ()).await.unwrap();
        pool.record_times(true);
        let long = Duration::from_millis(5);
        let (go, blocking) = block_a_thread(&pool);
        let job = pool.spawn_blocking(move || thread::sleep(long));
        let file = fs::metadata(".");
        thread::sleep(long);
        drop(go);
        file.await.unwrap();
        job.await.unwrap();
        blocking.await.unwrap();
        pool.spawn_blocking(|| -> () { resume_unwind(Box::new("a text")) }).await.unwrap_err();
        pool.record_times(false);
        spawn_blocking(|| ()).await.unwrap();

        let metrics = pool.metrics();
        assert_eq!((metrics.cpu.completed, metrics.fast.completed), (5, 1));
        assert_eq!((metrics.cpu.wait.count, metrics.cpu.run.count), (3, 3));
        for times in [metrics.cpu.wait, metrics.cpu.run, metrics.fast.wait] {
            assert!(times.max >= long && times.sum >= times.max, "{times:?}");
            assert!(times.mean() <= times.max && times.mean() > Duration::ZERO);
        }
        assert!(metrics.cpu.run.sum >= long * 2, "the one that blocked, and the one that slept");
        assert_eq!((metrics.fast.wait.count, metrics.fast.run.count), (1, 1));
        assert_eq!(metrics.slow.wait.mean(), Duration::ZERO);
    });
}

#[test]
fn who_has_a_result_finds_it_counted() {
    let _guard = Deadline::secs(60);
    let pool = Pool::new(4);
    let mut lp = on(&pool);
    lp.block_on(async {
        for n in 1..=500 {
            pool.spawn_blocking(|| ()).await.unwrap();
            let metrics = pool.metrics();
            assert_eq!((metrics.cpu.completed, metrics.busy), (n, 0));
        }
    });
}

#[test]
fn as_many_jobs_run_at_once_as_there_are_threads() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(3);
    let mut lp = on(&pool);
    let _here = lp.enter();
    let barrier = Arc::new(Barrier::new(3));
    let most = Arc::new(AtomicUsize::new(0));
    for _ in 0..30 {
        let (pool, barrier, most) = (pool.clone(), barrier.clone(), most.clone());
        drop(spawn_blocking(move || {
            barrier.wait();
            most.fetch_max(pool.metrics().busy, SeqCst);
            barrier.wait();
        }));
    }
    lp.run().unwrap();
    assert_eq!(most.load(SeqCst), 3);
}
