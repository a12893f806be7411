//! Trees are walked: all of them, in bounds, while they change.
#![cfg_attr(not(unix), allow(unused, reason = "other kinds of errors are not tested there"))]

#[path = "fs_support/mod.rs"]
mod fs_support;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use behaviour::{Deadline, EventLog};
use fs_support::TempDir;
use futures_lite::StreamExt;
use runtime::fs::{self, Walk, WalkEntry, WalkOptions};
use runtime::{Loop, LoopGone, set_immediate, spawn_blocking};

/// `width` directories in each, and files, `depth` levels; gives the paths.
fn grow(dir: &Path, width: usize, depth: usize, all: &mut BTreeSet<PathBuf>) {
    std::fs::create_dir_all(dir).unwrap();
    for n in 0..3 {
        let file = dir.join(format!("file {n}"));
        std::fs::write(&file, "").unwrap();
        all.insert(file);
    }
    for n in 0..if depth > 0 { width } else { 0 } {
        let below = dir.join(format!("dir {n}"));
        all.insert(below.clone());
        grow(&below, width, depth - 1, all);
    }
}

fn a_tree(width: usize, depth: usize) -> (TempDir, BTreeSet<PathBuf>) {
    let (dir, mut all) = (TempDir::new(), BTreeSet::new());
    grow(dir.path(), width, depth, &mut all);
    (dir, all)
}

fn walk_all(root: &Path, options: WalkOptions) -> Vec<io::Result<WalkEntry>> {
    Loop::new().unwrap().block_on(async { fs::walk_with(root, options).collect().await })
}

/// Paths of a walk that meets no error.
#[track_caller]
fn paths(found: Vec<io::Result<WalkEntry>>) -> Vec<PathBuf> {
    found.into_iter().map(|entry| entry.unwrap().path()).collect()
}

/// What came, none twice, each directory before what is in it.
#[track_caller]
fn check(found: Vec<PathBuf>, root: &Path) -> BTreeSet<PathBuf> {
    let mut seen = BTreeSet::new();
    for path in found {
        let above = path.parent().unwrap();
        assert!(above == root || seen.contains(above), "{path:?} before its directory");
        assert!(seen.insert(path.clone()), "{path:?} twice");
    }
    seen
}

#[test]
fn all_comes_once_and_directories_before_what_is_in_them() {
    let _guard = Deadline::secs(60);
    let (dir, all) = a_tree(4, 4);
    for concurrency in [1, 2, 4, 16] {
        let options = WalkOptions::new().concurrency(concurrency);
        let found = walk_all(dir.path(), options);
        for entry in found.iter().flatten() {
            let below = entry.path().strip_prefix(dir.path()).unwrap().components().count();
            assert_eq!(entry.depth(), below);
            let is_dir = entry.file_name().to_str().unwrap().starts_with("dir");
            assert_eq!(entry.file_type().is_dir(), is_dir);
        }
        assert_eq!(check(paths(found), dir.path()), all, "{concurrency} jobs");
    }
}

#[test]
fn in_order_it_is_the_order_of_a_walk_by_hand() {
    fn by_hand(dir: &Path, all: &mut Vec<PathBuf>) {
        let mut names: Vec<_> =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        for path in names.iter().map(|name| dir.join(name)) {
            all.push(path.clone());
            if path.is_dir() {
                by_hand(&path, all);
            }
        }
    }
    let _guard = Deadline::secs(60);
    let (dir, _) = a_tree(4, 4);
    let mut expected = Vec::new();
    by_hand(dir.path(), &mut expected);
    assert!(expected.len() > 1024, "more than a batch");
    assert_eq!(paths(walk_all(dir.path(), WalkOptions::new().sorted(true))), expected);
}

