//! `FsEvent` and what the system has of it: descriptors, watches, instances, mounts. Each test is a
//! process of its own.
#![cfg(all(target_os = "linux", not(runtime_notify_backend)))]

mod fs_support;
mod tcp_support;

use std::cell::RefCell;
use std::fs;
use std::io::ErrorKind;
use std::process::Command;
use std::rc::Rc;

use behaviour::Deadline;
use fs_support::{TempDir, run_until};
use runtime::Loop;
use runtime::handle::{FsChange, FsEvent, FsEventOptions};
use tcp_support::{assert_passed, child, child_argument, open_descriptors};

/// Watches that the system counts for all inotify descriptors of this process.
fn watches() -> usize {
    let infos = fs::read_dir("/proc/self/fdinfo").unwrap();
    let infos = infos.filter_map(|info| fs::read_to_string(info.unwrap().path()).ok());
    infos.map(|info| info.lines().filter(|line| line.starts_with("inotify wd:")).count()).sum()
}

/// Runs `body` in a process of its own, begun by the shell's `prefix`.
fn alone(prefix: &str, name: &str, body: impl FnOnce(&mut Loop, &TempDir)) {
    if child_argument().is_none() {
        return assert_passed(&child(prefix, name, "yes"));
    }
    let _guard = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    body(&mut lp, &TempDir::new());
}

#[test]
fn all_watchers_share_one_descriptor_which_goes_with_the_last() {
    alone("exec", "all_watchers_share_one_descriptor_which_goes_with_the_last", |lp, dir| {
        for number in 0..100 {
            fs::create_dir(dir.join(number.to_string())).unwrap();
        }
        let before = open_descriptors();
        for _ in 0..3 {
            let options = FsEventOptions::new().recursive(true);
            let events: Vec<_> = (0..10).map(|_| FsEvent::new()).collect();
            for event in &events {
                event.watch(dir.path(), options).unwrap();
            }
            assert_eq!((open_descriptors(), watches()), (before + 1, 102));
            // A tree that goes takes its watches along.
            fs::remove_dir(dir.join("50")).unwrap();
            runtime::set_immediate(|| ());
            lp.run_nowait().unwrap();
            assert_eq!(watches(), 101);
            fs::create_dir(dir.join("50")).unwrap();
            let (last, others) = events.split_last().unwrap();
            others.iter().for_each(FsEvent::stop);
            assert_eq!((open_descriptors(), watches()), (before + 1, 101));
            last.close();
            assert_eq!((open_descriptors(), watches()), (before, 0));
            lp.run().unwrap();
        }
    });
}

#[test]
fn a_failed_start_leaves_nothing_behind() {
    alone("exec", "a_failed_start_leaves_nothing_behind", |_, dir| {
        let before = open_descriptors();
        let event = FsEvent::new();
        assert!(event.watch(dir.join("missing"), FsEventOptions::new()).is_err());
        assert_eq!((open_descriptors(), watches()), (before, 0));
    });
}

#[test]
fn a_loop_that_is_dropped_leaves_nothing_behind() {
    alone("exec", "a_loop_that_is_dropped_leaves_nothing_behind", |_, dir| {
        let before = open_descriptors();
        let lp = Loop::new().unwrap();
        let event = FsEvent::new();
        {
            let _here = lp.enter();
            FsEvent::new().start(dir.path(), FsEventOptions::new(), |_, _| ()).unwrap();
        }
        drop(lp);
        assert_eq!((open_descriptors(), watches()), (before, 0));
        event.close();
    });
}

#[test]
fn without_a_descriptor_the_error_names_the_limits() {
    let name = "without_a_descriptor_the_error_names_the_limits";
    alone("ulimit -n 40 && exec", name, |_, dir| {
        let mut files = Vec::new();
        while let Ok(file) = fs::File::open("/dev/null") {
            files.push(file);
        }
        let event = FsEvent::new();
        let error = event.watch(dir.path(), FsEventOptions::new()).unwrap_err().to_string();
        assert!(error.contains("max_user_instances") && error.contains("NOFILE"), "{error}");
        files.clear();
        event.watch(dir.path(), FsEventOptions::new()).unwrap();
    });
}

/// A name space of users where this process may have few watches: what runs the child in it. Nothing, if
/// that can't be had.
fn few_watches() -> Option<&'static str> {
    const SET: &str = "echo 20 > /proc/sys/user/max_inotify_watches";
    let tried = Command::new("unshare").args(["-r", "sh", "-c", SET]).output();
    if tried.is_ok_and(|output| output.status.success()) {
        return Some(
            "exec unshare -r sh -c \
             'echo 20 > /proc/sys/user/max_inotify_watches && exec \"$0\" \"$@\"'",
        );
    }
    behaviour::tell("skipped: no name space with a limit of its own can be made");
    None
}

