//! Whole files: read, written, appended to, cut off.

mod fs_support;

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use behaviour::Deadline;
#[cfg(target_os = "linux")]
use behaviour::tell;
use fs_support::{TempDir, assert_names, both, both_done};
use runtime::{Loop, fs};

/// What a read takes before it looks whether it is to go on.
const STEP: usize = 8 * 1024 * 1024;

/// What is read by one call.
const SMALL: usize = 64 * 1024;

/// Several of them, and not a whole number.
const LONG: usize = 2 * STEP + 7;

fn pattern(len: usize) -> Vec<u8> {
    let piece: Vec<_> = (0..100_003).map(|at| (at * 31 + at / 251) as u8).collect();
    let mut bytes = piece.repeat(len / piece.len() + 1);
    bytes.truncate(len);
    bytes
}

#[test]
fn what_is_written_is_read() {
    let _guard = Deadline::secs(60);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("file");
    let small = [0, 1, 4096, SMALL - 1, SMALL, SMALL + 1];
    let large = [1024 * 1024, STEP - 1, STEP, STEP + 1, 2 * STEP, LONG];
    for len in small.into_iter().chain(large) {
        let bytes = pattern(len);
        both_done(&mut lp, || fs::write(&path, &bytes));
        for read in both_done(&mut lp, || fs::read(&path)) {
            assert!(read == bytes, "{len} bytes were read as {}", read.len());
        }
        for read in both_done(&mut lp, || fs::read_limited(&path, len as u64)) {
            assert!(read == bytes, "{len} bytes were read as {}", read.len());
        }
    }
    both_done(&mut lp, || fs::write(&path, "short"));
    assert_eq!(std::fs::read(&path).unwrap(), b"short");
}

#[test]
fn text_is_read_whole_and_by_lines() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("text");
    let text = "one\r\n\ntw\u{f6}\rthree\nlast";
    std::fs::write(&path, text).unwrap();
    assert_eq!(both_done(&mut lp, || fs::read_to_string(&path)), [text, text]);
    let lines = ["one", "", "tw\u{f6}\rthree", "last"];
    assert_eq!(both_done(&mut lp, || fs::read_lines(&path)), [lines, lines]);
    std::fs::write(&path, "").unwrap();
    assert_eq!(lp.block_on(fs::read_lines(&path)).unwrap(), [""; 0]);
    std::fs::write(&path, "one\n").unwrap();
    assert_eq!(lp.block_on(fs::read_lines(&path)).unwrap(), ["one"]);
}

#[test]
fn what_is_no_text_is_invalid_data_that_names_the_file_and_the_place() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("bytes");
    std::fs::write(&path, b"abc\xffdef").unwrap();
    let whole = both(&mut lp, || fs::read_to_string(&path)).map(Result::unwrap_err);
    let lines = both(&mut lp, || fs::read_lines(&path)).map(Result::unwrap_err);
    for (name, errors) in [("read_to_string", whole), ("read_lines", lines)] {
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            assert_names(&error, name, &path);
            assert!(error.to_string().contains("index 3"), "{error}");
        }
    }
}

#[test]
fn a_limit_is_kept_and_named() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("file");
    for len in [1, 10, LONG] {
        std::fs::write(&path, pattern(len)).unwrap();
        let limit = len as u64 - 1;
        for error in both(&mut lp, || fs::read_limited(&path, limit)).map(Result::unwrap_err) {
            assert_eq!(error.kind(), ErrorKind::FileTooLarge);
            assert_names(&error, "read_limited", &path);
            assert!(error.to_string().contains(&limit.to_string()), "{error}");
        }
    }
    std::fs::write(&path, "").unwrap();
    assert_eq!(lp.block_on(fs::read_limited(&path, 0)).unwrap(), b"");
}

