//! The bound of a pool's queue: who is refused, and who waits for room.

mod pool_support;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;

use behaviour::{Deadline, EventLog};
use futures_lite::future::poll_once;
use pool_support::{Dropped, block_a_thread, occupy, on};
use runtime::{
    Cancelled, Loop, Pool, PoolPermit, QueueFull, fs, queue_microtask, set_immediate, spawn,
    spawn_blocking,
};

const _: fn() = || {
    fn is<T: Send + Sync>() {}
    is::<PoolPermit>();
};

/// A pool of one thread, which is busy, and room for `limit`.
fn busy(limit: usize) -> (Pool, mpsc::Sender<()>) {
    let pool = Pool::new(1);
    pool.set_queue_limit(limit);
    let go = occupy(&pool);
    (pool, go)
}

/// Waits for room, and notes when it is there; the permit is kept.
fn note_room(pool: &Pool, log: &EventLog, name: &'static str) -> Rc<RefCell<Option<PoolPermit>>> {
    let (noting, kept) = (log.clone(), Rc::new(RefCell::new(None)));
    let keeping = kept.clone();
    pool.reserve().callback(move |permit| {
        noting.push(name);
        keeping.replace(Some(permit.unwrap()));
    });
    kept
}

#[test]
fn without_a_limit_there_is_always_room() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(1);
    assert_eq!(pool.queue_limit(), None);
    let mut lp = on(&pool);
    let _here = lp.enter();
    let go = occupy(&pool);
    let jobs: Vec<_> = (0..1000).map(|n| pool.try_spawn_blocking(move || n).unwrap()).collect();
    let permits: Vec<_> = (0..1000).map(|_| pool.try_reserve().unwrap()).collect();
    drop(lp.block_on(pool.reserve()).unwrap());
    drop((permits, go));
    for (n, job) in jobs.into_iter().enumerate() {
        assert_eq!(lp.block_on(job).unwrap(), n);
    }
}

#[test]
fn who_is_refused_gets_the_job_back() {
    let _guard = Deadline::secs(20);
    let (pool, go) = busy(2);
    assert_eq!(pool.queue_limit(), Some(2));
    let mut lp = on(&pool);
    let _here = lp.enter();
    let accepted: Vec<_> = (0..2).map(|n| pool.try_spawn_blocking(move || n).unwrap()).collect();
    let held = String::from("its own");
    let full = pool.try_spawn_blocking(move || held).unwrap_err();
    assert_eq!(full.to_string(), "the pool's queue is full: as many jobs wait as may");
    assert_eq!(full.into_job()(), "its own");
    let full = pool.try_spawn_blocking(|| ()).unwrap_err();
    assert!(QueueFull::is_in(&io::Error::from(full)));
    assert!(pool.try_reserve().is_none());
    assert_eq!(pool.metrics().cpu.queued, 2);
    drop(go);
    for (n, job) in accepted.into_iter().enumerate() {
        assert_eq!(lp.block_on(job).unwrap(), n);
    }
    lp.block_on(pool.try_spawn_blocking(|| ()).unwrap()).unwrap();
}

#[test]
fn with_a_limit_of_0_there_is_room_for_what_a_free_thread_takes_at_once() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(3);
    pool.set_queue_limit(0);
    let mut lp = on(&pool);
    let _here = lp.enter();
    let permits: Vec<_> = (0..3).map(|_| pool.try_reserve().unwrap()).collect();
    assert!(pool.try_reserve().is_none());
    drop(permits);
    let go: Vec<_> = (0..3).map(|_| block_a_thread(&pool)).collect();
    pool.try_spawn_blocking(|| ()).unwrap_err();
    let (senders, jobs): (Vec<_>, Vec<_>) = go.into_iter().unzip();
    drop(senders);
    jobs.into_iter().for_each(|job| lp.block_on(job).unwrap());
    // Their threads are free a moment after the results are here.
    lp.block_on(async { pool.reserve().await.unwrap().spawn_blocking(|| ()).await }).unwrap();
}

#[test]
fn files_and_what_does_not_ask_are_never_refused() {
    let _guard = Deadline::secs(20);
    let (pool, go) = busy(1);
    let mut lp = on(&pool);
    let _here = lp.enter();
    let files: Vec<_> = (0..100).map(|_| fs::metadata(".")).collect();
    // They take no room either.
    let job = pool.try_spawn_blocking(|| ()).unwrap();
    pool.try_spawn_blocking(|| ()).unwrap_err();
    let unasked: Vec<_> = (0..100).map(|_| spawn_blocking(|| ())).collect();
    pool.execute(|| ()).unwrap();
    assert_eq!(pool.metrics().cpu.queued, 102);
    drop(go);
    files.into_iter().for_each(|file| assert!(lp.block_on(file).unwrap().is_dir()));
    unasked.into_iter().chain([job]).for_each(|job| lp.block_on(job).unwrap());
}

