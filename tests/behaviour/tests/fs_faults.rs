//! What fails: every operation, each fault, by its name, its path and the system's code.
#![cfg(unix)]

mod fs_support;
mod tcp_support;

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use behaviour::Deadline;
use fs_support::{TempDir, both, names_in};
use runtime::fs::{self, Access, FileTime};
use runtime::{Loop, Request, raw_os_error};
use tcp_support::{assert_passed, child, child_argument, open_descriptors};

/// The errors of an operation on a path: to a callback and to a future.
type Fails = Box<dyn Fn(&mut Loop, &Path) -> [io::Error; 2]>;

fn fails<T: 'static>(request: impl Fn(&Path) -> Request<T> + 'static) -> Fails {
    Box::new(move |lp, path| {
        both(lp, || request(path)).map(|result| result.map(drop).expect_err("it has to fail"))
    })
}

/// All that fails if there is no directory to its path.
fn operations() -> Vec<(&'static str, Fails)> {
    vec![
        ("access", fails(|path| fs::access(path, Access::READ))),
        ("append", fails(|path| fs::append(path, "x"))),
        ("canonicalize", fails(|path| fs::canonicalize(path))),
        ("chmod", fails(|path| fs::chmod(path, 0o600))),
        ("chown", fails(|path| fs::chown(path, None, None))),
        ("hard_link", fails(|path| fs::hard_link(path, path.with_extension("link")))),
        ("lchown", fails(|path| fs::lchown(path, None, None))),
        ("metadata", fails(|path| fs::metadata(path))),
        ("mkdtemp", fails(|path| fs::mkdtemp(path))),
        ("mkstemp", fails(|path| fs::mkstemp(path))),
        ("read", fails(|path| fs::read(path))),
        ("read_limited", fails(|path| fs::read_limited(path, 10))),
        ("read_lines", fails(|path| fs::read_lines(path))),
        ("read_link", fails(|path| fs::read_link(path))),
        ("read_to_string", fails(|path| fs::read_to_string(path))),
        ("remove_file", fails(|path| fs::remove_file(path))),
        ("rename", fails(|path| fs::rename(path, path.with_extension("other")))),
        (
            "set_permissions",
            fails(|path| fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))),
        ),
        (
            "set_symlink_times",
            fails(|path| fs::set_symlink_times(path, FileTime::Now, FileTime::Now)),
        ),
        ("set_times", fails(|path| fs::set_times(path, FileTime::Now, FileTime::Now))),
        #[cfg(any(target_os = "linux", target_vendor = "apple", target_os = "freebsd"))]
        ("statfs", fails(|path| fs::statfs(path))),
        ("symlink", fails(|path| fs::symlink(path, path))),
        ("symlink_metadata", fails(|path| fs::symlink_metadata(path))),
        ("truncate", fails(|path| fs::truncate(path, 10))),
        ("write", fails(|path| fs::write(path, "x"))),
        ("write_atomic", fails(|path| fs::write_atomic(path, "x"))),
    ]
}

/// Asserts that every operation fails at `path` with that code, and says so.
#[track_caller]
fn assert_all_fail(lp: &mut Loop, path: &Path, errno: i32) {
    let kind = io::Error::from_raw_os_error(errno).kind();
    for (name, operation) in operations() {
        for error in operation(lp, path) {
            assert_eq!((error.kind(), raw_os_error(&error)), (kind, Some(errno)), "{error}");
            fs_support::assert_names(&error, name, path);
        }
    }
}

#[test]
fn a_directory_that_is_not_there_is_enoent() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    assert_all_fail(&mut lp, &dir.join("no/such"), libc::ENOENT);
    assert!(!lp.block_on(fs::exists(dir.join("no/such"))).unwrap());
    assert_eq!(names_in(dir.path()), [""; 0]);
}

#[test]
fn a_file_in_the_place_of_a_directory_is_enotdir() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    std::fs::write(dir.join("file"), "").unwrap();
    assert_all_fail(&mut lp, &dir.join("file/below"), libc::ENOTDIR);
    let exists = lp.block_on(fs::exists(dir.join("file/below"))).unwrap_err();
    assert_eq!(raw_os_error(&exists), Some(libc::ENOTDIR));
    assert_eq!(names_in(dir.path()), ["file"]);
}

