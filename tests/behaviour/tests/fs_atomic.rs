//! `write_atomic`: the old file or the new one, and nothing beside it.
#![cfg(unix)]

mod fs_support;

use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread;

use behaviour::Deadline;
use fs_support::{TempDir, assert_names, both, both_done, names_in};
use runtime::{Cancelled, Loop, fs, spawn_blocking};

fn mode(path: impl AsRef<std::path::Path>) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_file_is_made_as_write_makes_it_and_replaced_with_its_mode() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let (path, plain) = (dir.join("file"), dir.join("plain"));
    both_done(&mut lp, || fs::write_atomic(&path, "first"));
    std::fs::write(&plain, "").unwrap();
    assert_eq!(mode(&path), mode(&plain));

    for bits in [0o600, 0o444, 0o755, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(bits)).unwrap();
        let contents = vec![b'x'; 2_000_000];
        both_done(&mut lp, || fs::write_atomic(&path, &contents));
        assert_eq!((std::fs::read(&path).unwrap() == contents, mode(&path)), (true, bits));
    }
    both_done(&mut lp, || fs::write_atomic(&path, ""));
    assert_eq!(std::fs::read(&path).unwrap(), b"");
    assert_eq!(names_in(dir.path()), ["file", "plain"]);
}

#[test]
fn a_name_of_the_current_directory_and_the_longest_name_are_fine() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let longest = dir.join("x".repeat(255));
    both_done(&mut lp, || fs::write_atomic(&longest, "content"));
    assert_eq!(std::fs::read(&longest).unwrap(), b"content");

    let name = format!("relative-{}", std::process::id());
    let errors = both(&mut lp, || fs::write_atomic(&name, "content"));
    let read = std::fs::read(&name);
    std::fs::remove_file(&name).unwrap();
    assert!(errors.iter().all(Result::is_ok));
    assert_eq!(read.unwrap(), b"content");
}

#[test]
fn a_symbolic_link_stays_and_what_it_points_to_is_replaced() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    std::fs::create_dir(dir.join("below")).unwrap();
    std::fs::write(dir.join("below/file"), "old").unwrap();
    symlink("below/file", dir.join("link")).unwrap();
    symlink("link", dir.join("link to link")).unwrap();
    symlink("below/new", dir.join("dangling")).unwrap();
    both_done(&mut lp, || fs::write_atomic(dir.join("link to link"), "new"));
    assert_eq!(std::fs::read(dir.join("below/file")).unwrap(), b"new");
    both_done(&mut lp, || fs::write_atomic(dir.join("dangling"), "made"));
    assert_eq!(std::fs::read(dir.join("below/new")).unwrap(), b"made");
    for link in ["link", "link to link", "dangling"] {
        assert!(std::fs::symlink_metadata(dir.join(link)).unwrap().is_symlink());
    }
    assert_eq!(names_in(dir.path()), ["below", "dangling", "link", "link to link"]);
    assert_eq!(names_in(dir.join("below")), ["file", "new"]);
}

#[test]
fn another_hard_link_keeps_the_old_contents() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let (path, other) = (dir.join("file"), dir.join("other"));
    std::fs::write(&path, "old").unwrap();
    std::fs::hard_link(&path, &other).unwrap();
    lp.block_on(fs::write_atomic(&path, "new")).unwrap();
    assert_eq!([&path, &other].map(|path| std::fs::read(path).unwrap()), [b"new", b"old"]);
}

#[test]
fn what_is_no_regular_file_is_refused_and_stays() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let (directory, socket) = (dir.join("directory"), dir.join("socket"));
    std::fs::create_dir(&directory).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let refused = [
        (&directory, ErrorKind::IsADirectory, Some(libc::EISDIR)),
        (&socket, ErrorKind::InvalidInput, None),
    ];
    for (path, kind, code) in refused {
        for error in both(&mut lp, || fs::write_atomic(path, "x")).map(Result::unwrap_err) {
            assert_eq!((error.kind(), runtime::raw_os_error(&error)), (kind, code));
            assert_names(&error, "write_atomic", path);
        }
    }
    assert_eq!(names_in(dir.path()), ["directory", "socket"]);
}

#[test]
fn who_reads_meanwhile_finds_the_old_file_or_the_new_one() {
    let _guard = Deadline::secs(60);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("file");
    let contents = |byte: u8| vec![byte; 700_000];
    std::fs::write(&path, contents(0)).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = thread::spawn({
        let (path, is_over) = (path.clone(), is_over.clone());
        move || {
            while !is_over.load(Relaxed) {
                let read = std::fs::read(&path).unwrap();
                assert_eq!(read.len(), 700_000);
                assert!(read.iter().all(|byte| *byte == read[0]));
            }
        }
    });
    for byte in 1..20 {
        lp.block_on(fs::write_atomic(&path, contents(byte))).unwrap();
    }
    is_over.store(true, Relaxed);
    reader.join().unwrap();
    assert_eq!(names_in(dir.path()), ["file"]);
}

#[test]
fn cancelled_before_it_begins_it_writes_nothing() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    let (_here, dir) = (lp.enter(), TempDir::new());
    let path = dir.join("file");
    std::fs::write(&path, "old").unwrap();
    let (release, released) = mpsc::channel::<()>();
    // The only thread is kept until the sender is gone.
    spawn_blocking(move || released.recv().is_ok());
    let write = fs::write_atomic(&path, "new");
    assert!(write.cancel());
    drop(release);
    assert!(Cancelled::is_in(&lp.block_on(write).unwrap_err()));
    assert_eq!(names_in(dir.path()), ["file"]);
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
}

#[test]
fn cancelled_while_it_writes_it_leaves_the_old_file_and_nothing_beside_it() {
    let _guard = Deadline::secs(60);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("file");
    let contents = vec![b'x'; 50_000_000];
    // One that is faster than we are is tried again.
    loop {
        std::fs::write(&path, "old").unwrap();
        let write = fs::write_atomic(&path, &contents);
        while names_in(dir.path()).len() < 2 && std::fs::metadata(&path).unwrap().len() == 3 {
            thread::yield_now();
        }
        let _ = write.cancel();
        let Err(error) = lp.block_on(write) else { continue };
        assert!(Cancelled::is_in(&error));
        break;
    }
    assert_eq!(names_in(dir.path()), ["file"]);
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
}