#[test]
fn who_waits_gets_room_in_the_order_of_the_calls_by_both_faces() {
    let _guard = Deadline::secs(20);
    let ((pool, go), log) = (busy(1), EventLog::new());
    let mut lp = on(&pool);
    let _here = lp.enter();
    drop(pool.try_spawn_blocking(|| ()).unwrap());
    for n in 0..6 {
        let (own, noting) = (pool.clone(), log.clone());
        let push = move |permit: PoolPermit| {
            noting.push(n);
            let more = noting.clone();
            permit
                .spawn_blocking(move || n)
                .callback(move |n| more.push(format!("job {}", n.unwrap())));
        };
        let room = own.reserve();
        if n % 2 == 0 {
            room.callback(move |permit| push(permit.unwrap()));
        } else {
            spawn(async move { push(room.await.unwrap()) });
        }
    }
    lp.run_nowait().unwrap();
    log.expect([]);
    assert_eq!(pool.metrics().waiting_for_room, 6);
    drop(go);
    lp.run().unwrap();
    let told = log.take();
    let of = |jobs: bool| told.iter().filter(move |told| told.starts_with("job") == jobs);
    assert_eq!(of(false).collect::<Vec<_>>(), ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(
        of(true).collect::<Vec<_>>(),
        ["job 0", "job 1", "job 2", "job 3", "job 4", "job 5"]
    );
    assert_eq!(pool.metrics().waiting_for_room, 0);
}

#[test]
fn room_comes_in_poll_with_a_checkpoint_and_at_once_through_pending() {
    let _guard = Deadline::secs(20);
    let ((pool, go), log) = (busy(0), EventLog::new());
    let mut lp = on(&pool);
    let _here = lp.enter();
    let noting = log.clone();
    pool.reserve().callback(move |permit| {
        noting.push("room");
        queue_microtask(noting.mark("microtask"));
        set_immediate(noting.mark("immediate"));
        drop(permit);
    });
    log.push("script");
    drop(go);
    lp.run().unwrap();
    log.expect(["script", "room", "microtask", "immediate"]);
    pool.set_queue_limit(None);
    let noting = log.clone();
    pool.reserve().callback(move |permit| noting.push(permit.is_ok()));
    log.expect([]);
    lp.run().unwrap();
    log.expect(["true"]);
}

#[test]
fn nobody_who_comes_later_overtakes_who_waits() {
    let _guard = Deadline::secs(20);
    let ((pool, go), log) = (busy(1), EventLog::new());
    let mut lp = on(&pool);
    let _here = lp.enter();
    let first = pool.try_reserve().unwrap();
    let kept = note_room(&pool, &log, "waited");
    drop(first);
    // It is granted, though the loop has not heard of it.
    assert!(pool.try_reserve().is_none());
    lp.run().unwrap();
    log.expect(["waited"]);
    drop(kept.take());
    assert!(pool.try_reserve().is_some());
    drop(go);
}

#[test]
fn who_gives_up_leaves_the_line_and_granted_room_goes_on_to_the_next() {
    let _guard = Deadline::secs(20);
    let ((pool, _go), log) = (busy(1), EventLog::new());
    let mut lp = on(&pool);
    let _here = lp.enter();
    for was_granted in [false, true] {
        let held = pool.try_reserve().unwrap();
        let gives_up = pool.reserve();
        let kept = note_room(&pool, &log, "next");
        assert_eq!(pool.metrics().waiting_for_room, 2);
        if was_granted {
            drop(held);
            drop(gives_up);
        } else {
            drop(gives_up);
            assert_eq!(pool.metrics().waiting_for_room, 1);
            drop(held);
        }
        lp.run().unwrap();
        log.expect(["next"]);
        assert!(pool.try_reserve().is_none());
        kept.take();
    }
    // A result that is here, and not taken.
    let held = pool.try_reserve().unwrap();
    let untaken = pool.reserve();
    drop(held);
    lp.run().unwrap();
    assert!(pool.try_reserve().is_none());
    drop(untaken);
    assert!(pool.try_reserve().is_some());
}

#[test]
fn a_wait_that_is_dropped_half_way_in_a_task_loses_no_room() {
    let _guard = Deadline::secs(20);
    let (pool, _go) = busy(1);
    let mut lp = on(&pool);
    lp.block_on(async {
        for _ in 0..100 {
            let held = pool.try_reserve().unwrap();
            {
                let mut room = pool.reserve();
                assert!(poll_once(&mut room).await.is_none());
            }
            let mut room = pool.reserve();
            assert!(poll_once(&mut room).await.is_none());
            drop(held);
            drop(room.await.unwrap());
        }
        assert!(pool.try_reserve().is_some());
    });
}

#[test]
fn a_wait_can_be_cancelled_by_itself_and_by_its_id() {
    let _guard = Deadline::secs(20);
    let ((pool, _go), log) = (busy(1), EventLog::new());
    let mut lp = on(&pool);
    let _here = lp.enter();
    let held = pool.try_reserve().unwrap();
    let room = pool.reserve();
    assert!(room.cancel() && !room.cancel());
    assert!(Cancelled::is_in(&lp.block_on(room).unwrap_err()));
    let noting = log.clone();
    let id = pool.reserve().callback(move |room| noting.push(room.unwrap_err()));
    assert!(id.cancel() && !id.cancel());
    lp.run().unwrap();
    log.expect(["the operation was cancelled"]);
    let granted = pool.reserve();
    drop(held);
    assert!(!granted.cancel());
    drop(lp.block_on(granted).unwrap());
}

#[test]
fn a_raised_limit_gives_room_to_those_it_is_for() {
    let _guard = Deadline::secs(20);
    let ((pool, _go), log) = (busy(0), EventLog::new());
    let mut lp = on(&pool);
    let _here = lp.enter();
    let _kept: Vec<_> =
        ["a", "b", "c", "d"].into_iter().map(|name| note_room(&pool, &log, name)).collect();
    pool.set_queue_limit(1);
    lp.run_nowait().unwrap();
    log.expect(["a"]);
    pool.set_queue_limit(3);
    lp.run_nowait().unwrap();
    log.expect(["b", "c"]);
    pool.set_queue_limit(0);
    lp.run_nowait().unwrap();
    log.expect([]);
    pool.set_queue_limit(None);
    lp.run().unwrap();
    log.expect(["d"]);
    // Three are reserved, and more than the limit says.
    pool.set_queue_limit(4);
    assert!(pool.try_reserve().is_none());
    pool.set_queue_limit(usize::MAX);
    assert!(pool.try_reserve().is_some());
}

#[test]
fn an_aborted_job_makes_room() {
    let _guard = Deadline::secs(20);
    let ((pool, _go), log) = (busy(1), EventLog::new());
    let mut lp = on(&pool);
    let _here = lp.enter();
    let job = pool.try_spawn_blocking(|| ()).unwrap();
    let kept = note_room(&pool, &log, "room");
    job.abort();
    lp.run().unwrap();
    log.expect(["room"]);
    drop((kept, job));
}

#[test]
fn a_permit_stands_for_its_room_until_its_job_does() {
    let _guard = Deadline::secs(20);
    let (pool, go) = busy(1);
    let mut lp = on(&pool);
    let _here = lp.enter();
    let permit = pool.try_reserve().unwrap();
    pool.try_spawn_blocking(|| ()).unwrap_err();
    let job = permit.spawn_blocking(|| "through the permit");
    pool.try_spawn_blocking(|| ()).unwrap_err();
    drop(go);
    assert_eq!(lp.block_on(job).unwrap(), "through the permit");

    // From a thread without a loop.
    let (ran, has_run) = mpsc::channel();
    let other = pool.clone();
    let submits = move || {
        loop {
            // The thread is free a moment after the result is here.
            let Some(permit) = other.try_reserve() else { continue };
            return permit.execute(move || ran.send(()).unwrap()).unwrap();
        }
    };
    thread::spawn(submits).join().unwrap();
    has_run.recv().unwrap();
}

#[test]
fn room_can_be_asked_for_and_given_back_in_the_callback_that_gets_it() {
    let _guard = Deadline::secs(20);
    let (pool, _go) = busy(1);
    let mut lp = on(&pool);
    let _here = lp.enter();
    let left = Rc::new(Cell::new(100));
    fn again(pool: Pool, left: Rc<Cell<usize>>) {
        let own = pool.clone();
        pool.reserve().callback(move |permit| {
            left.set(left.get() - 1);
            if left.get() > 0 {
                again(own.clone(), left.clone());
            }
            drop(permit);
            drop(own.reserve());
        });
    }
    again(pool, left.clone());
    lp.run().unwrap();
    assert_eq!(left.get(), 0);
}

#[test]
fn a_loop_that_goes_away_leaves_the_line_and_its_room_to_others() {
    let _guard = Deadline::secs(20);
    let (pool, _go) = busy(1);
    for was_granted in [false, true] {
        let held = pool.try_reserve().unwrap();
        let gone = on(&pool);
        let here = gone.enter();
        let (to, dropped) = mpsc::channel();
        let callback = Dropped(to);
        pool.reserve().callback(move |_| drop(callback));
        let room = pool.reserve();
        drop(here);
        let (is_waiting, waits) = mpsc::channel();
        let next = thread::spawn({
            let pool = pool.clone();
            move || {
                let mut lp = Loop::new().unwrap();
                lp.block_on(async {
                    let mut room = pool.reserve();
                    assert!(poll_once(&mut room).await.is_none());
                    is_waiting.send(()).unwrap();
                    drop(room.await.unwrap());
                });
            }
        });
        waits.recv().unwrap();
        assert_eq!(pool.metrics().waiting_for_room, 3);
        if was_granted {
            drop(held);
            drop(gone);
        } else {
            drop(gone);
            assert_eq!(pool.metrics().waiting_for_room, 1);
            drop(held);
        }
        assert_eq!(dropped.try_recv().unwrap(), thread::current().id());
        drop(room);
        next.join().unwrap();
        assert!(pool.try_reserve().is_some());
    }
}

#[test]
fn loops_of_several_threads_never_exceed_the_limit_and_all_get_through() {
    const LIMIT: usize = 3;
    let _guard = Deadline::secs(120);
    let pool = Pool::new(2);
    pool.set_queue_limit(LIMIT);
    let done = Arc::new(AtomicUsize::new(0));
    let loops: Vec<_> = (0..4)
        .map(|_| {
            let (pool, done) = (pool.clone(), done.clone());
            thread::spawn(move || {
                let mut lp = Loop::new().unwrap();
                let _here = lp.enter();
                for n in 0..200 {
                    let (pool, done) = (pool.clone(), done.clone());
                    spawn(async move {
                        if n % 7 == 0 {
                            // Gives up, with and without a grant.
                            let mut room = pool.reserve();
                            drop(poll_once(&mut room).await);
                        }
                        let permit = pool.reserve().await.unwrap();
                        assert!(pool.metrics().cpu.queued <= LIMIT + pool.threads());
                        let job = permit.spawn_blocking(move || _ = done.fetch_add(1, SeqCst));
                        job.await.unwrap();
                    });
                }
                lp.run().unwrap();
            })
        })
        .collect();
    loops.into_iter().for_each(|lp| lp.join().unwrap());
    assert_eq!(done.load(SeqCst), 800);
    let metrics = pool.metrics();
    assert_eq!((metrics.waiting_for_room, metrics.cpu.queued), (0, 0));
    // All room is back.
    pool.set_queue_limit(0);
    let mut lp = Loop::new().unwrap();
    let both =
        lp.block_on(async { [pool.reserve().await.unwrap(), pool.reserve().await.unwrap()] });
    assert!(pool.try_reserve().is_none());
    drop(both);
}

#[test]
fn who_waits_keeps_the_loop_alive_and_who_does_not_does_not() {
    let _guard = Deadline::secs(20);
    let (pool, go) = busy(0);
    let mut lp = on(&pool);
    let _here = lp.enter();
    let room = pool.reserve();
    assert!(lp.run_nowait().unwrap());
    drop(room);
    assert!(!lp.run_nowait().unwrap());
    let got = Rc::new(Cell::new(false));
    let noting = got.clone();
    pool.reserve().callback(move |permit| noting.set(permit.is_ok()));
    drop(go);
    assert!(!lp.run().unwrap());
    assert!(got.get());
}

#[test]
fn whichever_threads_make_room_who_waits_is_told_in_the_order_of_the_calls() {
    let _guard = Deadline::secs(60);
    for _ in 0..300 {
        let pool = Pool::new(4);
        pool.set_queue_limit(0);
        let mut lp = on(&pool);
        let _here = lp.enter();
        let all_begun: Vec<_> = (0..4).map(|_| occupy(&pool)).collect();
        let told = Rc::new(RefCell::new(Vec::new()));
        for n in 0..20 {
            let told = told.clone();
            pool.reserve().callback(move |permit| {
                told.borrow_mut().push(n);
                permit.unwrap().spawn_blocking(|| ()).callback(|_| ());
            });
        }
        drop(all_begun);
        lp.run().unwrap();
        assert_eq!(*told.borrow(), (0..20).collect::<Vec<_>>());
    }
}
