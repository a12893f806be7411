//! `Pool::map`: many items, shared among the threads.

mod pool_support;

use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use behaviour::{Deadline, EventLog};
use pool_support::{Dropped, occupy, on};
use runtime::{JoinError, Loop, Pool, on_unhandled};

#[test]
fn results_come_in_the_order_of_the_items_however_they_are_cut() {
    let _guard = Deadline::secs(60);
    let pool = Pool::new(3);
    let mut lp = on(&pool);
    lp.block_on(async {
        for count in [0, 1, 2, 3, 4, 7, 100] {
            let items: Vec<u64> = (0..count).collect();
            let squares: Vec<_> = items.iter().map(|n| n * n).collect();
            assert_eq!(pool.map(items.clone(), |n| n * n).await.unwrap(), squares);
            for chunk_len in [0, 1, 2, 99, 100, 101, usize::MAX] {
                let squared = pool.map_chunks(chunk_len, items.clone(), |n| n * n).await.unwrap();
                assert_eq!(squared, squares, "{count} items by {chunk_len}");
            }
        }
    });
}

#[test]
fn there_are_as_many_jobs_as_threads_or_as_chunks() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(4);
    let mut lp = on(&pool);
    let mut done = 0;
    for (chunk_len, count, jobs) in
        [(None, 100, 4), (None, 3, 3), (None, 0, 0), (Some(10), 95, 10), (Some(0), 5, 5)]
    {
        let items: Vec<_> = (0..count).collect();
        let here = lp.enter();
        let map = match chunk_len {
            None => pool.map(items, |n| n),
            Some(len) => pool.map_chunks(len, items, |n| n),
        };
        drop(here);
        assert_eq!(lp.block_on(map).unwrap().len(), count);
        done += jobs;
        assert_eq!(pool.metrics().cpu.completed, done);
    }
}

#[test]
fn the_chunks_run_at_the_same_time_and_own_what_they_work_on() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(3);
    let (mut lp, log) = (on(&pool), EventLog::new());
    let _here = lp.enter();
    let barrier = Arc::new(Barrier::new(3));
    let (words, noting) = (["a", "b", "c"].map(str::to_owned), log.clone());
    pool.map(words.into(), move |word| {
        barrier.wait();
        word + "!"
    })
    .callback(move |result| noting.push(result.unwrap().join(" ")));
    lp.run().unwrap();
    log.expect(["a! b! c!"]);
}

#[test]
fn the_first_panic_reaches_who_waits_and_no_item_is_begun_after_it() {
    let _guard = Deadline::secs(20);
    for chunk_len in [1, 10] {
        let pool = Pool::new(1);
        let mut lp = on(&pool);
        let _here = lp.enter();
        let begun = Arc::new(AtomicUsize::new(0));
        let (counting, (to, dropped)) = (begun.clone(), mpsc::channel());
        let items: Vec<_> = (0..100).map(|n| (n, Dropped(to.clone()))).collect();
        drop(to);
        let map = pool.map_chunks(chunk_len, items, move |(n, _held)| {
            counting.fetch_add(1, SeqCst);
            if n >= 42 {
                resume_unwind(Box::new(n));
            }
        });
        match lp.block_on(map) {
            Err(JoinError::Panicked(payload)) => {
                assert_eq!(*payload.downcast::<i32>().unwrap(), 42)
            }
            other => panic!("{other:?}"),
        }
        lp.run().unwrap();
        assert_eq!(begun.load(SeqCst), 43, "the only thread stops there");
        assert_eq!(dropped.iter().count(), 100, "all items are gone");
    }
}

#[test]
fn several_panics_are_one_and_the_pool_goes_on() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(4);
    let (mut lp, log) = (on(&pool), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    on_unhandled(move |error| noting.push(error));
    let barrier = Barrier::new(4);
    let map = pool.map((0..4).collect(), move |_: u32| {
        barrier.wait();
        resume_unwind(Box::new("all of them"));
    });
    assert!(lp.block_on::<runtime::JoinHandle<Vec<()>>>(map).unwrap_err().into_panic().is_some());
    lp.run().unwrap();
    log.expect([]);
    assert_eq!(lp.block_on(pool.map(vec![1, 2], |n| n + 1)).unwrap(), [2, 3]);
}

/// An item that panics when it is dropped; or, in the pool, first waits there.
enum Falls {
    Panics,
    Waits(mpsc::Receiver<()>, thread::ThreadId),
}

