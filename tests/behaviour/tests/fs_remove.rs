//! Trees are removed, while others change them, and never what is outside of them.
#![cfg(unix)]

#[path = "fs_support/mod.rs"]
mod fs_support;

use std::ffi::CString;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use behaviour::{Deadline, tell};
use fs_support::TempDir;
use runtime::{Cancelled, Loop, fs, spawn_blocking};
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

/// A tree: `width` directories in each, and files, `depth` levels.
fn grow(dir: &Path, width: usize, depth: usize) {
    std::fs::create_dir_all(dir).unwrap();
    for n in 0..3 {
        std::fs::write(dir.join(format!("file {n}")), "contents").unwrap();
    }
    if depth > 0 {
        (0..width).for_each(|n| grow(&dir.join(format!("dir {n}")), width, depth - 1));
    }
}

/// Directories in one another, far beyond what a path can name.
fn dig(dir: &Path, depth: usize) {
    let mut at: OwnedFd = openat(CWD, dir, OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..depth {
        mkdirat(&at, "deep", Mode::RWXU).unwrap();
        at = openat(&at, "deep", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
}

fn remove(path: impl AsRef<Path>) -> std::io::Result<()> {
    Loop::new().unwrap().block_on(async { fs::remove_dir_all(path).await })
}

#[test]
fn a_tree_goes_with_all_that_is_in_it_and_no_link_is_followed() {
    let _guard = Deadline::secs(60);
    let dir = TempDir::new();
    grow(&dir.join("tree"), 3, 4);
    grow(&dir.join("other"), 1, 1);
    symlink("../other", dir.join("tree/link")).unwrap();
    symlink(dir.join("other"), dir.join("tree/dir 0/link")).unwrap();
    symlink("nowhere", dir.join("tree/broken")).unwrap();
    symlink(".", dir.join("tree/itself")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.join("tree/socket")).unwrap();
    remove(dir.join("tree")).unwrap();
    assert!(!dir.join("tree").exists());
    assert_eq!(std::fs::read_dir(dir.join("other")).unwrap().count(), 4);
}

#[test]
fn a_link_goes_itself_and_a_file_is_no_directory() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    grow(&dir.join("tree"), 1, 1);
    symlink("tree", dir.join("link")).unwrap();
    remove(dir.join("link")).unwrap();
    assert!(std::fs::symlink_metadata(dir.join("link")).is_err());
    assert!(dir.join("tree/dir 0/file 0").exists());
    for (path, kind) in [
        ("tree/file 0", ErrorKind::NotADirectory),
        ("none", ErrorKind::NotFound),
        ("nul\0", ErrorKind::InvalidInput),
    ] {
        let error = remove(dir.join(path)).unwrap_err();
        assert_eq!(error.kind(), kind, "{path}");
        assert_eq!(fs::Error::of(&error).unwrap().path(), dir.join(path));
        assert_eq!(fs::Error::of(&error).unwrap().operation(), "remove_dir_all");
    }
}

#[test]
fn it_comes_by_callback_and_is_carried_out_though_nobody_waits() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    grow(&dir.join("one"), 2, 3);
    grow(&dir.join("two"), 2, 3);
    fs::remove_dir_all(dir.join("one")).callback(|removed| removed.unwrap());
    drop(fs::remove_dir_all(dir.join("two")));
    lp.run().unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_tree_of_ten_thousand_levels_goes() {
    let _guard = Deadline::secs(120);
    let dir = TempDir::new();
    dig(dir.path(), 10_000);
    remove(dir.path()).unwrap();
    assert!(!dir.path().exists());
}

#[test]
fn a_link_with_a_slash_behind_is_refused_and_what_it_leads_to_stays() {
    let _guard = Deadline::secs(60);
    let dir = TempDir::new();
    grow(&dir.join("tree"), 1, 1);
    symlink("tree", dir.join("link")).unwrap();
    for slashes in ["link/", "link//"] {
        assert_eq!(remove(dir.join(slashes)).unwrap_err().kind(), ErrorKind::NotADirectory);
        assert_eq!(std::fs::read_dir(dir.join("tree")).unwrap().count(), 4);
    }
    remove(dir.join("tree//")).unwrap();
    assert!(!dir.join("tree").exists());
    remove(dir.join("link")).unwrap();
}

#[test]
fn a_deep_tree_with_something_in_each_level_goes_though_levels_are_closed_on_the_way() {
    let _guard = Deadline::secs(60);
    let dir = TempDir::new();
    let mut at = dir.path().to_owned();
    for _ in 0..60 {
        for n in 0..4 {
            std::fs::create_dir(at.join(format!("side {n}"))).unwrap();
            std::fs::write(at.join(format!("side {n}/file")), "").unwrap();
            std::fs::write(at.join(format!("file {n}")), "").unwrap();
        }
        at.push("down");
        std::fs::create_dir(&at).unwrap();
    }
    remove(dir.path()).unwrap();
    assert!(!dir.path().exists());
}

#[test]
fn a_large_directory_goes() {
    let _guard = Deadline::secs(60);
    let dir = TempDir::new();
    for n in 0..5000 {
        std::fs::write(dir.join(format!("{n}")), "").unwrap();
    }
    remove(dir.path()).unwrap();
    assert!(!dir.path().exists());
}

#[test]
fn cancelled_half_way_it_ends_between_two_entries() {
    let _guard = Deadline::secs(60);
    let (mut lp, dir) = (Loop::builder().pool_threads(1).build().unwrap(), TempDir::new());
    for n in 0..10_000 {
        std::fs::write(dir.join(format!("{n}")), "").unwrap();
    }
    let count = || std::fs::read_dir(dir.path()).unwrap().count();
    lp.block_on(async {
        let removed = fs::remove_dir_all(dir.path());
        // It has begun when something is gone.
        while count() == 10_000 {}
        assert!(removed.cancel());
        let error = removed.await.unwrap_err();
        assert!(Cancelled::is_in(&error), "{error}");
        let left = count();
        assert!(left > 0 && left < 10_000, "{left}");
        // Nothing goes on.
        spawn_blocking(|| ()).await.unwrap();
        assert_eq!(count(), left);
    });
}

#[test]
fn what_others_remove_meanwhile_is_no_error() {
    let _guard = Deadline::secs(120);
    for _ in 0..4 {
        let dir = TempDir::new();
        grow(&dir.join("tree"), 3, 4);
        let mut lp = Loop::builder().pool_threads(3).build().unwrap();
        lp.block_on(async {
            // Three at a time: each finds what the others have not removed yet.
            let all = [(); 3].map(|()| fs::remove_dir_all(dir.join("tree")));
            let mut removed = 0;
            for one in all {
                match one.await {
                    Ok(()) => removed += 1,
                    // It began when all was gone.
                    Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
                }
            }
            assert!(removed > 0);
        });
        assert!(!dir.join("tree").exists());
    }
}

#[test]
fn what_others_put_in_for_a_while_goes_as_well() {
    let _guard = Deadline::secs(60);
    let dir = TempDir::new();
    grow(&dir.join("tree"), 4, 4);
    let go = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while go.load(SeqCst) && n < 100 {
                n += 1;
                let at = dir.join(format!("tree/dir {}/new {n}", n % 4));
                // It may be gone already.
                let _ = std::fs::create_dir_all(&at);
                let _ = std::fs::write(at.join("file"), "");
            }
        });
        // Who puts something in all the time may win; both end.
        let removed = remove(dir.join("tree"));
        go.store(false, SeqCst);
        if let Err(error) = removed {
            assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty, "{error}");
        }
    });
    let _ = remove(dir.join("tree"));
    assert!(!dir.join("tree").exists());
}

