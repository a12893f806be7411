//! Files and trees are copied, with progress, limits and ends half-way.
#![cfg_attr(not(unix), allow(unused, reason = "other kinds of errors are not tested there"))]

#[path = "fs_support/mod.rs"]
mod fs_support;

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::path::Path;
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use fs_support::TempDir;
use runtime::fs::{self, CopyOptions, Reflink};
use runtime::handle::{Check, Prepare};
use runtime::{
    Cancelled, Loop, LoopGone, next_tick, queue_microtask, set_immediate, spawn_blocking,
};

/// Bytes that repeat at no power of two.
fn bytes(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let part: Vec<u8> = std::iter::repeat_with(next).take(len.min(65_521)).collect();
    let mut all = part.repeat(len / 65_521 + 1);
    all.truncate(len);
    all
}

fn one_thread() -> Loop {
    Loop::builder().pool_threads(1).build().unwrap()
}

/// Copies on a loop of its own.
fn copy(from: &Path, to: &Path, options: CopyOptions) -> std::io::Result<u64> {
    Loop::new().unwrap().block_on(async { fs::copy_with(from, to, options).await })
}

#[track_caller]
fn names(error: &std::io::Error, operation: &str, from: &Path, to: &Path) {
    let failed = fs::Error::of(error).unwrap_or_else(|| panic!("{error:?} names nothing"));
    assert_eq!((failed.operation(), failed.path(), failed.to()), (operation, from, Some(to)));
}

const MIB: usize = 1 << 20;

#[test]
fn files_of_all_sizes_are_copied_and_counted() {
    let _guard = Deadline::secs(60);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let (from, to) = (dir.join("from"), dir.join("to"));
    for len in [0, 1, 4095, 4096, 65_537, 4 * MIB, 9 * MIB + 1] {
        let contents = bytes(len);
        std::fs::write(&from, &contents).unwrap();
        for reflink in [Reflink::Never, Reflink::Try] {
            // Longer than what comes, so that it has to be cut.
            std::fs::write(&to, bytes(len + 10_000)).unwrap();
            let options = CopyOptions::new().reflink(reflink);
            let copied = lp.block_on(async { fs::copy_with(&from, &to, options).await.unwrap() });
            assert_eq!(copied, len as u64);
            assert!(std::fs::read(&to).unwrap() == contents, "{len} bytes, {reflink:?}");
        }
        std::fs::remove_file(&to).unwrap();
        lp.block_on(async { fs::copy(&from, &to).await.unwrap() });
        assert!(std::fs::read(&to).unwrap() == contents, "{len} bytes");
    }
}

#[test]
fn the_result_comes_by_callback_in_poll_with_a_checkpoint_after_it() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir, log) = (Loop::new().unwrap(), TempDir::new(), EventLog::new());
    std::fs::write(dir.join("from"), "contents").unwrap();
    let _here = lp.enter();
    fs::copy(dir.join("from"), dir.join("to")).callback({
        let log = log.clone();
        move |copied| {
            log.push(format!("{copied:?}"));
            queue_microtask(log.mark("microtask"));
            next_tick(log.mark("tick"));
            set_immediate(log.mark("immediate"));
        }
    });
    log.push("script");
    lp.run().unwrap();
    log.expect(["script", "Ok(8)", "tick", "microtask", "immediate"]);
}

#[test]
fn exclusive_replaces_nothing() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    let (from, to) = (dir.join("from"), dir.join("to"));
    std::fs::write(&from, "new").unwrap();
    let exclusive = || CopyOptions::new().exclusive(true);
    assert_eq!(copy(&from, &to, exclusive()).unwrap(), 3);
    std::fs::write(&to, "old").unwrap();
    let error = copy(&from, &to, exclusive()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    names(&error, "copy", &from, &to);
    assert_eq!(std::fs::read(&to).unwrap(), b"old");
    assert_eq!(copy(&from, &to, CopyOptions::new()).unwrap(), 3);
    assert_eq!(std::fs::read(&to).unwrap(), b"new");
}

