//! Advisory locks, between the files of a process and between processes.
#![cfg(unix)]

mod fs_support;

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use behaviour::{Deadline, EventLog};
use fs_support::TempDir;
use futures_lite::future;
use runtime::fs::{File, metadata};
use runtime::time::timeout;
use runtime::{Cancelled, Loop, ms};

fn start() -> (Loop, PathBuf, TempDir, Deadline) {
    let dir = TempDir::new();
    let path = dir.join("file");
    std::fs::write(&path, "").unwrap();
    (Loop::new().unwrap(), path, dir, Deadline::secs(60))
}

#[test]
fn an_exclusive_lock_keeps_others_out_and_shared_ones_share() {
    let (mut lp, path, _dir, _guard) = start();
    lp.block_on(async {
        let (one, other) = (File::open(&path).await.unwrap(), File::open(&path).await.unwrap());
        assert!(one.try_lock().await.unwrap());
        assert!(one.clone().try_lock().await.unwrap(), "a clone has it, too");
        assert!(!other.try_lock().await.unwrap());
        assert!(!other.try_lock_shared().await.unwrap());
        assert!(one.try_lock_shared().await.unwrap(), "it turns into a shared one");
        assert!(other.try_lock_shared().await.unwrap());
        assert!(!one.try_lock().await.unwrap());
        other.unlock().await.unwrap();
        other.unlock().await.unwrap();
        one.lock().await.unwrap();
        assert!(!other.try_lock_shared().await.unwrap());
        drop(one);
        other.lock().await.unwrap();
    });
}

#[test]
fn a_lock_that_waits_holds_no_thread_of_the_pool() {
    let (_, path, _dir, _guard) = start();
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    lp.block_on(async {
        let holder = File::open(&path).await.unwrap();
        holder.lock().await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..10 {
            let file = File::open(&path).await.unwrap();
            waiting.push((file.lock_shared(), file));
        }
        // With one thread: each of these would wait for ever behind a lock that waits there.
        for _ in 0..100 {
            metadata(&path).await.unwrap();
        }
        holder.unlock().await.unwrap();
        for (lock, _file) in waiting {
            lock.await.unwrap();
        }
    });
}

#[test]
fn a_lock_that_waits_can_be_cancelled_and_dropped() {
    let (mut lp, path, _dir, _guard) = start();
    lp.block_on(async {
        let (holder, other) = (File::open(&path).await.unwrap(), File::open(&path).await.unwrap());
        holder.lock().await.unwrap();
        let lock = other.lock();
        assert!(lock.cancel());
        assert!(!lock.cancel(), "once");
        assert!(Cancelled::is_in(&lock.await.unwrap_err()));
        assert!(timeout(ms(5), other.lock()).await.is_err());
        for _ in 0..50 {
            // At any time: before it is asked for, while the pool does, while it is told.
            let lock = other.lock();
            for _ in 0..lock_turns() {
                runtime::yield_now().await;
            }
            drop(lock);
        }
        holder.unlock().await.unwrap();
        // Whatever was under way has come to its end by now, or does soon: nobody has it.
        holder.lock().await.unwrap();
    });
    assert!(!lp.run().unwrap());
}

fn lock_turns() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Relaxed) % 7
}

#[test]
fn a_lock_that_is_dropped_while_it_is_granted_is_given_back() {
    let (mut lp, path, _dir, _guard) = start();
    lp.block_on(async {
        let (one, other) = (File::open(&path).await.unwrap(), File::open(&path).await.unwrap());
        for turns in 0..200 {
            let mut lock = one.lock();
            let mut is_granted = false;
            for _ in 0..turns % 7 {
                is_granted = is_granted || future::poll_once(&mut lock).await.is_some();
                runtime::yield_now().await;
            }
            // One that is over, but was not asked for its answer, stays.
            let is_told = is_granted || !lock.cancel();
            drop(lock);
            if is_told {
                one.unlock().await.unwrap();
            }
            other.lock().await.unwrap();
            other.unlock().await.unwrap();
        }
    });
    assert!(!lp.run().unwrap());
}

#[test]
fn both_faces_lock() {
    let (mut lp, path, _dir, _guard) = start();
    let _here = lp.enter();
    let log = EventLog::new();
    let (one, other) =
        lp.block_on(async { (File::open(&path).await.unwrap(), File::open(&path).await.unwrap()) });
    let told = log.clone();
    one.lock().callback(move |locked| {
        locked.unwrap();
        told.push("locked");
        let (again, told) = (told.clone(), told);
        other.lock_shared().callback(move |locked| {
            locked.unwrap();
            again.push("locked by the other");
            drop(other);
        });
        one.unlock().callback(move |unlocked| {
            unlocked.unwrap();
            told.push("unlocked");
        });
    });
    assert!(!lp.run().unwrap());
    let log = log.take();
    assert_eq!(log[0], "locked");
    assert_eq!(log.len(), 3, "{log:?}");
}

#[test]
fn a_lock_ends_with_the_last_descriptor_of_the_open_file() {
    let (mut lp, path, _dir, _guard) = start();
    lp.block_on(async {
        let file = File::open(&path).await.unwrap();
        file.lock().await.unwrap();
        let duplicate = std::os::fd::AsFd::as_fd(&file).try_clone_to_owned().unwrap();
        drop(file);
        let other = File::open(&path).await.unwrap();
        assert!(!other.try_lock().await.unwrap(), "the duplicate is of the same open file");
        drop(duplicate);
        // A child that another test is about to start may have it for a moment.
        other.lock().await.unwrap();
    });
}

// --- two processes ---

const CHILD: &str = "FILE_LOCKS_CHILD";

/// A process that has the lock until its input ends.
fn holder(path: &std::path::Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_lock_of_another_process_is_waited_for", "--nocapture"])
        .env(CHILD, path)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("has the lock")));
    child
}

#[test]
fn a_lock_of_another_process_is_waited_for() {
    if let Some(path) = std::env::var_os(CHILD) {
        let mut lp = Loop::new().unwrap();
        let file = lp.block_on(async { File::open(path).await }).unwrap();
        lp.block_on(async { file.lock().await }).unwrap();
        behaviour::tell("has the lock");
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        std::process::exit(0);
    }
    let (mut lp, path, _dir, _guard) = start();
    let mut child = holder(&path);
    lp.block_on(async {
        let file = File::open(&path).await.unwrap();
        assert!(!file.try_lock().await.unwrap());
        let mut lock = file.lock();
        assert!(future::poll_once(&mut lock).await.is_none());
        runtime::time::sleep(ms(20)).await;
        assert!(future::poll_once(&mut lock).await.is_none());
        drop(child.stdin.take());
        lock.await.unwrap();
        child.wait().unwrap();
        assert!(file.try_lock_shared().await.unwrap());
    });
    // The file is closed, so its lock is gone.
    let mut child = holder(&path);
    lp.block_on(async {
        let file = File::open(&path).await.unwrap();
        let lock = file.lock_shared();
        child.kill().unwrap();
        child.wait().unwrap();
        lock.await.unwrap();
    });
}