#[test]
fn it_ends_at_its_depth_and_at_what_is_not_to_be_entered() {
    let _guard = Deadline::secs(60);
    let (dir, all) = a_tree(3, 3);
    let depth = |path: &PathBuf| path.strip_prefix(dir.path()).unwrap().components().count();
    for sorted in [false, true] {
        for max in [1, 2, 3, 100] {
            let options = WalkOptions::new().max_depth(max).sorted(sorted);
            let found = check(paths(walk_all(dir.path(), options)), dir.path());
            assert_eq!(found, all.iter().filter(|path| depth(path) <= max).cloned().collect());
        }
        let options = WalkOptions::new()
            .sorted(sorted)
            .descend(|entry| entry.file_name() != "dir 1" || entry.depth() != 2);
        let found = check(paths(walk_all(dir.path(), options)), dir.path());
        let is_pruned = |path: &&PathBuf| {
            let mut parts = path.strip_prefix(dir.path()).unwrap().components();
            parts.nth(1).is_some_and(|part| part.as_os_str() == "dir 1") && parts.next().is_some()
        };
        assert_eq!(found, all.iter().filter(|path| !is_pruned(path)).cloned().collect());
    }
}

#[test]
fn batches_come_by_callback_and_none_are_the_end() {
    fn go_on(mut walk: Walk, log: EventLog, sizes: Rc<RefCell<Vec<usize>>>) {
        walk.next_batch().callback(move |batch| -> runtime::Result {
            let len = batch?.len();
            sizes.borrow_mut().push(len);
            set_immediate(log.mark("immediate"));
            if len > 0 {
                go_on(walk, log, sizes);
            }
            Ok(())
        });
    }
    let _guard = Deadline::secs(60);
    let (dir, all) = a_tree(4, 4);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let (log, sizes) = (EventLog::new(), Rc::new(RefCell::new(Vec::new())));
    go_on(fs::walk(dir.path()), log, sizes.clone());
    assert!(sizes.borrow().is_empty(), "no callback in the call");
    lp.run().unwrap();
    let sizes = sizes.take();
    assert_eq!(sizes.iter().sum::<usize>(), all.len());
    assert_eq!(sizes.iter().filter(|size| **size == 0).count(), 1);
    assert!(sizes.iter().all(|size| *size <= 1024), "{sizes:?}");
}

#[test]
fn a_large_directory_comes_in_batches() {
    let _guard = Deadline::secs(60);
    let (dir, mut lp) = (TempDir::new(), Loop::new().unwrap());
    for n in 0..20_000 {
        std::fs::write(dir.join(n.to_string()), "").unwrap();
    }
    lp.block_on(async {
        let (mut walk, mut count) = (fs::walk(dir.path()), 0);
        loop {
            let batch = walk.next_batch().await.unwrap();
            assert!(batch.len() <= 1024);
            count += batch.len();
            if batch.is_empty() {
                break;
            }
        }
        assert_eq!(count, 20_000);
        assert!(walk.next_entry().await.is_none(), "the end goes on");
    });
}

#[cfg(unix)]
#[test]
fn errors_name_the_directory_and_end_nothing() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    std::fs::write(dir.join("file"), "").unwrap();
    for (path, kind) in [
        ("none", ErrorKind::NotFound),
        ("file", ErrorKind::NotADirectory),
        ("nul\0", ErrorKind::InvalidInput),
    ] {
        for sorted in [false, true] {
            let found = walk_all(&dir.join(path), WalkOptions::new().sorted(sorted));
            let [Err(error)] = &found[..] else { panic!("{found:?}") };
            assert_eq!(error.kind(), kind);
            let failed = fs::Error::of(error).unwrap();
            assert_eq!((failed.operation(), failed.path()), ("walk", &*dir.join(path)));
        }
    }
}

#[test]
fn a_predicate_that_panics_is_an_error_and_the_loop_lives_on() {
    let _guard = Deadline::secs(20);
    let (dir, _) = a_tree(2, 2);
    let options = WalkOptions::new().descend(|_| panic!("in the pool"));
    let found = walk_all(dir.path(), options);
    let errors: Vec<_> = found.iter().filter_map(|entry| entry.as_ref().err()).collect();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].to_string().contains("in the pool"), "{}", errors[0]);
}