#[test]
fn append_makes_the_file_and_adds_to_it() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("log");
    let mut line = 0;
    both_done(&mut lp, || {
        line += 1;
        fs::append(&path, format!("{line}\n"))
    });
    assert_eq!(std::fs::read(&path).unwrap(), b"1\n2\n");

    // What is appended at a time stays together.
    for number in 0..100 {
        fs::append(&path, format!("{number} {}\n", "x".repeat(1000))).detach();
    }
    lp.run().unwrap();
    let lines = lp.block_on(fs::read_lines(&path)).unwrap();
    let mut numbers: Vec<u32> = lines[2..]
        .iter()
        .map(|line| {
            let (number, rest) = line.split_once(' ').unwrap();
            assert_eq!(rest, "x".repeat(1000));
            number.parse().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
}

#[test]
fn truncate_cuts_off_and_lengthens_with_zeros() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("file");
    std::fs::write(&path, "content").unwrap();
    both_done(&mut lp, || fs::truncate(&path, 3));
    assert_eq!(std::fs::read(&path).unwrap(), b"con");
    both_done(&mut lp, || fs::truncate(&path, 5));
    assert_eq!(std::fs::read(&path).unwrap(), b"con\0\0");
    let missing = dir.join("missing");
    let errors = both(&mut lp, || fs::truncate(&missing, 5)).map(Result::unwrap_err);
    assert!(errors.iter().all(|error| error.kind() == ErrorKind::NotFound));
    assert!(!missing.exists(), "it makes no file");
}

#[test]
fn a_write_whose_request_is_dropped_is_carried_out_and_keeps_the_loop() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let paths = ["write", "append", "atomic"].map(|name| dir.join(name));
    drop(fs::write(&paths[0], "x"));
    drop(fs::append(&paths[1], "x"));
    drop(fs::write_atomic(&paths[2], "x"));
    lp.run().unwrap();
    for path in paths {
        assert_eq!(std::fs::read(path).unwrap(), b"x");
    }
}

/// Does `work` again and again on another thread while `body` runs.
fn meanwhile(mut work: impl FnMut() + Send + 'static, body: impl FnOnce()) {
    let is_over = Arc::new(AtomicBool::new(false));
    let seen = is_over.clone();
    let worker = thread::spawn(move || {
        while !seen.load(Relaxed) {
            work();
        }
    });
    body();
    is_over.store(true, Relaxed);
    worker.join().unwrap();
}

#[test]
fn a_file_that_is_cut_off_while_it_is_read_ends_where_it_ends() {
    let _guard = Deadline::secs(60);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("file");
    let file = File::create(&path).unwrap();
    let zeros = vec![0; LONG];
    let cut = move || [LONG as u64, 5].iter().for_each(|len| file.set_len(*len).unwrap());
    meanwhile(cut, || {
        for _ in 0..50 {
            let read = lp.block_on(fs::read(&path)).unwrap();
            assert!(read.len() <= LONG && read == zeros[..read.len()]);
        }
    });
}