#[test]
fn a_directory_that_becomes_a_link_to_a_victim_leads_nobody_out() {
    let _guard = Deadline::secs(120);
    let victims = TempDir::new();
    grow(&victims.join("victim"), 2, 2);
    let count = || walk_all(&victims.join("victim"));
    let before = count();
    for round in 0..12 {
        let dir = TempDir::new();
        let (tree, aside) = (dir.join("tree"), dir.join("aside"));
        grow(&tree, 2, 3);
        std::fs::create_dir(&aside).unwrap();
        let go = AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut n = 0;
                while go.load(SeqCst) {
                    // A directory goes aside, a link takes its place, and all back again.
                    for path in ["dir 0", "dir 1", "dir 0/dir 0", "dir 1/dir 1/dir 0"] {
                        let (path, away) = (tree.join(path), aside.join(n.to_string()));
                        n += 1;
                        if std::fs::rename(&path, &away).is_ok() {
                            let _ = symlink(victims.join("victim"), &path);
                            std::thread::yield_now();
                            if std::fs::remove_file(&path).is_ok() && round % 2 == 0 {
                                let _ = std::fs::rename(&away, &path);
                            }
                        }
                    }
                }
            });
            // It may fail, as what it is in was moved; it must not leave the tree.
            let removed = remove(&tree);
            go.store(false, SeqCst);
            if let Err(error) = removed {
                assert!(fs::Error::of(&error).unwrap().path().starts_with(&tree), "{error}");
            }
        });
        assert_eq!(count(), before);
    }
}

#[test]
fn what_was_a_directory_when_it_was_listed_may_be_gone_or_a_link_when_its_turn_comes() {
    let _guard = Deadline::secs(120);
    let (dir, victims) = (TempDir::new(), TempDir::new());
    grow(&victims.join("victim"), 2, 2);
    let before = walk_all(victims.path());
    let full = 5000;
    let parts: Vec<PathBuf> = (0..5).map(|n| dir.join(format!("tree/{n}"))).collect();
    for part in &parts {
        std::fs::create_dir_all(part).unwrap();
        (0..full).for_each(|n| std::fs::write(part.join(n.to_string()), "").unwrap());
    }
    std::fs::create_dir(dir.join("aside")).unwrap();
    let count = |part: &PathBuf| std::fs::read_dir(part).map_or(0, Iterator::count);
    Loop::new().unwrap().block_on(async {
        let removed = fs::remove_dir_all(dir.join("tree"));
        // All five were listed by one call when the first of them is being emptied.
        while parts.iter().all(|part| count(part) == full) {}
        let waiting: Vec<_> = parts.iter().filter(|part| count(part) == full).collect();
        for (n, part) in waiting.into_iter().enumerate() {
            // Too late for one that has begun meanwhile: it goes, or that it was moved is told.
            if std::fs::rename(part, dir.join(format!("aside/{n}"))).is_ok() && n % 2 == 0 {
                let _ = symlink(victims.join("victim"), part);
            }
        }
        removed.await.unwrap();
    });
    assert!(!dir.join("tree").exists());
    assert_eq!(walk_all(victims.path()), before);
}