#[test]
fn who_does_not_take_what_is_there_is_read_no_more_for() {
    let _guard = Deadline::secs(60);
    let dir = TempDir::new();
    for path in (0..8).flat_map(|d| (0..1100).map(move |n| format!("{d}/{n}"))) {
        std::fs::create_dir_all(dir.join(path)).unwrap();
    }
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    // Each entry is a directory, so each that is found is asked for.
    let found = Arc::new(AtomicUsize::new(0));
    let finding = found.clone();
    let options = WalkOptions::new().concurrency(3).descend(move |_| {
        finding.fetch_add(1, SeqCst);
        true
    });
    lp.block_on(async {
        let (mut walk, mut taken) = (fs::walk_with(dir.path(), options), 0);
        loop {
            let batch = walk.next_batch().await.unwrap();
            taken += batch.len();
            if batch.is_empty() {
                break;
            }
            // What may be submitted meanwhile is: the only thread does this after it.
            for _ in 0..8 {
                spawn_blocking(|| ()).await.unwrap();
            }
            let ahead = found.load(SeqCst) - taken;
            assert!(ahead <= 3 * 1024, "{ahead} ahead");
        }
        assert_eq!(taken, 8 + 8 * 1100);
    });
}

#[test]
fn an_entry_that_nobody_waited_for_is_the_next_ones() {
    let _guard = Deadline::secs(60);
    let (dir, all) = a_tree(4, 3);
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        let (mut walk, mut found) = (fs::walk(dir.path()), Vec::new());
        loop {
            let once = futures_lite::future::poll_once(walk.next_entry()).await;
            // A batch that was asked for and let go before it came is there for the next.
            if found.is_empty() && once.is_none() {
                drop(walk.next_batch());
            }
            let entry = match once {
                Some(entry) => entry,
                None => walk.next_entry().await,
            };
            let Some(entry) = entry else { break };
            found.push(entry.unwrap().path());
        }
        assert!(check(found, dir.path()) == all);
    });
}

#[test]
fn one_batch_is_waited_for_at_a_time_and_a_walk_that_is_let_go_still_tells_it() {
    let _guard = Deadline::secs(20);
    let (dir, all) = a_tree(2, 2);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let told = Rc::new(Cell::new(0));
    let mut walk = fs::walk(dir.path());
    let telling = told.clone();
    walk.next_batch().callback(move |batch| telling.set(batch.unwrap().len()));
    let second = walk.next_batch();
    drop(walk);
    second.callback(|batch| {
        let error = batch.unwrap_err();
        assert!(runtime::raw_os_error(&error).is_some(), "{error}");
    });
    lp.run().unwrap();
    assert_eq!(told.get(), all.len());
}

#[test]
fn dropped_half_way_it_ends_and_leaves_no_directory_open() {
    let _guard = Deadline::secs(60);
    let (dir, _) = a_tree(5, 4);
    let mut lp = Loop::builder().pool_threads(2).build().unwrap();
    for entries in [0, 1, 500, 1500] {
        lp.block_on(async {
            let mut walk = fs::walk(dir.path());
            for _ in 0..entries {
                walk.next_entry().await.unwrap().unwrap();
            }
            let _ = futures_lite::future::poll_once(walk.next_entry()).await;
        });
    }
    let _here = lp.enter();
    lp.run().unwrap();
    // The pool's threads have ended when its loop is dropped, or are about to: both do one more job each.
    let barrier = Arc::new(std::sync::Barrier::new(2));
    for _ in 0..2 {
        let barrier = barrier.clone();
        spawn_blocking(move || _ = barrier.wait()).callback(|done| done.unwrap());
    }
    lp.run().unwrap();
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    let targets = open.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
    assert_eq!(targets.filter(|target| target.starts_with(dir.path())).count(), 0);
}

#[test]
fn a_loop_that_is_dropped_half_way_tells_who_waits() {
    let _guard = Deadline::secs(20);
    let (dir, _) = a_tree(2, 2);
    let lp = Loop::builder().pool_threads(1).build().unwrap();
    let (mut walk, batch) = {
        let _here = lp.enter();
        let mut walk = fs::walk(dir.path());
        let batch = walk.next_batch();
        (walk, batch)
    };
    drop(lp);
    Loop::new().unwrap().block_on(async {
        assert!(LoopGone::is_in(&batch.await.unwrap_err()));
        assert!(LoopGone::is_in(&walk.next_entry().await.unwrap().unwrap_err()));
    });
}