fn make_dirs(dir: &TempDir, count: u32) {
    (0..count).for_each(|number| fs::create_dir(dir.join(number.to_string())).unwrap());
}

#[test]
fn without_a_watch_the_start_fails_and_names_the_limit_and_the_path() {
    let name = "without_a_watch_the_start_fails_and_names_the_limit_and_the_path";
    let Some(prefix) = child_argument().map_or_else(few_watches, |_| Some("")) else { return };
    alone(prefix, name, |_, dir| {
        make_dirs(dir, 30);
        let event = FsEvent::new();
        let error = event.watch(dir.path(), FsEventOptions::new().recursive(true)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        let error = error.to_string();
        assert!(error.contains("max_user_watches"), "{error}");
        assert!(error.contains(dir.path().to_str().unwrap()), "{error}");
        assert_eq!(watches(), 0);
    });
}

#[test]
fn without_a_watch_for_a_new_directory_the_callback_is_told_and_the_rest_is_watched() {
    let name = "without_a_watch_for_a_new_directory_the_callback_is_told_and_the_rest_is_watched";
    let Some(prefix) = child_argument().map_or_else(few_watches, |_| Some("")) else { return };
    alone(prefix, name, |lp, dir| {
        let told = Rc::new(RefCell::new(Vec::new()));
        let (event, all) = (FsEvent::new(), told.clone());
        let options = FsEventOptions::new().recursive(true);
        event.start(dir.path(), options, move |_, change| all.borrow_mut().push(change)).unwrap();
        make_dirs(dir, 30);
        lp.run_nowait().unwrap();
        let (changes, errors): (Vec<_>, Vec<_>) = told.take().into_iter().partition(Result::is_ok);
        assert_eq!(
            (changes.len(), errors.len()),
            (30, 12),
            "2 of 20 are for the root and its parent"
        );
        for error in errors.into_iter().map(Result::unwrap_err) {
            assert!(error.to_string().contains("max_user_watches"), "{error}");
        }
        fs::write(dir.join("0/file"), "").unwrap();
        fs::write(dir.join("29/unseen"), "").unwrap();
        lp.run_nowait().unwrap();
        let last = told.take().into_iter().map(Result::unwrap).collect::<Vec<_>>();
        assert_eq!(last, [FsChange::Created("0/file".into())]);
    });
}

#[test]
fn an_unmount_is_told_and_what_was_mounted_over_is_watched() {
    let name = "an_unmount_is_told_and_what_was_mounted_over_is_watched";
    alone("exec", name, |lp, dir| {
        let point = dir.join("tree/point");
        fs::create_dir_all(&point).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&point).output();
        if !mount.is_ok_and(|output| output.status.success()) {
            behaviour::tell("skipped: this user can't mount");
            return;
        }
        fs::create_dir(point.join("below")).unwrap();
        let told = Rc::new(RefCell::new(Vec::new()));
        let watch = |path, name: &'static str| {
            let (event, told) = (FsEvent::new(), told.clone());
            let options = FsEventOptions::new().recursive(true);
            event
                .start(path, options, move |_, change| {
                    told.borrow_mut().push((name, change.unwrap()));
                })
                .unwrap();
            event
        };
        let _events = [watch(point.clone(), "point"), watch(dir.join("tree"), "tree")];
        let inside = watch(point.join("below"), "inside");
        assert!(Command::new("umount").arg(&point).status().unwrap().success());
        run_until(lp, || inside.path().is_none());
        lp.run_nowait().unwrap();
        let all = told.take();
        for (name, path) in [("point", ""), ("tree", "point"), ("inside", "")] {
            assert!(all.contains(&(name, FsChange::Unmounted(path.into()))), "{all:?}");
        }
        assert!(all.contains(&("inside", FsChange::Gone)), "{all:?}");
        fs::write(point.join("file"), "").unwrap();
        lp.run_nowait().unwrap();
        let created =
            told.take().into_iter().filter(|(_, change)| matches!(change, FsChange::Created(_)));
        let created: Vec<_> = created.collect();
        assert_eq!(
            created,
            [
                ("point", FsChange::Created("file".into())),
                ("tree", FsChange::Created("point/file".into())),
            ]
        );
    });
}