#[test]
fn a_name_that_is_too_long_is_enametoolong() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    assert_all_fail(&mut lp, &dir.join("x".repeat(300)), libc::ENAMETOOLONG);
    let long = dir.join("x/".repeat(5000));
    for (name, operation) in operations() {
        // The system's own looks at one part after the other.
        if name != "canonicalize" {
            for error in operation(&mut lp, &long) {
                assert_eq!(raw_os_error(&error), Some(libc::ENAMETOOLONG), "{name}");
            }
        }
    }
}

#[test]
fn a_loop_of_links_is_eloop() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    symlink("b", dir.join("a")).unwrap();
    symlink("a", dir.join("b")).unwrap();
    assert_all_fail(&mut lp, &dir.join("a/below"), libc::ELOOP);
    // At its end, too.
    for error in both(&mut lp, || fs::read(dir.join("a"))).map(Result::unwrap_err) {
        assert_eq!(raw_os_error(&error), Some(libc::ELOOP));
    }
    for error in both(&mut lp, || fs::write_atomic(dir.join("a"), "x")).map(Result::unwrap_err) {
        assert_eq!(raw_os_error(&error), Some(libc::ELOOP));
    }
    assert_eq!(names_in(dir.path()), ["a", "b"]);
}

#[test]
fn a_path_with_a_zero_byte_is_invalid_input_that_names_it() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("a\0b");
    for (name, operation) in operations() {
        for error in operation(&mut lp, &path) {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            fs_support::assert_names(&error, name, &path);
            assert!(error.to_string().contains(r"a\0b"), "{error}");
        }
    }
    let error = lp.block_on(fs::exists(&path)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let error = lp.block_on(fs::rename(dir.path(), &path)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(names_in(dir.path()), [""; 0]);
}

#[test]
fn an_empty_path_is_enoent() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    for error in both(&mut lp, || fs::read("")).map(Result::unwrap_err) {
        assert_eq!(raw_os_error(&error), Some(libc::ENOENT));
    }
    for error in both(&mut lp, || fs::write_atomic("", "x")).map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[test]
fn a_directory_in_the_place_of_a_file_is_eisdir() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    std::fs::create_dir(dir.join("below")).unwrap();
    let on_files =
        ["append", "read", "read_limited", "read_lines", "read_to_string", "truncate", "write"];
    for (name, operation) in operations() {
        if on_files.contains(&name) {
            for error in operation(&mut lp, &dir.join("below")) {
                assert_eq!(raw_os_error(&error), Some(libc::EISDIR), "{error}");
            }
        }
    }
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

/// What makes a child another user's than root's, for whom nothing is forbidden.
fn as_user() -> Option<&'static str> {
    const AS_NOBODY: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    if !rustix::process::geteuid().is_root() {
        return Some("exec");
    }
    // It has to be able to run this program, too.
    let this = std::env::current_exe().unwrap();
    let script = format!("{AS_NOBODY} test -x '{}'", this.display());
    if Command::new("sh").args(["-c", &script]).status().is_ok_and(|status| status.success()) {
        return Some("exec setpriv --reuid 65534 --regid 65534 --clear-groups");
    }
    behaviour::tell("skipped: no child of another user can be had");
    None
}

