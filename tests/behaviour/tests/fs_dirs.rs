//! Directories are made, listed and removed, by await and by callback.
#![cfg_attr(not(unix), allow(unused, reason = "other kinds of errors are not tested there"))]

#[path = "fs_support/mod.rs"]
mod fs_support;

use std::cell::{Cell, RefCell};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use fs_support::TempDir;
use futures_lite::StreamExt;
use runtime::fs::{self, DirBuilder, DirEntry, FileType, ReadDir};
use runtime::{
    Cancelled, Loop, LoopGone, next_tick, queue_microtask, set_immediate, spawn_blocking,
};

#[track_caller]
fn names(error: &std::io::Error, operation: &str, path: &Path) {
    let failed = fs::Error::of(error).unwrap_or_else(|| panic!("{error:?} names nothing"));
    assert_eq!((failed.operation(), failed.path()), (operation, path));
}

fn fill(dir: &Path, count: usize) -> Vec<OsString> {
    let names: Vec<OsString> = (0..count).map(|n| format!("file {n:06}").into()).collect();
    names.iter().for_each(|name| drop(std::fs::File::create(dir.join(name)).unwrap()));
    names
}

fn file_names(entries: &[DirEntry]) -> Vec<OsString> {
    entries.iter().map(|entry| entry.file_name().to_owned()).collect()
}

// --- made and removed ---

#[test]
fn a_directory_is_made_and_removed_by_await_and_by_callback() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir, log) = (Loop::new().unwrap(), TempDir::new(), EventLog::new());
    let path = dir.join("made");
    lp.block_on(async {
        fs::create_dir(&path).await.unwrap();
        assert!(path.is_dir());
        fs::remove_dir(&path).await.unwrap();
        assert!(!path.exists());
    });
    let _here = lp.enter();
    fs::create_dir(&path).callback({
        let (log, path) = (log.clone(), path.clone());
        move |made| {
            log.push(format!("made {made:?}"));
            queue_microtask(log.mark("microtask"));
            next_tick(log.mark("tick"));
            set_immediate(log.mark("immediate"));
            fs::remove_dir(path).callback(move |removed| log.push(format!("removed {removed:?}")));
        }
    });
    log.push("script");
    lp.run().unwrap();
    log.expect(["script", "made Ok(())", "tick", "microtask", "immediate", "removed Ok(())"]);
    assert!(!path.exists());
}

#[cfg(unix)]
#[test]
fn what_can_not_be_made_or_removed_is_named() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    std::fs::write(dir.join("file"), "").unwrap();
    std::fs::create_dir(dir.join("full")).unwrap();
    std::fs::write(dir.join("full/file"), "").unwrap();
    lp.block_on(async {
        for (path, kind) in [
            ("file", ErrorKind::AlreadyExists),
            ("full", ErrorKind::AlreadyExists),
            ("no/dir", ErrorKind::NotFound),
            ("file/dir", ErrorKind::NotADirectory),
            ("nul\0", ErrorKind::InvalidInput),
        ] {
            let error = fs::create_dir(dir.join(path)).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{path}");
            names(&error, "create_dir", &dir.join(path));
        }
        for (path, kind) in [
            ("full", ErrorKind::DirectoryNotEmpty),
            ("file", ErrorKind::NotADirectory),
            ("none", ErrorKind::NotFound),
        ] {
            let error = fs::remove_dir(dir.join(path)).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{path}");
            names(&error, "remove_dir", &dir.join(path));
        }
        let error = fs::create_dir_all(dir.join("file/a/b")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotADirectory);
        names(&error, "create_dir_all", &dir.join("file/a/b"));
    });
}