#[test]
fn a_file_that_grows_while_it_is_read_is_read_to_its_end() {
    const PIECE: usize = 16 * 1024;
    let _guard = Deadline::secs(60);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("file");
    let mut left = 300;
    let mut file = OpenOptions::new().append(true).create_new(true).open(&path).unwrap();
    let grow = move || {
        // The disk has an end, too.
        if left > 0 {
            left -= 1;
            file.write_all(&[7; PIECE]).unwrap();
        }
        thread::yield_now();
    };
    meanwhile(grow, || {
        for _ in 0..20 {
            let before = std::fs::metadata(&path).unwrap().len();
            let read = lp.block_on(fs::read(&path)).unwrap();
            assert!(read.len() as u64 >= before && read.iter().all(|byte| *byte == 7));
            let limited = lp.block_on(fs::read_limited(&path, before + PIECE as u64));
            assert!(limited.map_or_else(
                |error| error.kind() == ErrorKind::FileTooLarge,
                |read| read.len() as u64 <= before + PIECE as u64
            ));
        }
    });
}

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::Barrier;

    use runtime::{Cancelled, spawn_blocking};

    use super::*;

    #[test]
    fn a_file_of_proc_has_no_length_and_is_read() {
        let _guard = Deadline::secs(20);
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        let path = "/proc/self/status";
        assert_eq!(std::fs::metadata(path).unwrap().len(), 0);
        for text in both_done(&mut lp, || fs::read_to_string(path)) {
            assert!(text.starts_with("Name:"));
        }
        let limited = lp.block_on(fs::read_limited(path, 10)).unwrap_err();
        assert_eq!(limited.kind(), ErrorKind::FileTooLarge);
        assert_eq!(lp.block_on(fs::read("/dev/null")).unwrap(), b"");
    }

    /// The system says that it has 4,096 bytes.
    #[test]
    fn a_file_shorter_than_the_system_says_is_read_as_it_is() {
        let _guard = Deadline::secs(20);
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        let path = "/sys/devices/system/cpu/online";
        let Ok(expected) = std::fs::read(path) else { return tell("skipped: there is no sysfs") };
        assert!((expected.len() as u64) < std::fs::metadata(path).unwrap().len());
        for read in both_done(&mut lp, || fs::read(path)) {
            assert_eq!(read, expected);
        }
        let limited = lp.block_on(fs::read_limited(path, 4096)).unwrap();
        assert_eq!(limited, expected);
    }

    #[test]
    fn what_has_no_end_is_read_to_the_limit() {
        let _guard = Deadline::secs(20);
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        for limit in [0, 1, 5_000_000, STEP as u64 - 1, STEP as u64, STEP as u64 + 1] {
            for read in both(&mut lp, || fs::read_limited("/dev/zero", limit)) {
                assert_eq!(read.unwrap_err().kind(), ErrorKind::FileTooLarge);
            }
        }
    }

    #[test]
    fn a_file_longer_than_memory_is_an_error() {
        let _guard = Deadline::secs(20);
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        // All of it is a hole. Few file systems take such a length.
        let path = format!("/dev/shm/behaviour-{}", std::process::id());
        let made = File::create(&path).and_then(|file| file.set_len(i64::MAX as u64));
        let read = made.is_ok().then(|| {
            let limited = lp.block_on(fs::read_limited(&path, 1 << 40)).unwrap_err();
            (lp.block_on(fs::read(&path)).unwrap_err(), limited)
        });
        // It may not be there.
        let _ = std::fs::remove_file(&path);
        let Some((read, limited)) = read else {
            return behaviour::tell("skipped: /dev/shm takes no file of that length");
        };
        assert_eq!(read.kind(), ErrorKind::OutOfMemory);
        assert_names(&read, "read", path.as_ref());
        assert_eq!(limited.kind(), ErrorKind::FileTooLarge);
    }

    /// Both threads of the pool are free if two jobs can meet.
    fn assert_both_threads_are_free(lp: &mut Loop) {
        let meet = Arc::new(Barrier::new(2));
        let jobs = [(); 2].map(|()| {
            let meet = meet.clone();
            spawn_blocking(move || meet.wait().is_leader())
        });
        lp.block_on(async {
            for job in jobs {
                job.await.unwrap();
            }
        });
    }

    #[test]
    fn a_read_of_what_has_no_end_ends_when_its_request_is_dropped_or_cancelled() {
        let _guard = Deadline::secs(60);
        let mut lp = Loop::builder().pool_threads(2).build().unwrap();
        let _here = lp.enter();
        for round in 0..4 {
            let endless = fs::read("/dev/zero");
            // Jobs begin in their order: when this is done, the read has begun.
            lp.block_on(spawn_blocking(|| ())).unwrap();
            if round % 2 == 0 {
                drop(endless);
            } else {
                assert!(endless.cancel());
                assert!(Cancelled::is_in(&lp.block_on(endless).unwrap_err()));
            }
            assert_both_threads_are_free(&mut lp);
        }
    }
}