impl Drop for Falls {
    fn drop(&mut self) {
        match self {
            Self::Panics => resume_unwind(Box::new("a drop")),
            Self::Waits(until, home) if thread::current().id() != *home => drop(until.recv()),
            Self::Waits(..) => {}
        }
    }
}

#[test]
fn items_that_panic_when_they_are_dropped_after_a_panic_are_reported_beside_it() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(1);
    let (mut lp, log) = (on(&pool), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    on_unhandled(move |error| noting.push(error));
    // The thread stays with the second, so that the third is dropped by the loop.
    let (go, until) = mpsc::channel();
    let second = Falls::Waits(until, thread::current().id());
    let items = vec![None, Some(second), Some(Falls::Panics), Some(Falls::Panics)];
    let map = pool.map_chunks(1, items, |item: Option<Falls>| {
        if item.is_none() {
            resume_unwind(Box::new("the first"));
        }
    });
    let payload = lp.block_on(map).unwrap_err().into_panic().unwrap();
    assert_eq!(payload.downcast_ref(), Some(&"the first"));
    drop(go);
    lp.run().unwrap();
    log.expect(["a drop", "a drop"]);
}

#[test]
fn the_panic_of_a_map_that_nobody_waits_for_is_reported() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(2);
    let (mut lp, log) = (on(&pool), EventLog::new());
    let _here = lp.enter();
    let noting = log.clone();
    on_unhandled(move |error| noting.push(error));
    drop(pool.map(vec![()], |()| resume_unwind(Box::new("nobody waits")) as ()));
    lp.run().unwrap();
    log.expect(["nobody waits"]);
}

#[test]
fn abort_drops_what_is_queued_and_begins_no_other_item() {
    let _guard = Deadline::secs(20);
    for by_drop in [false, true] {
        let pool = Pool::new(1);
        let mut lp = on(&pool);
        let _here = lp.enter();
        let ((begins, begun), (go, may_go)) = (mpsc::channel(), mpsc::channel::<()>());
        let (to, dropped) = mpsc::channel();
        let may_go = std::sync::Mutex::new(may_go);
        let items: Vec<_> = (0..100).map(|_| Dropped(to.clone())).collect();
        drop(to);
        let map = pool.map_chunks(10, items, move |_held| {
            begins.send(()).unwrap();
            may_go.lock().unwrap().recv().ok();
        });
        begun.recv().unwrap();
        if by_drop {
            drop(map.abort_on_drop());
            lp.run_nowait().unwrap();
        } else {
            map.abort();
            assert!(lp.block_on(map).unwrap_err().is_cancelled());
        }
        assert_eq!(dropped.try_iter().count(), 90, "the chunks that waited");
        assert_eq!(pool.metrics().cpu.queued, 0);
        drop(go);
        assert_eq!(dropped.iter().count(), 10);
        assert_eq!(begun.iter().count(), 0);
        lp.run().unwrap();
    }
}

#[test]
fn a_dropped_map_goes_on_and_keeps_the_loop_alive() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(2);
    let mut lp = on(&pool);
    let _here = lp.enter();
    let done = Arc::new(AtomicUsize::new(0));
    let counting = done.clone();
    drop(pool.map((0..50).collect(), move |_: u32| counting.fetch_add(1, SeqCst)));
    lp.run().unwrap();
    assert_eq!(done.load(SeqCst), 50);
}

#[test]
fn a_loop_that_goes_away_takes_the_chunks_that_wait_with_it() {
    let _guard = Deadline::secs(20);
    let pool = Pool::new(1);
    let lp = on(&pool);
    let here = lp.enter();
    let go = occupy(&pool);
    let (to, dropped) = mpsc::channel();
    let items: Vec<_> = (0..30).map(|_| Dropped(to.clone())).collect();
    drop(to);
    let map = pool.map_chunks(3, items, |_held| unreachable!("no chunk has begun") as u8);
    drop((here, lp));
    assert_eq!(dropped.iter().filter(|&on| on == thread::current().id()).count(), 30);
    let mut other = Loop::new().unwrap();
    assert!(other.block_on(map).unwrap_err().is_cancelled());
    drop(go);
}

#[test]
fn what_waits_for_a_map_may_be_of_one_thread() {
    let _guard = Deadline::secs(20);
    let (mut lp, log) = (Loop::new().unwrap(), EventLog::new());
    let _here = lp.enter();
    let (local, noting) = (Rc::new(1), log.clone());
    Pool::shared().map(vec![1, 2, 3], |n| n * 2).callback(move |doubled| {
        let all = doubled.unwrap().iter().sum::<i32>() + *local;
        noting.push(all);
    });
    lp.run().unwrap();
    log.expect(["13"]);
}