#[cfg(unix)]
#[test]
fn all_that_are_missing_are_made_and_those_that_are_there_will_do() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    lp.block_on(async {
        fs::create_dir_all(dir.join("a/b/c")).await.unwrap();
        fs::create_dir_all(dir.join("a/b/c")).await.unwrap();
        DirBuilder::new().recursive(true).create(dir.join("a/b/d")).await.unwrap();
        let error = DirBuilder::new().create(dir.join("a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        names(&error, "create_dir", &dir.join("a"));
    });
    assert!(dir.join("a/b/c").is_dir() && dir.join("a/b/d").is_dir());
}

#[cfg(unix)]
#[test]
fn a_directory_is_made_with_the_mode_that_was_asked_for() {
    use std::os::unix::fs::PermissionsExt;
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    lp.block_on(async {
        DirBuilder::new().mode(0o700).create(dir.join("private")).await.unwrap();
        DirBuilder::new().mode(0o711).recursive(true).create(dir.join("a/b")).await.unwrap();
    });
    for (path, mode) in [("private", 0o700), ("a", 0o711), ("a/b", 0o711)] {
        let found = std::fs::metadata(dir.join(path)).unwrap().permissions().mode();
        assert_eq!(found & 0o7777, mode, "{path}");
    }
}

#[test]
fn what_has_an_effect_is_carried_out_though_the_request_is_dropped() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    drop(fs::create_dir(dir.join("made")));
    fs::create_dir_all(dir.join("a/b")).detach();
    lp.run().unwrap();
    assert!(dir.join("made").is_dir() && dir.join("a/b").is_dir());
}

// --- scandir ---

#[cfg(unix)]
#[test]
fn a_list_is_sorted_by_the_bytes_of_the_names_and_has_no_dots() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    for name in ["b", "a", "B", "a.b", "a b", "\u{e9}", "z", "10", "9"] {
        std::fs::write(dir.join(name), "").unwrap();
    }
    std::fs::create_dir(dir.join("dir")).unwrap();
    let listed = lp.block_on(async { fs::scandir(dir.path()).await.unwrap() });
    let expected = ["10", "9", "B", "a", "a b", "a.b", "b", "dir", "z", "\u{e9}"];
    assert_eq!(file_names(&listed), expected.map(OsString::from));
    for entry in &listed {
        assert_eq!(entry.path(), dir.join(entry.file_name()));
        assert_eq!(entry.dir(), dir.path());
        assert_eq!(entry.file_type().is_dir(), entry.file_name() == "dir");
        assert_eq!(entry.file_type().is_file(), entry.file_name() != "dir");
    }
}

#[test]
fn a_list_of_nothing_is_empty_and_comes_by_callback_in_poll() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir, log) = (Loop::new().unwrap(), TempDir::new(), EventLog::new());
    let _here = lp.enter();
    fs::scandir(dir.path()).callback({
        let log = log.clone();
        move |listed| {
            log.push(format!("{}", listed.unwrap().len()));
            set_immediate(log.mark("immediate"));
        }
    });
    log.push("script");
    lp.run().unwrap();
    log.expect(["script", "0", "immediate"]);
}

#[cfg(unix)]
#[test]
fn what_can_not_be_listed_is_named() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    std::fs::write(dir.join("file"), "").unwrap();
    lp.block_on(async {
        for (path, kind) in [
            ("none", ErrorKind::NotFound),
            ("file", ErrorKind::NotADirectory),
            ("nul\0", ErrorKind::InvalidInput),
        ] {
            let path = dir.join(path);
            let error = fs::scandir(&path).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{path:?}");
            names(&error, "scandir", &path);
            let mut reader = fs::read_dir(&path);
            let error = reader.next_entry().await.unwrap_err();
            assert_eq!(error.kind(), kind, "{path:?}");
            names(&error, "read_dir", &path);
            // After an error it is at its end.
            assert_eq!(reader.next_entry().await.unwrap(), None);
        }
        assert_eq!(fs::scandir("").await.unwrap_err().kind(), ErrorKind::NotFound);
    });
}

