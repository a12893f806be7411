//! Temporary files and directories: they go by a drop or a close, wherever that is.

mod fs_support;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use behaviour::Deadline;
use fs_support::{TempDir, assert_names, both, both_done, by_callback, names_in};
use runtime::{Loop, LoopGone, fs, next_tick, spawn, spawn_blocking};

/// Puts a tree into a directory.
fn fill(dir: impl AsRef<Path>) {
    let below = dir.as_ref().join("a/b/c");
    std::fs::create_dir_all(&below).unwrap();
    for number in 0..10 {
        std::fs::write(below.join(number.to_string()), "content").unwrap();
    }
}

#[test]
fn a_directory_is_made_at_its_prefix_and_goes_when_it_is_dropped() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let [one, other] = both_done(&mut lp, || fs::mkdtemp(dir.join("prefix-")));
    assert_ne!(one.path(), other.path());
    for made in [&one, &other] {
        let name = made.path().file_name().unwrap().to_str().unwrap();
        assert!(name.len() > "prefix-".len() && name.starts_with("prefix-"), "{name}");
        assert!(made.path().is_dir());
        fill(made);
    }
    drop((one, other));
    lp.run().unwrap();
    assert_eq!(names_in(dir.path()), [""; 0]);
}

#[test]
fn a_file_is_made_open_and_goes_when_it_is_dropped() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    for made in both_done(&mut lp, || fs::mkstemp(dir.join("prefix-"))) {
        lp.block_on(made.file().write_all_at("content", 0)).unwrap();
        assert_eq!(lp.block_on(made.file().read_exact_at(7, 0)).unwrap(), b"content");
        assert_eq!(made.file().path(), made.path());
        assert_eq!(std::fs::read(&made).unwrap(), b"content");
    }
    lp.run().unwrap();
    assert_eq!(names_in(dir.path()), [""; 0]);
}

#[test]
fn a_prefix_that_ends_with_a_slash_is_a_place() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let made = lp.block_on(fs::mkdtemp(dir.join(""))).unwrap();
    assert_eq!(made.path().parent(), Some(dir.path()));
}

#[test]
fn close_tells_what_became_of_it() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let made = both_done(&mut lp, || fs::mkdtemp(dir.join("d-")));
    for (one, by_future) in made.into_iter().zip([false, true]) {
        fill(&one);
        let path = one.path().to_owned();
        let close = one.close();
        if by_future { lp.block_on(close) } else { by_callback(&mut lp, close) }.unwrap();
        assert!(!path.exists());
    }
    let file = lp.block_on(fs::mkstemp(dir.join("f-"))).unwrap();
    lp.block_on(file.close()).unwrap();
    assert_eq!(names_in(dir.path()), [""; 0]);

    let (made, file) = lp.block_on(async {
        (fs::mkdtemp(dir.join("d-")).await.unwrap(), fs::mkstemp(dir.join("f-")).await.unwrap())
    });
    let paths = [made.path().to_owned(), file.path().to_owned()];
    std::fs::remove_dir(&made).unwrap();
    std::fs::remove_file(&file).unwrap();
    let errors = [lp.block_on(made.close()), lp.block_on(file.close())].map(Result::unwrap_err);
    for (error, path) in errors.iter().zip(paths) {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_names(error, "close", &path);
    }
}

#[test]
fn what_is_kept_stays() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let made = lp.block_on(fs::mkdtemp(dir.join("d-"))).unwrap();
    let path = made.path().to_owned();
    assert_eq!(made.keep(), path);
    let (file, file_path) = lp.block_on(fs::mkstemp(dir.join("f-"))).unwrap().keep();
    lp.run().unwrap();
    assert!(path.is_dir() && file_path.is_file());
    assert!(lp.block_on(file.metadata()).unwrap().is_file());
}

#[test]
fn errors_name_the_prefix() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let prefix = dir.join("no/such-");
    let made = both(&mut lp, || fs::mkdtemp(&prefix)).map(Result::unwrap_err);
    let files = both(&mut lp, || fs::mkstemp(&prefix)).map(Result::unwrap_err);
    for (name, errors) in [("mkdtemp", made), ("mkstemp", files)] {
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert_names(&error, name, &prefix);
        }
    }
}

#[test]
fn a_request_that_is_dropped_or_cancelled_leaves_nothing() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    for round in 0..20 {
        let (one, other) = (fs::mkdtemp(dir.join("d-")), fs::mkstemp(dir.join("f-")));
        if round % 2 == 0 {
            one.cancel();
            other.cancel();
        }
        if round % 3 == 0 {
            // Begun, maybe done.
            lp.block_on(spawn_blocking(|| ())).unwrap();
        }
        drop((one, other));
        lp.run().unwrap();
        assert_eq!(names_in(dir.path()), [""; 0]);
    }
}

/// Keeps the only thread of a pool until the sender is dropped.
fn occupy() -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    spawn_blocking(move || {
        begun.send(()).unwrap();
        // An error says that the other end is gone.
        let _ = released.recv();
    });
    has_begun.recv().unwrap();
    release
}

#[test]
fn a_drop_does_not_wait_and_the_loop_lives_until_it_is_carried_out() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    let (_here, dir) = (lp.enter(), TempDir::new());
    let made = lp.block_on(fs::mkdtemp(dir.join("d-"))).unwrap();
    let file = lp.block_on(fs::mkstemp(dir.join("f-"))).unwrap();
    fill(&made);
    let release = occupy();
    drop((made, file));
    assert_eq!(names_in(dir.path()).len(), 2, "the pool has other work");
    assert!(lp.run_nowait().unwrap(), "it is alive");
    drop(release);
    lp.run().unwrap();
    assert_eq!(names_in(dir.path()), [""; 0]);
}