#[test]
fn what_is_forbidden_is_eacces() {
    let Some(prefix) = child_argument().map_or_else(as_user, |_| Some("")) else { return };
    alone(prefix, "what_is_forbidden_is_eacces", |lp, dir| {
        let (closed, below) = (dir.join("closed"), dir.join("closed/below"));
        std::fs::create_dir(&closed).unwrap();
        std::fs::write(&below, "").unwrap();
        let mode = |bits| {
            std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(bits)).unwrap();
        };
        mode(0o000);
        assert_all_fail(lp, &below, libc::EACCES);
        assert_eq!(
            lp.block_on(fs::exists(&below)).unwrap_err().kind(),
            ErrorKind::PermissionDenied
        );

        // To read is allowed, and to write to the file; to change the directory is not.
        mode(0o500);
        std::fs::write(&below, "content").unwrap();
        assert_eq!(lp.block_on(fs::read(&below)).unwrap(), b"content");
        lp.block_on(fs::write(&below, "other")).unwrap();
        let changes = ["mkdtemp", "mkstemp", "remove_file", "rename", "write_atomic"];
        for (name, operation) in operations() {
            if changes.contains(&name) {
                for error in operation(lp, &below) {
                    assert_eq!(raw_os_error(&error), Some(libc::EACCES), "{error}");
                }
            }
        }
        assert_eq!(std::fs::read(&below).unwrap(), b"other");
        mode(0o700);
        std::fs::set_permissions(&below, std::fs::Permissions::from_mode(0o400)).unwrap();
        for access in [Access::WRITE, Access::EXECUTE, Access::READ | Access::WRITE] {
            let error = lp.block_on(fs::access(&below, access)).unwrap_err();
            assert_eq!(raw_os_error(&error), Some(libc::EACCES));
        }
        lp.block_on(fs::access(&below, Access::READ)).unwrap();
        let error = lp.block_on(fs::write(&below, "x")).unwrap_err();
        assert_eq!(raw_os_error(&error), Some(libc::EACCES));
        lp.block_on(fs::write_atomic(&below, "the directory counts")).unwrap();

        // What is another's.
        let error = lp.block_on(fs::chown(&below, 0, None)).unwrap_err();
        assert_eq!(raw_os_error(&error), Some(libc::EPERM));
        let error = lp.block_on(fs::chmod("/", 0o777)).unwrap_err();
        assert!([libc::EPERM, libc::EROFS].contains(&raw_os_error(&error).unwrap()), "{error}");
    });
}

#[test]
fn a_directory_that_can_not_be_emptied_is_told_by_close_and_by_no_drop() {
    let Some(prefix) = child_argument().map_or_else(as_user, |_| Some("")) else { return };
    let name = "a_directory_that_can_not_be_emptied_is_told_by_close_and_by_no_drop";
    alone(prefix, name, |lp, dir| {
        let made = [(); 2].map(|()| lp.block_on(fs::mkdtemp(dir.join("d-"))).unwrap());
        let closed = made.each_ref().map(|made| made.path().join("closed"));
        let mode = |path, bits| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).unwrap();
        };
        for closed in &closed {
            std::fs::create_dir(closed).unwrap();
            std::fs::write(closed.join("file"), "").unwrap();
            mode(closed, 0o500);
        }
        let [closes, drops] = made;
        let error = lp.block_on(closes.close()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        drop(drops);
        lp.run().unwrap();
        for closed in &closed {
            mode(closed, 0o700);
        }
    });
}