#[test]
fn a_callback_that_holds_the_walk_goes_with_the_loop() {
    let _guard = Deadline::secs(20);
    let (dir, _) = a_tree(1, 1);
    let lp = Loop::builder().pool_threads(1).build().unwrap();
    let held = Rc::new(());
    {
        let _here = lp.enter();
        let mut walk = fs::walk(dir.path());
        let holding = held.clone();
        walk.next_batch().callback(move |_| drop((walk, holding)));
    }
    drop(lp);
    assert_eq!(Rc::strong_count(&held), 1);
}

#[cfg(unix)]
#[test]
fn a_tree_that_changes_while_it_is_walked_tells_what_stays() {
    let _guard = Deadline::secs(60);
    let (dir, all) = a_tree(3, 4);
    let go = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while go.load(SeqCst) {
                let (at, to) =
                    (dir.join(format!("dir {}/passing {n}", n % 3)), dir.join("passing"));
                std::fs::create_dir_all(at.join("passing below")).unwrap();
                std::fs::write(at.join("passing below/passing"), "").unwrap();
                std::fs::rename(&at, &to).unwrap();
                std::fs::remove_dir_all(&to).unwrap();
                n += 1;
            }
        });
        for sorted in [false, true, false, true] {
            let found = walk_all(dir.path(), WalkOptions::new().sorted(sorted));
            // What goes while it is walked is no error.
            let mut found = paths(found);
            found.retain(|path| !path.to_string_lossy().contains("passing"));
            assert_eq!(check(found, dir.path()), all);
        }
        go.store(false, SeqCst);
    });
}

#[cfg(unix)]
#[test]
fn a_directory_that_became_a_link_meanwhile_is_not_entered() {
    use std::os::unix::fs::symlink;
    let _guard = Deadline::secs(20);
    let (dir, mut lp) = (TempDir::new(), Loop::new().unwrap());
    let outside = TempDir::new();
    std::fs::write(outside.join("secret"), "").unwrap();
    for name in ["a", "b"] {
        std::fs::create_dir(dir.join(name)).unwrap();
        std::fs::write(dir.join(name).join("file"), "").unwrap();
    }
    let (path, victim) = (dir.join("b"), outside.path().to_owned());
    // Between the list of the root and the reading of `b`.
    let options = WalkOptions::new().sorted(true).descend(move |entry| {
        if entry.file_name() == "b" {
            std::fs::remove_dir_all(&path).unwrap();
            symlink(&victim, &path).unwrap();
        }
        true
    });
    let found: Vec<_> = lp.block_on(fs_walk(&dir, options));
    assert_eq!(found, ["a", "a/file", "b"].map(|path| dir.join(path)));
}

#[cfg(unix)]
async fn fs_walk(dir: &TempDir, options: WalkOptions) -> Vec<PathBuf> {
    fs::walk_with(dir.path(), options).map(|entry| entry.unwrap().path()).collect().await
}

#[cfg(unix)]
#[test]
fn links_are_told_or_followed_and_loops_are_named() {
    use std::os::unix::fs::symlink;
    let _guard = Deadline::secs(20);
    let (dir, other) = (TempDir::new(), TempDir::new());
    std::fs::create_dir_all(dir.join("a/b")).unwrap();
    std::fs::write(other.join("file"), "").unwrap();
    symlink(other.path(), dir.join("a/other")).unwrap();
    symlink("..", dir.join("a/b/back")).unwrap();
    symlink("itself", dir.join("itself")).unwrap();
    symlink("nowhere", dir.join("broken")).unwrap();

    let found = check(paths(walk_all(dir.path(), WalkOptions::new())), dir.path());
    let told = ["a", "a/b", "a/b/back", "a/other", "broken", "itself"];
    assert_eq!(found, told.iter().map(|path| dir.join(path)).collect());

    for sorted in [false, true] {
        let options = WalkOptions::new().follow_links(true).sorted(sorted);
        let (found, errors): (Vec<_>, Vec<_>) =
            walk_all(dir.path(), options).into_iter().partition(Result::is_ok);
        for entry in found.iter().flatten() {
            let is_link = ["broken", "itself"].iter().any(|name| entry.file_name() == *name);
            assert_eq!(entry.file_type().is_symlink(), is_link, "{entry:?}");
        }
        let mut all = check(paths(found), dir.path());
        assert!(all.remove(&dir.join("a/other/file")));
        assert_eq!(all, told.iter().map(|path| dir.join(path)).collect());
        let [Err(error)] = &errors[..] else { panic!("{errors:?}") };
        let found = fs::WalkLoop::of(error).unwrap();
        assert_eq!((found.link(), found.leads_to()), (&*dir.join("a/b/back"), &*dir.join("a")));
        assert!(error.to_string().contains("which it is in"), "{error}");
    }
    // The root itself may be a link.
    symlink(dir.path(), other.join("root")).unwrap();
    assert_eq!(walk_all(&other.join("root"), WalkOptions::new()).len(), 6);
}