#[cfg(unix)]
#[test]
fn each_kind_of_file_is_told_and_links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    std::fs::create_dir(dir.join("dir")).unwrap();
    std::fs::write(dir.join("file"), "").unwrap();
    symlink("dir", dir.join("link")).unwrap();
    symlink("nowhere", dir.join("broken")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.join("socket")).unwrap();
    let fifo = std::ffi::CString::new(dir.join("fifo").into_os_string().into_encoded_bytes());
    // SAFETY: the path is a C string that outlives the call.
    assert_eq!(unsafe { libc::mkfifo(fifo.unwrap().as_ptr(), 0o600) }, 0);
    let (listed, devices) = lp.block_on(async {
        (fs::scandir(dir.path()).await.unwrap(), fs::scandir("/dev").await.unwrap())
    });
    let told: Vec<_> =
        listed.iter().map(|e| (e.file_name().to_str().unwrap(), e.file_type())).collect();
    let expected = [
        ("broken", FileType::Symlink),
        ("dir", FileType::Dir),
        ("fifo", FileType::Fifo),
        ("file", FileType::File),
        ("link", FileType::Symlink),
        ("socket", FileType::Socket),
    ];
    assert_eq!(told, expected);
    assert!(listed[1].file_type().is_dir() && listed[4].file_type().is_symlink());
    let null = devices.iter().find(|entry| entry.file_name() == "null").unwrap();
    assert_eq!(null.file_type(), FileType::CharDevice);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_no_utf_8_come_as_they_are() {
    use std::os::unix::ffi::OsStringExt;
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let strange = [vec![0x80], vec![0xff, 0xfe, b'a'], vec![b'a'; 255], vec![1, 2, b'\n']];
    let mut strange = strange.map(OsString::from_vec);
    lp.block_on(async {
        for name in &strange {
            fs::create_dir(dir.join(name)).await.unwrap();
        }
        strange.sort();
        let listed = fs::scandir(dir.path()).await.unwrap();
        assert_eq!(file_names(&listed), strange);
        let read: Vec<_> = fs::read_dir(dir.path()).map(Result::unwrap).collect().await;
        assert_eq!(read.len(), 4);
        fs::remove_dir_all(dir.path()).await.unwrap();
    });
    assert!(!dir.path().exists());
}

#[test]
fn a_list_can_be_cancelled_before_and_after_it_has_begun() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    fill(dir.path(), 3000);
    let (told, telling) = (Rc::new(Cell::new(false)), fs::scandir(dir.path()));
    // Whether it has begun or not, it can be ended; or it is done.
    let is_cancelled = telling.cancel();
    telling.callback({
        let told = told.clone();
        move |listed| {
            told.set(true);
            match listed {
                Err(error) => assert!(is_cancelled && Cancelled::is_in(&error), "{error}"),
                Ok(listed) => assert_eq!(listed.len(), 3000),
            }
        }
    });
    lp.run().unwrap();
    assert!(told.get());
}

// --- read_dir ---

#[test]
fn a_directory_of_twenty_thousand_comes_in_batches_that_grow_and_have_a_limit() {
    let _guard = Deadline::secs(60);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let mut names = fill(dir.path(), 20_000);
    let (mut read, mut sizes) = (Vec::new(), Vec::new());
    lp.block_on(async {
        let mut reader = fs::read_dir(dir.path());
        loop {
            let batch = reader.next_batch().await.unwrap();
            sizes.push(batch.len());
            if batch.is_empty() {
                break;
            }
            read.extend(file_names(&batch));
        }
        assert!(reader.next_batch().await.unwrap().is_empty(), "the end goes on");
    });
    assert_eq!(sizes[..4], [32, 128, 512, 1024]);
    assert!(sizes.iter().all(|size| *size <= 1024));
    assert_eq!(sizes.len(), 5 + (20_000 - 672_usize).div_ceil(1024) - 1);
    read.sort();
    names.sort();
    assert_eq!(read, names);
}

#[test]
fn entries_come_one_by_one_as_a_stream_and_by_batches_of_callbacks() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let names = fill(dir.path(), 100);
    let _here = lp.enter();
    let (one_by_one, streamed) = lp.block_on(async {
        let (mut reader, mut all) = (fs::read_dir(dir.path()), Vec::new());
        while let Some(entry) = reader.next_entry().await.unwrap() {
            all.push(entry);
        }
        assert_eq!(reader.next_entry().await.unwrap(), None);
        (all, fs::read_dir(dir.path()).map(Result::unwrap).collect::<Vec<_>>().await)
    });
    let log = Rc::new(RefCell::new(Vec::new()));
    read_on(fs::read_dir(dir.path()), log.clone());
    lp.run().unwrap();
    let batches = log.take();
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [32, 68, 0]);
    for mut all in [one_by_one, streamed, batches.concat()] {
        all.sort_by(|one, other| one.file_name().cmp(other.file_name()));
        assert_eq!(file_names(&all), names);
    }
}

/// A batch at a time, by callbacks.
fn read_on(mut reader: ReadDir, log: Rc<RefCell<Vec<Vec<DirEntry>>>>) {
    reader.next_batch().callback(move |batch| -> runtime::Result {
        let batch = batch?;
        let is_end = batch.is_empty();
        log.borrow_mut().push(batch);
        if !is_end {
            read_on(reader, log);
        }
        Ok(())
    });
}