fn walk_all(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries.map(|entry| 1 + if entry.path().is_dir() { walk_all(&entry.path()) } else { 0 }).sum()
}

#[test]
fn a_directory_that_was_moved_out_while_it_is_emptied_ends_it_there() {
    let _guard = Deadline::secs(60);
    // Deep enough for the upper levels to be closed; wide enough at the end for a removal that takes a while.
    let dir = TempDir::new();
    let mut at = dir.join("tree");
    for _ in 0..12 {
        at.push("d");
    }
    std::fs::create_dir_all(&at).unwrap();
    for n in 0..3000 {
        std::fs::write(at.join(n.to_string()), "").unwrap();
    }
    std::fs::create_dir(dir.join("outside")).unwrap();
    std::fs::write(dir.join("outside/precious"), "").unwrap();
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        let removed = fs::remove_dir_all(dir.join("tree"));
        while std::fs::read_dir(&at).unwrap().count() == 3000 {}
        // `..` of it leads outside now.
        let third: PathBuf = ["tree", "d", "d", "d"].iter().collect();
        std::fs::rename(dir.join(third), dir.join("outside/moved")).unwrap();
        let error = removed.await.unwrap_err();
        assert!(error.to_string().contains("moved"), "{error}");
    });
    assert!(dir.join("outside/precious").exists());
}

/// Runs this test file again as a process of its own, with just the test `name`, set up by `prepare`.
fn in_a_child(name: &str, set: (&str, &Path), prepare: impl FnOnce(&mut Command)) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(set.0, set.1);
    prepare(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn with_twenty_descriptors_a_deep_and_wide_tree_goes_and_so_does_a_temporary_one() {
    let _guard = Deadline::secs(120);
    let dir = TempDir::new();
    grow(&dir.join("tree"), 2, 6);
    dig(&dir.join("tree"), 1000);
    in_a_child("child_with_few_descriptors", ("REMOVED", &dir.join("tree")), |_| {});
    assert!(!dir.join("tree").exists());
}

#[test]
#[ignore = "a child of another test"]
fn child_with_few_descriptors() {
    let Some(tree) = std::env::var_os("REMOVED").map(PathBuf::from) else { return };
    let mut lp = Loop::new().unwrap();
    let temp = lp.block_on(async { fs::mkdtemp(tree.with_extension("temp")).await }).unwrap();
    dig(temp.path(), 1000);
    let few = libc::rlimit { rlim_cur: 20, rlim_max: 20 };
    // SAFETY: the structure lives as long as the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &few) }, 0);
    remove(tree).unwrap();
    lp.block_on(async { temp.close().await }).unwrap();
}

#[test]
fn what_may_not_be_removed_is_named() {
    let _guard = Deadline::secs(60);
    let dir = TempDir::new();
    grow(&dir.join("tree"), 1, 2);
    // SAFETY: the call has no arguments and no effects.
    if unsafe { libc::geteuid() } != 0 {
        tell("runs as another user than root: not tested with another uid");
        return;
    }
    let nobody = 65_534;
    for path in ["tree", "tree/dir 0", "tree/file 0", "tree/file 1", "tree/file 2"] {
        chown(&dir.join(path), nobody);
    }
    for path in ["tree/dir 0/dir 0", "tree/dir 0"] {
        std::fs::set_permissions(dir.join(path), PermissionsExt::from_mode(0o555)).unwrap();
    }
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
    in_a_child("child_of_another_user", ("REMOVED", &dir.join("tree")), |command| {
        use std::os::unix::process::CommandExt;
        // The program may be where that user can't go: it is there when the user is changed.
        command.env("AS_USER", nobody.to_string());
        command.process_group(0);
    });
    assert!(dir.join("tree/dir 0").exists());
}

fn chown(path: &Path, user: u32) {
    let path = CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: the path is a C string that outlives the call.
    assert_eq!(unsafe { libc::chown(path.as_ptr(), user, user) }, 0);
}

#[test]
#[ignore = "a child of another test"]
fn child_of_another_user() {
    let (Some(tree), Ok(user)) = (std::env::var_os("REMOVED"), std::env::var("AS_USER")) else {
        return;
    };
    // SAFETY: the call is given a number.
    assert_eq!(unsafe { libc::setuid(user.parse().unwrap()) }, 0);
    let error = remove(&tree).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let path = fs::Error::of(&error).unwrap().path().to_owned();
    assert!(path.starts_with(Path::new(&tree).join("dir 0")), "{path:?}");
    assert_ne!(path, Path::new(&tree).join("dir 0"));
}