#[test]
fn a_file_copied_to_itself_is_left_as_it_is() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    let (from, hard) = (dir.join("from"), dir.join("hard"));
    std::fs::write(&from, "contents").unwrap();
    std::fs::hard_link(&from, &hard).unwrap();
    assert_eq!(copy(&from, &from, CopyOptions::new()).unwrap(), 0);
    assert_eq!(copy(&from, &hard, CopyOptions::new()).unwrap(), 0);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("from", dir.join("link")).unwrap();
        assert_eq!(copy(&from, &dir.join("link"), CopyOptions::new()).unwrap(), 0);
        assert_eq!(copy(&dir.join("link"), &from, CopyOptions::new()).unwrap(), 0);
    }
    assert_eq!(std::fs::read(&from).unwrap(), b"contents");
}

#[cfg(unix)]
#[test]
fn what_can_not_be_copied_names_both_paths_and_leaves_nothing() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    std::fs::write(dir.join("file"), "contents").unwrap();
    std::fs::create_dir(dir.join("dir")).unwrap();
    for (from, to, kind) in [
        ("none", "to", ErrorKind::NotFound),
        ("dir", "to", ErrorKind::IsADirectory),
        ("file", "dir", ErrorKind::IsADirectory),
        ("file", "none/to", ErrorKind::NotFound),
        ("file", "file/to", ErrorKind::NotADirectory),
        ("nul\0", "to", ErrorKind::InvalidInput),
        ("file", "nul\0", ErrorKind::InvalidInput),
    ] {
        let (from, to) = (dir.join(from), dir.join(to));
        let error = copy(&from, &to, CopyOptions::new()).unwrap_err();
        assert_eq!(error.kind(), kind, "{from:?} to {to:?}");
        let is_of_the_system = kind != ErrorKind::InvalidInput;
        assert_eq!(runtime::raw_os_error(&error).is_some(), is_of_the_system, "{error}");
        names(&error, "copy", &from, &to);
    }
    assert!(!dir.join("to").exists());
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_and_waits_for_nobody() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    std::fs::write(dir.join("file"), "contents").unwrap();
    let fifo = std::ffi::CString::new(dir.join("fifo").into_os_string().into_encoded_bytes());
    // SAFETY: the path is a C string that outlives the call.
    assert_eq!(unsafe { libc::mkfifo(fifo.unwrap().as_ptr(), 0o600) }, 0);
    let file = dir.join("file");
    for (from, to) in [
        (dir.join("fifo"), dir.join("to")),
        ("/dev/null".into(), dir.join("to")),
        (file.clone(), "/dev/null".into()),
        (file.clone(), "/dev/full".into()),
    ] {
        let error = copy(&from, &to, CopyOptions::new()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{from:?} to {to:?}: {error}");
        assert!(error.to_string().contains("no regular file"), "{error}");
    }
    // A FIFO that nobody reads can't be opened.
    let error = copy(&file, &dir.join("fifo"), CopyOptions::new()).unwrap_err();
    assert_eq!(runtime::raw_os_error(&error), Some(libc::ENXIO));
    assert!(!dir.join("to").exists());
}

#[cfg(unix)]
#[test]
fn permissions_and_times_go_along_if_they_are_asked_for() {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, SystemTime};
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    let (from, to) = (dir.join("from"), dir.join("to"));
    std::fs::write(&from, "contents").unwrap();
    let past = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_000);
    std::fs::File::options().write(true).open(&from).unwrap().set_modified(past).unwrap();
    std::fs::set_permissions(&from, PermissionsExt::from_mode(0o440)).unwrap();
    let mode = || std::fs::metadata(&to).unwrap().permissions().mode() & 0o7777;
    let modified = || std::fs::metadata(&to).unwrap().modified().unwrap();

    copy(&from, &to, CopyOptions::new()).unwrap();
    assert_eq!(mode(), 0o440);
    assert_ne!(modified(), past);
    std::fs::remove_file(&to).unwrap();

    copy(&from, &to, CopyOptions::new().times(true).permissions(false)).unwrap();
    assert_eq!(mode() & 0o200, 0o200, "that of a new file");
    assert_eq!(modified(), past);

    // What is there keeps its own, or gets those of the file.
    std::fs::set_permissions(&to, PermissionsExt::from_mode(0o606)).unwrap();
    copy(&from, &to, CopyOptions::new().permissions(false)).unwrap();
    assert_eq!(mode(), 0o606);
    copy(&from, &to, CopyOptions::new()).unwrap();
    assert_eq!(mode(), 0o440);
}