#[test]
fn an_entry_that_nobody_waited_for_is_the_next_ones() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    fill(dir.path(), 300);
    lp.block_on(async {
        let (mut reader, mut count) = (fs::read_dir(dir.path()), 0);
        loop {
            // Polled once, then dropped: each batch is asked for so.
            let once = futures_lite::future::poll_once(reader.next_entry()).await;
            let entry = match once {
                Some(entry) => entry.unwrap(),
                None => reader.next_entry().await.unwrap(),
            };
            let Some(_) = entry else { break };
            count += 1;
            // What is left of a batch is a batch.
            if count == 10 {
                count += reader.next_batch().await.unwrap().len();
                assert_eq!(count, 32);
            }
        }
        assert_eq!(count, 300);
    });
}

#[test]
fn a_second_reader_of_a_batch_is_told_that_there_is_one_or_gets_its_own() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    fill(dir.path(), 5000);
    lp.block_on(async {
        let mut reader = fs::read_dir(dir.path());
        let mut count = 0;
        loop {
            let (one, other) = (reader.next_batch(), reader.next_batch());
            let both = [one.await, other.await];
            let read: usize = both.iter().flatten().map(Vec::len).sum();
            for error in both.iter().filter_map(|batch| batch.as_ref().err()) {
                assert_eq!(runtime::raw_os_error(error), Some(already()), "{error}");
            }
            count += read;
            if read == 0 {
                break;
            }
        }
        // Nobody is told an entry twice, and the end is not before the last; an error ends nothing.
        assert_eq!(count, 5000);
    });
}

#[cfg(unix)]
fn already() -> i32 {
    libc::EALREADY
}

#[cfg(windows)]
fn already() -> i32 {
    10037
}

#[test]
fn a_directory_that_changes_while_it_is_read_tells_what_stays_just_once() {
    let _guard = Deadline::secs(60);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let names = fill(dir.path(), 5000);
    let go = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0;
            while go.load(std::sync::atomic::Ordering::SeqCst) {
                let (old, new) = (dir.join(format!("passing {n}")), dir.join(format!("moved {n}")));
                std::fs::write(&old, "").unwrap();
                std::fs::rename(&old, &new).unwrap();
                std::fs::remove_file(&new).unwrap();
                n += 1;
            }
        });
        let mut read: Vec<PathBuf> = lp.block_on(async {
            fs::read_dir(dir.path()).map(|entry| entry.unwrap().path()).collect().await
        });
        go.store(false, std::sync::atomic::Ordering::SeqCst);
        let (passing, moved) = (dir.join("passing"), dir.join("moved"));
        let is_passing = |path: &PathBuf| {
            let path = path.to_string_lossy();
            path.starts_with(&*passing.to_string_lossy())
                || path.starts_with(&*moved.to_string_lossy())
        };
        read.retain(|path| !is_passing(path));
        read.sort();
        assert_eq!(read, names.iter().map(|name| dir.join(name)).collect::<Vec<_>>());
    });
}

#[test]
fn a_reader_that_is_dropped_half_way_closes_its_directory() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    fill(dir.path(), 2000);
    for batches in 0..4 {
        lp.block_on(async {
            let mut reader = fs::read_dir(dir.path());
            for _ in 0..batches {
                reader.next_batch().await.unwrap();
            }
            // One more is under way.
            if batches % 2 == 1 {
                drop(reader.next_batch());
            }
        });
    }
    // All jobs are over when the only thread of the pool has done another.
    lp.block_on(async { spawn_blocking(|| ()).await.unwrap() });
    assert_eq!(open_below(dir.path()), 0);
}

/// How many descriptors of this process lead there.
fn open_below(dir: &Path) -> usize {
    let Ok(all) = std::fs::read_dir("/proc/self/fd") else { return 0 };
    let targets = all.flatten().filter_map(|fd| std::fs::read_link(fd.path()).ok());
    targets.filter(|target| target.starts_with(dir)).count()
}

#[test]
fn a_loop_that_is_dropped_half_way_tells_who_waits() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    fill(dir.path(), 100);
    let mut reader = fs::read_dir(dir.path());
    let lp = Loop::builder().pool_threads(1).build().unwrap();
    let (batch, listed) = {
        let _here = lp.enter();
        (reader.next_batch(), fs::scandir(dir.path()))
    };
    drop(lp);
    let mut other = Loop::new().unwrap();
    other.block_on(async {
        assert!(LoopGone::is_in(&batch.await.unwrap_err()));
        assert!(LoopGone::is_in(&listed.await.unwrap_err()));
    });
}