#[cfg(unix)]
#[test]
fn a_tree_beyond_what_a_path_can_name_is_walked() {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
    let _guard = Deadline::secs(120);
    // One of the roots has a slash where the longest path ends.
    for (pad, depth) in [(1, 1200), (2, 900), (3, 900), (4, 900), (5, 900)] {
        let dir = TempDir::new();
        let root = dir.join("x".repeat(pad));
        std::fs::create_dir(&root).unwrap();
        let mut at = openat(CWD, &root, OFlags::DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..depth {
            mkdirat(&at, "deep", Mode::RWXU).unwrap();
            at = openat(&at, "deep", OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        for follow in [false, true] {
            let found = walk_all(&root, WalkOptions::new().follow_links(follow));
            let last = found.last().unwrap().as_ref().unwrap();
            assert_eq!((found.len(), last.depth()), (depth, depth), "{pad}");
            assert!(last.path().as_os_str().len() > 4096);
        }
        Loop::new().unwrap().block_on(async { fs::remove_dir_all(dir.path()).await.unwrap() });
    }
}

/// Runs this test file again as a process of its own, with just the test `name`.
#[cfg(unix)]
fn in_a_child(name: &str, variable: &str, path: &Path) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(variable, path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(unix)]
#[test]
fn with_twenty_descriptors_a_deep_and_wide_tree_is_walked() {
    let _guard = Deadline::secs(60);
    let (dir, all) = a_tree(3, 6);
    std::fs::write(dir.join("count"), all.len().to_string()).unwrap();
    for n in 0..3000 {
        std::fs::write(dir.join(format!("dir 0/{n}")), "").unwrap();
        std::fs::write(dir.join(format!("dir 1/{n}")), "").unwrap();
    }
    in_a_child("child_with_few_descriptors", "WALKED", dir.path());
}

#[cfg(unix)]
#[test]
#[ignore = "a child of another test"]
fn child_with_few_descriptors() {
    let Some(root) = std::env::var_os("WALKED") else { return };
    let count: usize =
        std::fs::read_to_string(Path::new(&root).join("count")).unwrap().parse().unwrap();
    let few = libc::rlimit { rlim_cur: 20, rlim_max: 20 };
    // SAFETY: the structure lives as long as the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &few) }, 0);
    for sorted in [false, true] {
        let found = walk_all(root.as_ref(), WalkOptions::new().sorted(sorted).concurrency(8));
        assert_eq!(paths(found).len(), count + 1 + 6000);
    }
}

#[cfg(unix)]
#[test]
fn what_may_not_be_read_is_told_and_the_rest_is_walked() {
    use std::os::unix::fs::PermissionsExt;
    let _guard = Deadline::secs(60);
    // SAFETY: the call has no arguments and no effects.
    if unsafe { libc::geteuid() } != 0 {
        behaviour::tell("runs as another user than root: not tested with another uid");
        return;
    }
    let (dir, _) = a_tree(2, 1);
    std::fs::set_permissions(dir.join("dir 0"), PermissionsExt::from_mode(0o700)).unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    in_a_child("child_of_another_user", "WALKED", dir.path());
}

#[cfg(unix)]
#[test]
#[ignore = "a child of another test"]
fn child_of_another_user() {
    let Some(root) = std::env::var_os("WALKED") else { return };
    // SAFETY: the call is given a number.
    assert_eq!(unsafe { libc::setuid(65_534) }, 0);
    let found = walk_all(root.as_ref(), WalkOptions::new());
    let (found, errors): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    assert_eq!(found.len(), 3 + 2 + 3);
    let [Err(error)] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(fs::Error::of(error).unwrap().path(), Path::new(&root).join("dir 0"));
}