#[test]
fn without_a_descriptor_reads_and_writes_fail_and_work_again_later() {
    let name = "without_a_descriptor_reads_and_writes_fail_and_work_again_later";
    alone("ulimit -n 40 && exec", name, |lp, dir| {
        let path = dir.join("file");
        std::fs::write(&path, "content").unwrap();
        // Its threads and the loop have theirs.
        lp.block_on(fs::read(&path)).unwrap();
        let mut files = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            files.push(file);
        }
        let take_some =
            ["append", "mkstemp", "read", "read_lines", "truncate", "write", "write_atomic"];
        for (name, operation) in operations() {
            if take_some.contains(&name) {
                for error in operation(lp, &path) {
                    assert_eq!(raw_os_error(&error), Some(libc::EMFILE), "{error}");
                    fs_support::assert_names(&error, name, &path);
                }
            }
        }
        assert_eq!(lp.block_on(fs::metadata(&path)).unwrap().len(), 7);
        drop(files);
        assert_eq!(lp.block_on(fs::read(&path)).unwrap(), b"content");
        lp.block_on(fs::write_atomic(&path, "other")).unwrap();
        assert_eq!(names_in(dir.path()), ["file"]);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn no_operation_leaves_a_descriptor_open() {
    alone("exec", "no_operation_leaves_a_descriptor_open", |lp, dir| {
        let path = dir.join("file");
        std::fs::write(&path, "content").unwrap();
        lp.block_on(fs::read(&path)).unwrap();
        let before = open_descriptors();
        for path in [&path, &dir.join("no/such"), &dir.path().to_owned()] {
            for request in [fs::write(path, "x"), fs::write_atomic(path, "x")] {
                // Some fail, some do not.
                let _ = lp.block_on(request);
            }
        }
        lp.run().unwrap();
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_device_without_room_is_enospc() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let path = Path::new("/dev/full");
    let written = both(&mut lp, || fs::write(path, "x")).map(Result::unwrap_err);
    let appended = both(&mut lp, || fs::append(path, "x")).map(Result::unwrap_err);
    for (name, errors) in [("write", written), ("append", appended)] {
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::StorageFull);
            assert_eq!(raw_os_error(&error), Some(libc::ENOSPC));
            fs_support::assert_names(&error, name, path);
        }
    }
}

/// Runs the child with a file system of 64 KiB at `dir`.
#[cfg(target_os = "linux")]
fn on_a_small_file_system(dir: &Path) -> Option<String> {
    let mount = format!("mount -t tmpfs -o size=64k none {}", dir.display());
    let script = format!("unshare -Urm {mount}");
    if Command::new("sh").args(["-c", &script]).status().is_ok_and(|status| status.success()) {
        return Some(format!("exec unshare -Urm sh -c '{mount} && exec \"$0\" \"$@\"'"));
    }
    behaviour::tell("skipped: no file system of its own can be mounted");
    None
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_file_system_is_enospc_and_an_atomic_write_leaves_the_old_file() {
    const NAME: &str = "a_full_file_system_is_enospc_and_an_atomic_write_leaves_the_old_file";
    let Some(dir) = child_argument() else {
        let dir = TempDir::new();
        let Some(prefix) = on_a_small_file_system(dir.path()) else { return };
        return assert_passed(&child(&prefix, NAME, dir.path().to_str().unwrap()));
    };
    let _guard = Deadline::secs(60);
    let mut lp = Loop::new().unwrap();
    let (_here, dir) = (lp.enter(), Path::new(&dir));
    let (path, other) = (dir.join("file"), dir.join("other"));
    assert_eq!(lp.block_on(fs::statfs(dir)).unwrap().total(), 64 * 1024);
    lp.block_on(fs::write(&path, "old")).unwrap();

    let large = vec![b'x'; 1024 * 1024];
    for error in both(&mut lp, || fs::write_atomic(&path, &large)).map(Result::unwrap_err) {
        assert_eq!(raw_os_error(&error), Some(libc::ENOSPC));
        fs_support::assert_names(&error, "write_atomic", &path);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(names_in(dir), ["file"]);
    }
    for error in both(&mut lp, || fs::write(&other, &large)).map(Result::unwrap_err) {
        assert_eq!(raw_os_error(&error), Some(libc::ENOSPC));
    }
    assert_eq!(lp.block_on(fs::statfs(dir)).unwrap().available(), 0);
    let error = lp.block_on(fs::append(&other, &large)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    lp.block_on(fs::remove_file(&other)).unwrap();
    lp.block_on(fs::write_atomic(&path, "new")).unwrap();
    assert_eq!(lp.block_on(fs::read(&path)).unwrap(), b"new");
}

#[test]
fn a_read_that_waits_for_ever_holds_neither_other_jobs_nor_the_exit() {
    let name = "a_read_that_waits_for_ever_holds_neither_other_jobs_nor_the_exit";
    alone("UV_THREADPOOL_SIZE=2 exec", name, |lp, dir| {
        let fifo = dir.join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let read = fs::read(&fifo);
        for _ in 0..10 {
            lp.block_on(fs::metadata(dir.path())).unwrap();
        }
        assert!(lp.run_nowait().unwrap(), "the read keeps the loop alive");
        drop(read);
        assert!(!lp.run().unwrap(), "nobody waits for it any more");
    });
}