#[test]
fn a_close_that_is_dropped_or_cancelled_removes_it_all_the_same() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    let (_here, dir) = (lp.enter(), TempDir::new());
    for cancelled in [false, true] {
        let made = lp.block_on(fs::mkdtemp(dir.join("d-"))).unwrap();
        let release = occupy();
        let close = made.close();
        if cancelled {
            assert!(close.cancel());
        }
        drop((close, release));
        lp.run().unwrap();
        assert_eq!(names_in(dir.path()), [""; 0]);
    }
}

#[test]
fn dropped_in_callbacks_ticks_and_tasks_they_go() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    fs::mkdtemp(dir.join("callback-")).callback(|made| drop(made.unwrap()));
    fs::mkstemp(dir.join("tick-")).callback(|made| {
        let made = made.unwrap();
        next_tick(move || drop(made));
    });
    let prefix = dir.join("task-");
    let task = spawn(async move {
        let made = fs::mkdtemp(prefix).await.unwrap();
        fill(&made);
        std::future::pending::<()>().await;
        drop(made);
    });
    lp.run().unwrap();
    assert_eq!(names_in(dir.path()).len(), 1);
    task.abort();
    lp.run().unwrap();
    assert_eq!(names_in(dir.path()), [""; 0]);
}

#[test]
fn without_a_loop_the_drop_removes_it() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let make = |lp: &mut Loop| {
        let made = lp.block_on(async {
            let made = fs::mkdtemp(dir.join("d-")).await.unwrap();
            (made, fs::mkstemp(dir.join("f-")).await.unwrap())
        });
        fill(&made.0);
        made
    };
    // No loop is current here.
    drop(make(&mut lp));
    assert_eq!(names_in(dir.path()), [""; 0]);
    let elsewhere = make(&mut lp);
    thread::spawn(move || drop(elsewhere)).join().unwrap();
    assert_eq!(names_in(dir.path()), [""; 0]);
    let later = make(&mut lp);
    drop(lp);
    drop(later);
    assert_eq!(names_in(dir.path()), [""; 0]);
}

#[test]
fn what_a_loop_still_has_goes_with_it() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let task = {
        let _here = lp.enter();
        let made = lp.block_on(fs::mkdtemp(dir.join("d-"))).unwrap();
        fill(&made);
        spawn(async move {
            std::future::pending::<()>().await;
            drop(made);
        })
    };
    lp.run().unwrap();
    drop(lp);
    assert_eq!(names_in(dir.path()), [""; 0]);
    drop(task);
}

#[test]
fn on_a_loop_that_is_gone_a_close_says_so_and_removes_it() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let here = lp.enter();
    let made = lp.block_on(fs::mkdtemp(dir.join("d-"))).unwrap();
    let dropped = lp.block_on(fs::mkdtemp(dir.join("d-"))).unwrap();
    drop(lp);
    let close = made.close();
    drop(dropped);
    assert_eq!(names_in(dir.path()), [""; 0]);
    drop(here);
    let mut other = Loop::new().unwrap();
    assert!(LoopGone::is_in(&other.block_on(close).unwrap_err()));
}

#[test]
fn a_result_that_comes_when_the_loop_is_gone_leaves_nothing() {
    let _guard = Deadline::secs(60);
    let dir = TempDir::new();
    for _ in 0..20 {
        let lp = Loop::new().unwrap();
        let here = lp.enter();
        let made = fs::mkdtemp(dir.join("d-"));
        drop(made);
        drop((here, lp));
    }
    // What was under way is done some time.
    while !names_in(dir.path()).is_empty() {
        thread::yield_now();
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn nobody_else_may_open_them() {
        let _guard = Deadline::secs(20);
        let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
        let _here = lp.enter();
        let made = lp.block_on(fs::mkdtemp(dir.join("d-"))).unwrap();
        let file = lp.block_on(fs::mkstemp(dir.join("f-"))).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!([mode(made.path()), mode(file.path())], [0o700, 0o600]);
    }

    #[test]
    fn what_a_link_in_it_points_to_stays() {
        let _guard = Deadline::secs(20);
        let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
        let _here = lp.enter();
        let made = lp.block_on(fs::mkdtemp(dir.join("d-"))).unwrap();
        let outside: PathBuf = dir.join("outside");
        std::fs::create_dir(&outside).unwrap();
        fill(&outside);
        std::os::unix::fs::symlink(&outside, made.path().join("link")).unwrap();
        lp.block_on(made.close()).unwrap();
        assert_eq!(names_in(dir.path()), ["outside"]);
        assert_eq!(names_in(outside.join("a/b/c")).len(), 10);
    }

    #[test]
    fn with_few_descriptors_a_deep_one_goes() {
        let _guard = Deadline::secs(60);
        let dir = TempDir::new();
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["unix::child_with_few_descriptors", "--exact", "--ignored", "--nocapture"])
            .env("DEEP_IN", dir.path())
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        assert!(names_in(dir.path()).is_empty());
    }

    #[test]
    #[ignore = "a child of another test"]
    fn child_with_few_descriptors() {
        let Some(dir) = std::env::var_os("DEEP_IN") else { return };
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        let made = lp.block_on(fs::mkdtemp(Path::new(&dir).join("d-"))).unwrap();
        let deep: PathBuf = ["d"; 100].iter().collect();
        std::fs::create_dir_all(made.path().join(deep)).unwrap();
        let few = libc::rlimit { rlim_cur: 30, rlim_max: 30 };
        // SAFETY: the structure lives as long as the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &few) }, 0);
        lp.block_on(made.close()).unwrap();
    }
}