#[cfg(unix)]
#[test]
fn a_link_to_nowhere_at_the_other_end_is_made_to_lead_somewhere() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    std::fs::write(dir.join("from"), "contents").unwrap();
    std::os::unix::fs::symlink("there", dir.join("link")).unwrap();
    copy(&dir.join("from"), &dir.join("link"), CopyOptions::new()).unwrap();
    assert_eq!(std::fs::read(dir.join("there")).unwrap(), b"contents");
    let error = copy(&dir.join("from"), &dir.join("link"), CopyOptions::new().exclusive(true));
    assert_eq!(error.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[cfg(target_os = "linux")]
#[test]
fn blocks_are_shared_by_force_only_where_the_file_system_can() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    let (from, to) = (dir.join("from"), dir.join("to"));
    std::fs::write(&from, "contents").unwrap();
    match copy(&from, &to, CopyOptions::new().reflink(Reflink::Force)) {
        Ok(copied) => assert_eq!(copied, 8),
        Err(error) => {
            names(&error, "copy", &from, &to);
            assert!(runtime::raw_os_error(&error).is_some(), "{error}");
            assert!(!to.exists(), "what was made is removed");
            // What was there stays there.
            std::fs::write(&to, "").unwrap();
            copy(&from, &to, CopyOptions::new().reflink(Reflink::Force)).unwrap_err();
            assert!(to.exists());
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn holes_stay_holes_and_what_is_between_them_is_copied() {
    use std::os::unix::fs::{FileExt, MetadataExt};
    let _guard = Deadline::secs(60);
    let dir = TempDir::new();
    let (from, to) = (dir.join("from"), dir.join("to"));
    let sparse = std::fs::File::create(&from).unwrap();
    sparse.set_len(1 << 33).unwrap();
    for position in [0, 5 << 20, (1 << 32) + 7, (1 << 33) - 3] {
        sparse.write_all_at(b"end", position).unwrap();
    }
    for reflink in [Reflink::Never, Reflink::Try] {
        let seen = Rc::new(Cell::new((0, 0)));
        let options = CopyOptions::new().reflink(reflink).progress({
            let seen = seen.clone();
            move |copied, total| seen.set((copied, total))
        });
        assert_eq!(copy(&from, &to, options).unwrap(), 1 << 33);
        assert_eq!(seen.get(), (1 << 33, 1 << 33));
        let copied = std::fs::File::open(&to).unwrap();
        let known = copied.metadata().unwrap();
        assert_eq!(known.len(), 1 << 33);
        assert!(known.blocks() * 512 < 4 << 20, "{} blocks", known.blocks());
        for position in [0, 5 << 20, (1 << 32) + 7, (1 << 33) - 3] {
            let mut part = [0; 3];
            copied.read_exact_at(&mut part, position).unwrap();
            assert_eq!(&part, b"end");
        }
        std::fs::remove_file(&to).unwrap();
    }
    // All of it a hole.
    std::fs::File::create(&from).unwrap().set_len(10_000_000).unwrap();
    assert_eq!(copy(&from, &to, CopyOptions::new()).unwrap(), 10_000_000);
    assert_eq!(std::fs::metadata(&to).unwrap().len(), 10_000_000);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_says_it_is_empty_is_read_to_its_end() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    let copied = copy("/proc/cpuinfo".as_ref(), &dir.join("to"), CopyOptions::new()).unwrap();
    assert!(copied > 0);
    assert_eq!(std::fs::metadata(dir.join("to")).unwrap().len(), copied);
}

#[test]
fn progress_grows_at_most_once_an_iteration_and_the_last_is_all_before_the_result() {
    let _guard = Deadline::secs(60);
    let (mut lp, dir, log) = (Loop::new().unwrap(), TempDir::new(), EventLog::new());
    let len = 40 * MIB as u64;
    std::fs::write(dir.join("from"), bytes(len as usize)).unwrap();
    let _here = lp.enter();
    let (iteration, told, told_in) = (
        Rc::new(Cell::new(0)),
        Rc::new(RefCell::new(Vec::new())),
        Rc::new(RefCell::new(Vec::new())),
    );
    let (prepare, check) = (Prepare::new(), Check::new());
    let counting = iteration.clone();
    prepare.start(move |_| counting.set(counting.get() + 1)).unwrap();
    check.start(|_| ()).unwrap();
    prepare.unref();
    check.unref();
    let options = CopyOptions::new().progress({
        let (log, told, told_in, iteration) =
            (log.clone(), told.clone(), told_in.clone(), iteration.clone());
        move |copied, total| {
            told.borrow_mut().push((copied, total));
            told_in.borrow_mut().push(iteration.get());
            if copied == total {
                log.push("all");
                queue_microtask(log.mark("microtask"));
            }
        }
    });
    fs::copy_with(dir.join("from"), dir.join("to"), options).callback({
        let log = log.clone();
        move |copied| log.push(format!("{copied:?}"))
    });
    log.push("script");
    lp.run().unwrap();
    let told = told.take();
    assert_eq!(told.last(), Some(&(len, len)));
    assert!(told.windows(2).all(|two| two[0].0 <= two[1].0 && two[0].1 <= two[1].1), "{told:?}");
    // One callback of the poll phase may have all, and the last call has it again.
    let told_in = told_in.take();
    let in_one = told_in.windows(3).filter(|three| three[0] == three[2]).count();
    assert_eq!(in_one, 0, "{told_in:?}");
    let log = log.take();
    assert_eq!(log.last().unwrap(), &format!("Ok({len})"));
    assert_eq!(log[log.len() - 2], "microtask");
    assert_eq!(log[log.len() - 3], "all");
}

#[test]
fn a_task_gets_the_result_after_the_last_progress_and_a_failed_copy_has_none() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    std::fs::write(dir.join("from"), "contents").unwrap();
    let seen = Rc::new(Cell::new(None));
    let progress = || {
        let seen = seen.clone();
        CopyOptions::new().progress(move |copied, total| seen.set(Some((copied, total))))
    };
    lp.block_on(async {
        fs::copy_with(dir.join("from"), dir.join("to"), progress()).await.unwrap();
        assert_eq!(seen.take(), Some((8, 8)));
        let failed = fs::copy_with(dir.join("none"), dir.join("to"), progress()).await;
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(seen.take(), None);
        // Nobody waits for the result; progress is told all the same.
        drop(fs::copy_with(dir.join("from"), dir.join("to"), progress()));
    });
    lp.run().unwrap();
    assert_eq!(seen.take(), Some((8, 8)));
}

#[test]
fn progress_may_cancel_and_what_was_made_is_removed() {
    let _guard = Deadline::secs(60);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let from = dir.join("from");
    std::fs::write(&from, bytes(64 * MIB)).unwrap();
    let _here = lp.enter();
    for is_there in [false, true] {
        let to = dir.join(format!("to {is_there}"));
        if is_there {
            std::fs::write(&to, "was there").unwrap();
        }
        let (id, ended) = (Rc::new(Cell::new(None)), Rc::new(RefCell::new(None)));
        let options = CopyOptions::new().reflink(Reflink::Never).progress({
            let id = id.clone();
            move |_, _| _ = id.get().map(runtime::RequestId::cancel)
        });
        let ending = ended.clone();
        id.set(Some(
            fs::copy_with(&from, &to, options)
                .callback(move |copied| _ = ending.borrow_mut().replace(copied)),
        ));
        lp.run().unwrap();
        // On a machine that is busy the copy may be faster than the loop.
        match ended.take().unwrap() {
            Err(error) => {
                assert!(Cancelled::is_in(&error), "{error}");
                assert_eq!(to.exists(), is_there);
            }
            Ok(copied) => assert_eq!(copied, 64 * MIB as u64),
        }
    }
}

#[test]
fn one_that_waits_its_turn_is_cancelled_and_touches_nothing() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (one_thread(), TempDir::new());
    std::fs::write(dir.join("from"), "contents").unwrap();
    lp.block_on(async {
        let (go, may_go) = std::sync::mpsc::channel::<()>();
        let busy = spawn_blocking(move || may_go.recv().ok());
        let seen = Rc::new(Cell::new(false));
        let seeing = seen.clone();
        let options = CopyOptions::new().progress(move |_, _| seeing.set(true));
        let copied = fs::copy_with(dir.join("from"), dir.join("to"), options);
        assert!(copied.cancel());
        drop(go);
        assert!(Cancelled::is_in(&copied.await.unwrap_err()));
        busy.await.unwrap();
        assert!(!dir.join("to").exists() && !seen.get());
    });
    // The progress keeps nothing alive.
    let _here = lp.enter();
    lp.run().unwrap();
}

#[test]
fn progress_that_panics_or_fails_loses_no_result() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (one_thread(), TempDir::new());
    std::fs::write(dir.join("from"), "contents").unwrap();
    let _here = lp.enter();
    let result = Rc::new(Cell::new(None));
    let options = CopyOptions::new().progress(|_, _| -> runtime::Result { Err("progress".into()) });
    let telling = result.clone();
    fs::copy_with(dir.join("from"), dir.join("to"), options)
        .callback(move |copied| telling.set(copied.ok()));
    let mut errors = 0;
    while let Err(error) = lp.run() {
        assert_eq!(error.to_string(), "progress");
        errors += 1;
    }
    assert!(errors > 0);
    assert_eq!(result.get(), Some(8));
}

#[test]
fn a_loop_that_is_dropped_tells_who_waits_and_the_copy_is_made_or_not_there() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    std::fs::write(dir.join("from"), "contents").unwrap();
    let lp = one_thread();
    let copied = {
        let _here = lp.enter();
        let options = CopyOptions::new().progress(|_, _| unreachable!("the loop is gone"));
        fs::copy_with(dir.join("from"), dir.join("to"), options)
    };
    drop(lp);
    Loop::new().unwrap().block_on(async {
        assert!(LoopGone::is_in(&copied.await.unwrap_err()));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn no_space_left_is_told_and_what_was_made_is_removed() {
    use behaviour::tell;
    use std::process::Command;
    let _guard = Deadline::secs(60);
    let dir = TempDir::new();
    std::fs::create_dir(dir.join("small")).unwrap();
    std::fs::write(dir.join("from"), bytes(8 * MIB)).unwrap();
    let program = std::env::current_exe().unwrap();
    let script = "mount -t tmpfs -o size=1m tmpfs \"$1/small\" || exit 77
        exec \"$2\" child_without_space --exact --ignored --nocapture";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"])
        .args([dir.path(), &program])
        .env("COPIED", dir.path())
        .output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) if output.status.code() == Some(101) => {
            panic!("{}", String::from_utf8_lossy(&output.stderr));
        }
        other => tell(format!("no file system of its own can be had: skipped ({other:?})")),
    }
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "a child of another test"]
fn child_without_space() {
    let Some(dir) = std::env::var_os("COPIED") else { return };
    let dir = Path::new(&dir);
    for reflink in [Reflink::Never, Reflink::Try] {
        let to = dir.join("small/to");
        let error = copy(&dir.join("from"), &to, CopyOptions::new().reflink(reflink)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
        names(&error, "copy", &dir.join("from"), &to);
        assert!(!to.exists());
    }
}

// --- trees ---

fn grow(dir: &Path) {
    for path in ["", "a", "a/b", "empty", "a/b/c"] {
        std::fs::create_dir_all(dir.join(path)).unwrap();
    }
    for path in ["1", "a/2", "a/b/3", "a/b/c/4"] {
        std::fs::write(dir.join(path), path).unwrap();
    }
}

fn copy_tree(from: &Path, to: &Path, options: CopyOptions) -> std::io::Result<fs::Copied> {
    Loop::new().unwrap().block_on(async { fs::copy_dir_all_with(from, to, options).await })
}

#[test]
fn a_tree_is_copied_and_counted_and_merges_with_what_is_there() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    let (from, to) = (dir.join("from"), dir.join("to"));
    grow(&from);
    let copied = copy_tree(&from, &to, CopyOptions::new()).unwrap();
    assert_eq!((copied.files, copied.dirs, copied.links), (4, 5, 0));
    assert_eq!(copied.bytes, "1a/2a/b/3a/b/c/4".len() as u64);
    assert!(copied.errors.is_empty());
    for path in ["1", "a/2", "a/b/3", "a/b/c/4"] {
        assert_eq!(std::fs::read(to.join(path)).unwrap(), path.as_bytes());
    }
    assert!(to.join("empty").is_dir());
    // Once more: what is there is replaced, what is there besides stays.
    std::fs::write(to.join("a/besides"), "").unwrap();
    std::fs::write(to.join("a/2"), "old").unwrap();
    copy_tree(&from, &to, CopyOptions::new()).unwrap();
    assert_eq!(std::fs::read(to.join("a/2")).unwrap(), b"a/2");
    assert!(to.join("a/besides").exists());
}

#[test]
fn an_exclusive_tree_replaces_no_file_and_goes_on_if_it_is_told_to() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    let (from, to) = (dir.join("from"), dir.join("to"));
    grow(&from);
    std::fs::create_dir_all(to.join("a/b")).unwrap();
    std::fs::write(to.join("a/b/3"), "old").unwrap();
    let exclusive = || CopyOptions::new().exclusive(true);
    let error = copy_tree(&from, &to, exclusive()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    names(&error, "copy_dir_all", &from.join("a/b/3"), &to.join("a/b/3"));
    std::fs::remove_dir_all(&to).unwrap();
    std::fs::create_dir_all(to.join("a/b")).unwrap();
    std::fs::write(to.join("a/b/3"), "old").unwrap();
    let copied = copy_tree(&from, &to, exclusive().keep_going(true)).unwrap();
    assert_eq!((copied.files, copied.errors.len()), (3, 1));
    names(&copied.errors[0], "copy_dir_all", &from.join("a/b/3"), &to.join("a/b/3"));
    assert_eq!(std::fs::read(to.join("a/b/3")).unwrap(), b"old");
    assert!(to.join("a/b/c/4").exists());
}

#[cfg(unix)]
#[test]
fn a_tree_that_can_not_be_copied_says_why() {
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    let from = dir.join("from");
    grow(&from);
    for to in ["from", "from/new", "from/a/b/new"] {
        for going in [false, true] {
            let options = CopyOptions::new().keep_going(going);
            let error = copy_tree(&from, &dir.join(to), options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{to}: {error}");
            names(&error, "copy_dir_all", &from, &dir.join(to));
        }
    }
    assert!(!from.join("new").exists());
    // A name that only begins in the same way is another.
    copy_tree(&from, &dir.join("from here"), CopyOptions::new()).unwrap();
    for (from, to, kind) in [
        ("none", "to", ErrorKind::NotFound),
        ("from/1", "to", ErrorKind::NotADirectory),
        ("from", "none/to", ErrorKind::NotFound),
        ("from", "from here/1", ErrorKind::AlreadyExists),
    ] {
        let (from, to) = (dir.join(from), dir.join(to));
        for going in [false, true] {
            let error = copy_tree(&from, &to, CopyOptions::new().keep_going(going)).unwrap_err();
            assert_eq!(error.kind(), kind, "{from:?} to {to:?}: {error}");
            names(&error, "copy_dir_all", &from, &to);
        }
    }
}

#[cfg(unix)]
#[test]
fn links_are_copied_as_links_and_what_is_no_file_is_told() {
    use std::os::unix::fs::symlink;
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    let (from, to) = (dir.join("from"), dir.join("to"));
    grow(&from);
    symlink("a/2", from.join("to file")).unwrap();
    symlink(".", from.join("to itself")).unwrap();
    symlink("nowhere", from.join("broken")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(from.join("a/socket")).unwrap();
    let options = || CopyOptions::new().keep_going(true);
    // A second time they are replaced.
    for _ in 0..2 {
        let copied = copy_tree(&from, &to, options()).unwrap();
        assert_eq!((copied.files, copied.links, copied.errors.len()), (4, 3, 1));
        names(&copied.errors[0], "copy_dir_all", &from.join("a/socket"), &to.join("a/socket"));
        for (link, leads_to) in [("to file", "a/2"), ("to itself", "."), ("broken", "nowhere")] {
            assert_eq!(std::fs::read_link(to.join(link)).unwrap(), Path::new(leads_to));
        }
    }
    let copied = copy_tree(&from, &to, options().exclusive(true)).unwrap();
    assert_eq!((copied.files, copied.links, copied.errors.len()), (0, 0, 8));
    // A link in the place of a directory leads nobody out.
    std::fs::remove_dir_all(to.join("a")).unwrap();
    std::fs::create_dir(dir.join("outside")).unwrap();
    symlink("../outside", to.join("a")).unwrap();
    let copied = copy_tree(&from, &to, options()).unwrap();
    assert!(copied.errors.iter().any(|error| error.kind() == ErrorKind::AlreadyExists));
    assert_eq!(std::fs::read_dir(dir.join("outside")).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn directories_have_their_modes_and_times_when_all_is_copied() {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, SystemTime};
    let _guard = Deadline::secs(20);
    let dir = TempDir::new();
    let (from, to) = (dir.join("from"), dir.join("to"));
    grow(&from);
    let past = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    std::fs::File::open(from.join("a")).unwrap().set_modified(past).unwrap();
    std::fs::set_permissions(from.join("a"), PermissionsExt::from_mode(0o550)).unwrap();
    copy_tree(&from, &to, CopyOptions::new().times(true)).unwrap();
    let known = std::fs::metadata(to.join("a")).unwrap();
    assert_eq!(known.permissions().mode() & 0o7777, 0o550);
    assert_eq!(known.modified().unwrap(), past);
    assert!(to.join("a/b/c/4").exists());
}

#[test]
fn a_tree_tells_how_far_it_is_and_is_cancelled_between_its_files() {
    let _guard = Deadline::secs(60);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let (from, to) = (dir.join("from"), dir.join("to"));
    std::fs::create_dir(&from).unwrap();
    let contents = bytes(5000);
    for n in 0..2000 {
        std::fs::write(from.join(n.to_string()), &contents).unwrap();
    }
    let seen = Rc::new(Cell::new((0, 0)));
    let seeing = seen.clone();
    let options = CopyOptions::new().progress(move |copied, total| seeing.set((copied, total)));
    let copied = lp.block_on(async { fs::copy_dir_all_with(&from, &to, options).await.unwrap() });
    assert_eq!((copied.files, copied.bytes), (2000, 10_000_000));
    assert_eq!(seen.get(), (10_000_000, 10_000_000));
    std::fs::remove_dir_all(&to).unwrap();

    let _here = lp.enter();
    let (id, ended) = (Rc::new(Cell::new(None)), Rc::new(RefCell::new(None)));
    let cancelling = id.clone();
    let options = CopyOptions::new()
        .progress(move |_, _| _ = cancelling.get().map(runtime::RequestId::cancel));
    let ending = ended.clone();
    id.set(Some(
        fs::copy_dir_all_with(&from, &to, options)
            .callback(move |copied| _ = ending.borrow_mut().replace(copied.map(|all| all.files))),
    ));
    lp.run().unwrap();
    match ended.take().unwrap() {
        Err(error) => assert!(Cancelled::is_in(&error), "{error}"),
        Ok(files) => assert_eq!(files, 2000),
    }
    // No half of a file is left.
    for entry in std::fs::read_dir(&to).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().len(), 5000);
    }
}
