//! Open files: at an offset and at the position, by callbacks and by await.

mod fs_support;
mod tcp_support;

use std::fs;
use std::io::{ErrorKind, SeekFrom};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use behaviour::{Deadline, EventLog};
use fs_support::TempDir;
use futures_lite::{AsyncReadExt, AsyncWriteExt, future};
use runtime::fs::{Error, File, OpenOptions};
use runtime::{Cancelled, Loop, Request, raw_os_error, spawn_blocking};
use tcp_support::{assert_passed, child, child_argument};

fn start() -> (Loop, TempDir, Deadline) {
    (Loop::new().unwrap(), TempDir::new(), Deadline::secs(60))
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8).collect()
}

fn read_write() -> OpenOptions {
    let mut options = File::options();
    options.read(true).write(true).create(true);
    options
}

#[track_caller]
fn assert_named(error: &std::io::Error, operation: &str, path: impl AsRef<std::path::Path>) {
    let named = Error::of(error).unwrap_or_else(|| panic!("{error:?} has no name"));
    assert_eq!((named.operation(), named.path()), (operation, path.as_ref()));
}

// --- opening ---

#[test]
fn open_create_and_create_new_are_those_of_std() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    lp.block_on(async {
        let error = File::open(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_named(&error, "open", &path);
        let made = File::create_new(&path).await.unwrap();
        assert_eq!(made.path(), path);
        made.write("old").await.unwrap();
        let error = File::create_new(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_named(&error, "open", &path);
        let file = File::open(&path).await.unwrap();
        assert_eq!(file.read_rest_to_string().await.unwrap(), "old");
        File::create(&path).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 0, "what was in it is cut off");
        let error = OpenOptions::new().open(&path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "neither to read nor to write");
        let error = File::open(dir.path()).await;
        #[cfg(unix)]
        let error = error.unwrap().read_at(vec![0; 1], 0).await;
        assert!(error.is_err(), "a directory has no bytes");
        #[cfg(unix)]
        assert_eq!(error.unwrap_err().kind(), ErrorKind::IsADirectory);
    });
}

#[test]
fn both_faces_open_read_and_write() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let log = EventLog::new();
    let (path, told) = (dir.join("file"), log.clone());
    read_write().open(&path).callback(move |file| -> runtime::Result {
        let file = file?;
        told.push("opened");
        let again = file.clone();
        file.write_all_at("0123456789", 0).callback(move |written| -> runtime::Result {
            written?;
            told.push("written");
            again.read_at(vec![0; 4], 3).callback(move |read| {
                let (bytes, read) = read.unwrap();
                told.push(format!("{read} {}", String::from_utf8(bytes).unwrap()));
            });
            Ok(())
        });
        Ok(())
    });
    assert!(!lp.run().unwrap());
    log.expect(["opened", "written", "4 3456"]);
    assert_eq!(fs::read(path).unwrap(), b"0123456789");
}

#[cfg(unix)]
#[test]
fn mode_and_custom_flags_are_given_to_the_system() {
    use std::os::unix::fs::PermissionsExt;
    let (mut lp, dir, _guard) = start();
    lp.block_on(async {
        let path = dir.join("file");
        let file = read_write().mode(0o600).open(&path).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().permissions().mode() & 0o777, 0o600);
        file.set_permissions(fs::Permissions::from_mode(0o400)).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o400);
        let link = dir.join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut options = OpenOptions::new();
        let opened = options.read(true).custom_flags(libc::O_NOFOLLOW).open(&link).await;
        assert_named(&opened.unwrap_err(), "open", &link);
    });
}

#[cfg(unix)]
#[test]
fn a_fifo_without_a_writer_opens_at_once_if_it_is_told_not_to_block() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    if !made.is_ok_and(|status| status.success()) {
        return behaviour::tell("skipped: there is no mkfifo here");
    }
    lp.block_on(async {
        let mut options = OpenOptions::new();
        let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(&path).await.unwrap();
        assert_eq!(file.read_into(vec![0; 4]).await.unwrap().1, 0, "the end: nobody writes");
        // One that waits for the other end: each has a thread.
        let reader = File::open(&path);
        let writer = OpenOptions::new().write(true).open(&path).await.unwrap();
        let reader = reader.await.unwrap();
        writer.write("by a fifo").await.unwrap();
        assert_eq!(reader.read_into(vec![0; 99]).await.unwrap().1, 9);
        assert!(reader.read_at(vec![0; 1], 0).await.is_err(), "it has no offsets");
    });
}

#[test]
fn what_was_not_opened_for_it_is_refused_by_the_system() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    fs::write(&path, "some").unwrap();
    lp.block_on(async {
        let reader = File::open(&path).await.unwrap();
        let error = reader.write_at("x", 0).await.unwrap_err();
        assert_named(&error, "write_at", &path);
        #[cfg(unix)]
        assert_eq!(raw_os_error(&error), Some(libc::EBADF));
        assert_named(&reader.write_all_at("x", 0).await.unwrap_err(), "write_all_at", &path);
        assert_named(&reader.write("x").await.unwrap_err(), "write", &path);
        assert_named(&reader.set_len(0).await.unwrap_err(), "set_len", &path);
        let writer = OpenOptions::new().write(true).open(&path).await.unwrap();
        assert_named(&writer.read_at(vec![0; 1], 0).await.unwrap_err(), "read_at", &path);
        assert_named(&writer.read_into(vec![0; 1]).await.unwrap_err(), "read", &path);
    });
    assert_eq!(fs::read(&path).unwrap(), b"some");
}

#[cfg(unix)]
#[test]
fn open_without_a_descriptor_left_is_an_error_and_works_later() {
    const EMFILE: i32 = 24;
    if child_argument().is_none() {
        let name = "open_without_a_descriptor_left_is_an_error_and_works_later";
        return assert_passed(&child("ulimit -n 64; exec", name, "child"));
    }
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    fs::write(&path, "some").unwrap();
    lp.block_on(async {
        let mut open = Vec::new();
        let error = loop {
            match File::open(&path).await {
                Ok(file) => open.push(file),
                Err(error) => break error,
            }
        };
        assert_eq!(raw_os_error(&error), Some(EMFILE));
        assert_named(&error, "open", &path);
        open.pop();
        assert_eq!(File::open(&path).await.unwrap().metadata().await.unwrap().len(), 4);
    });
}

// --- at an offset ---

#[test]
fn reads_side_by_side_get_the_bytes_of_their_places() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    let bytes = pattern(64 * 10_000);
    fs::write(&path, &bytes).unwrap();
    lp.block_on(async {
        let file = File::open(&path).await.unwrap();
        let reads: Vec<_> =
            (0..64).map(|part| file.read_at(vec![0; 10_000], part * 10_000)).collect();
        for (part, read) in reads.into_iter().enumerate() {
            let (part_bytes, read) = read.await.unwrap();
            assert_eq!(read, 10_000);
            assert!(part_bytes == bytes[part * 10_000..][..10_000], "part {part}");
        }
        let writes: Vec<_> = (0..64u64)
            .map(|part| (part, read_write().open(dir.join("copy")), part * 10_000))
            .collect();
        for (part, file, at) in writes {
            let part_bytes = bytes[part as usize * 10_000..][..10_000].to_vec();
            file.await.unwrap().write_all_at(part_bytes, at).detach();
        }
    });
    lp.run().unwrap();
    assert!(fs::read(dir.join("copy")).unwrap() == bytes);
}

#[test]
fn the_buffer_comes_back_with_what_was_read_and_what_was_in_it() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    fs::write(&path, "0123456789").unwrap();
    lp.block_on(async {
        let file = File::open(&path).await.unwrap();
        let mut buffer = Vec::with_capacity(100);
        buffer.extend(*b"abcdef");
        let (buffer, read) = file.read_at(buffer, 7).await.unwrap();
        assert_eq!((&buffer[..], read, buffer.capacity()), (&b"789def"[..], 3, 100));
        assert_eq!(file.read_at(Vec::with_capacity(9), 0).await.unwrap().1, 0, "it is empty");
        assert_eq!(file.read_at(vec![1; 3], 10).await.unwrap(), (vec![1; 3], 0), "the end");
        assert_eq!(file.read_at(vec![1; 3], 1 << 40).await.unwrap().1, 0, "far behind it");
        assert_eq!(file.read_exact_at(4, 6).await.unwrap(), b"6789");
        assert_eq!(file.read_exact_at(0, 99).await.unwrap(), b"");
        let error = file.read_exact_at(usize::MAX, 6).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains("the file ended after 4 of"), "{error}");
        assert_named(&error, "read_exact_at", &path);
        assert_eq!(file.seek(SeekFrom::Current(0)).await.unwrap(), 0, "the position stays");
    });
}

#[test]
fn an_offset_that_the_system_can_not_take_is_invalid_input() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    lp.block_on(async {
        let file = read_write().open(&path).await.unwrap();
        let assert_invalid = |error: std::io::Error, name| {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert_named(&error, name, &path);
        };
        for offset in [1 << 63, u64::MAX] {
            assert_invalid(file.read_at(vec![0; 1], offset).await.unwrap_err(), "read_at");
            assert_invalid(file.read_exact_at(1, offset).await.unwrap_err(), "read_exact_at");
            assert_invalid(file.write_at("x", offset).await.unwrap_err(), "write_at");
            assert_invalid(file.write_all_at("x", offset).await.unwrap_err(), "write_all_at");
            let buffers = vec![vec![0; 1]];
            let error = file.read_vectored_at(buffers.clone(), offset).await.unwrap_err();
            assert_invalid(error, "read_vectored_at");
            let error = file.write_vectored_at(buffers, offset).await.unwrap_err();
            assert_invalid(error, "write_vectored_at");
        }
        assert!(file.write_all_at("xy", i64::MAX as u64).await.is_err(), "behind the last byte");
        assert_eq!(file.metadata().await.unwrap().len(), 0);
    });
}

#[test]
fn more_buffers_than_the_system_takes_at_once_are_all_read_and_written() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    lp.block_on(async {
        let file = read_write().open(&path).await.unwrap();
        // Of all lengths, none among them, first and last as well.
        let buffers: Vec<Vec<u8>> = (0..5000).map(|n| vec![n as u8; n % 7]).collect();
        let all = buffers.concat();
        file.write_vectored_at(buffers.clone(), 10).await.unwrap();
        assert_eq!(file.read_exact_at(all.len(), 10).await.unwrap(), all);
        let empty: Vec<_> = buffers.iter().map(|buffer| vec![0; buffer.len()]).collect();
        let (read, length) = file.read_vectored_at(empty.clone(), 10).await.unwrap();
        assert_eq!(length, all.len());
        assert!(read == buffers);
        assert_eq!(file.writev(buffers.clone()).await.unwrap(), all.len());
        file.seek(SeekFrom::Start(0)).await.unwrap();
        let (read, length) = file.readv(empty).await.unwrap();
        assert!(length == all.len() && read == buffers);
        let (_, length) = file.read_vectored_at(vec![vec![0; 4], vec![0; 4]], 10).await.unwrap();
        assert_eq!(length, 8);
        let end = file.metadata().await.unwrap().len();
        let (read, length) =
            file.read_vectored_at(vec![vec![0; 4], vec![0; 4]], end - 5).await.unwrap();
        assert_eq!((length, read[1][1..].to_vec()), (5, vec![0; 3]), "the file ends in between");
        assert_eq!(file.read_vectored_at(vec![], 0).await.unwrap().1, 0);
        assert_eq!(file.read_vectored_at(vec![vec![]; 3], 0).await.unwrap().1, 0);
        file.write_vectored_at(vec![vec![]; 3000], 0).await.unwrap();
        file.write_vectored_at(vec![], 0).await.unwrap();
        assert_eq!(file.write_at("", 0).await.unwrap(), 0);
        file.write_all_at("", 0).await.unwrap();
        assert_eq!(file.write("").await.unwrap(), 0);
    });
}

#[test]
fn a_file_that_is_cut_while_it_is_read_ends_where_it_was_cut() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    fs::write(&path, pattern(3_000_000)).unwrap();
    lp.block_on(async {
        let file = read_write().open(&path).await.unwrap();
        let mut reader = file.clone();
        let mut buffer = vec![0; 1000];
        reader.read_exact(&mut buffer).await.unwrap();
        file.set_len(1500).await.unwrap();
        buffer.clear();
        AsyncReadExt::read_to_end(&mut reader, &mut buffer).await.unwrap();
        assert_eq!(buffer, pattern(1500)[1000..], "what was read ahead was cut off, too");
        let error = file.read_exact_at(1000, 1000).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_appending_file_is_written_at_its_end_whatever_the_offset_is() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    fs::write(&path, "01234").unwrap();
    lp.block_on(async {
        let file = OpenOptions::new().append(true).open(&path).await.unwrap();
        file.write_all_at("ab", 0).await.unwrap();
        file.write("cd").await.unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"01234abcd");
    });
}

// --- at the position ---

#[test]
fn operations_at_the_position_are_carried_out_in_the_order_of_the_calls() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    lp.block_on(async {
        let file = read_write().open(&path).await.unwrap();
        let mut expected = Vec::new();
        for number in 0..2000u32 {
            file.write(number.to_le_bytes()).detach();
            expected.extend(number.to_le_bytes());
        }
        assert!(file.seek(SeekFrom::Start(0)).await.is_ok());
        let reads: Vec<_> = (0..2000).map(|_| file.read_into(vec![0; 4])).collect();
        let mut all = Vec::new();
        for read in reads {
            all.extend(read.await.unwrap().0);
        }
        assert!(all == expected);
    });
}

#[test]
fn read_rest_begins_at_the_position() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    fs::write(&path, "öne two").unwrap();
    lp.block_on(async {
        let mut file = File::open(&path).await.unwrap();
        file.read_exact(&mut [0; 5]).await.unwrap();
        assert_eq!(file.read_rest().await.unwrap(), b"two");
        assert_eq!(file.read_rest().await.unwrap(), b"");
        File::seek(&file, SeekFrom::Start(0)).await.unwrap();
        assert_eq!(file.read_rest_to_string().await.unwrap(), "öne two");
        File::seek(&file, SeekFrom::Start(1)).await.unwrap();
        let error = file.read_rest_to_string().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_named(&error, "read", &path);
        let error = File::seek(&file, SeekFrom::Current(-100)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_named(&error, "seek", &path);
    });
}

/// Has the only thread of a pool wait.
fn hold_the_pool() -> std::sync::mpsc::Sender<()> {
    let ((go, gone), (begin, begun)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    drop(spawn_blocking(move || {
        begin.send(()).unwrap();
        gone.recv()
    }));
    begun.recv().unwrap();
    go
}

#[test]
fn what_was_cancelled_before_it_began_leaves_the_line() {
    let (_, dir, _guard) = start();
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    let path = dir.join("file");
    lp.block_on(async {
        let mut file = read_write().open(&path).await.unwrap();
        let go = hold_the_pool();
        let first = file.write("one ");
        let second = file.write("two ");
        let third = file.write("three ");
        assert!(second.cancel());
        let dropped = file.read_into(vec![0; 100]);
        drop(dropped);
        drop(file.write("four"));
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap(), 4);
        assert!(Cancelled::is_in(&second.await.unwrap_err()));
        assert_eq!(third.await.unwrap(), 6);
        file.write_all(b".").await.unwrap();
        file.flush().await.unwrap();
        assert_eq!(file.read_exact_at(15, 0).await.unwrap(), b"one three four.");
        // Of the buffers: what was accepted goes out though the close was cancelled.
        let go = hold_the_pool();
        file.write_all(b"accepted").await.unwrap();
        let closing = file.close();
        assert!(closing.cancel());
        assert_eq!(fs::read(&path).unwrap(), b"one three four.", "not by the loop's thread");
        go.send(()).unwrap();
        assert!(Cancelled::is_in(&closing.await.unwrap_err()));
    });
    lp.run().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"one three four.accepted");
}

#[test]
fn a_write_that_was_dropped_is_carried_out_and_a_read_is_skipped() {
    let (_, dir, _guard) = start();
    let mut lp = Loop::builder().pool_threads(1).build().unwrap();
    let path = dir.join("file");
    let file = lp.block_on(async { read_write().open(&path).await }).unwrap();
    let here = lp.enter();
    let go = hold_the_pool();
    drop(file.write_all_at("whole", 0));
    drop(file.read_at(vec![0; 1], 0));
    go.send(()).unwrap();
    drop(file);
    assert!(!lp.run().unwrap());
    assert_eq!(fs::read(&path).unwrap(), b"whole");
    drop(here);
}

#[test]
fn a_loop_that_goes_with_operations_under_way_tells_so_and_carries_writes_out() {
    let (_, dir, _guard) = start();
    let path = dir.join("file");
    for round in 0..20 {
        let mut lp = Loop::new().unwrap();
        let file = lp.block_on(async { File::create(&path).await }).unwrap();
        let here = lp.enter();
        let writes: Vec<Request<()>> = (0..10)
            .map(|part| file.write_all_at(vec![part; 1000], u64::from(part) * 1000))
            .collect();
        let position = file.seek(SeekFrom::End(0));
        drop(lp);
        drop(here);
        for write in writes {
            let error = future::block_on(write).unwrap_err();
            assert!(runtime::LoopGone::is_in(&error), "{error}");
        }
        assert!(future::block_on(position).is_err());
        drop(file);
        // The pool is that of the process: what it was given before comes first.
        let mut lp = Loop::new().unwrap();
        lp.block_on(async {
            while fs::metadata(&path).unwrap().len() < 10_000 {
                runtime::yield_now().await;
            }
        });
        assert_eq!(fs::metadata(&path).unwrap().len(), 10_000, "round {round}");
    }
}

// --- attributes ---

#[test]
fn length_times_and_syncs() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    lp.block_on(async {
        let file = read_write().open(&path).await.unwrap();
        file.set_len(1000).await.unwrap();
        assert_eq!(file.read_exact_at(1000, 0).await.unwrap(), vec![0; 1000]);
        file.set_len(10).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 10);
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let before = file.metadata().await.unwrap().accessed().unwrap();
        file.set_times(fs::FileTimes::new().set_modified(time)).await.unwrap();
        let metadata = file.metadata().await.unwrap();
        assert_eq!(metadata.modified().unwrap(), time);
        assert_eq!(metadata.accessed().unwrap(), before, "it was not asked for");
        file.sync_all().await.unwrap();
        file.sync_data().await.unwrap();
        assert!(file.set_len(u64::MAX).await.is_err());
    });
}

#[cfg(unix)]
#[test]
fn chown_to_what_it_is_succeeds_and_to_another_is_a_question_of_rights() {
    use std::os::unix::fs::MetadataExt;
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    lp.block_on(async {
        let file = read_write().open(&path).await.unwrap();
        let metadata = file.metadata().await.unwrap();
        let owner = (metadata.uid(), metadata.gid());
        file.chown(Some(owner.0), Some(owner.1)).await.unwrap();
        file.chown(None, None).await.unwrap();
        match file.chown(Some(12345), None).await {
            Ok(()) => assert_eq!(file.metadata().await.unwrap().uid(), 12345),
            Err(error) => assert_named(&error, "chown", &path),
        }
    });
}

#[cfg(target_os = "linux")]
#[test]
fn allocate_makes_room_and_has_the_file_grow() {
    let (mut lp, dir, _guard) = start();
    lp.block_on(async {
        let file = read_write().open(dir.join("file")).await.unwrap();
        match file.allocate(100, 1_000_000).await {
            Ok(()) => assert_eq!(file.metadata().await.unwrap().len(), 1_000_100),
            Err(error) => behaviour::tell(format!("skipped in part: {error}")),
        }
        let error = file.allocate(0, 0).await.unwrap_err();
        assert_named(&error, "allocate", dir.join("file"));
    });
}

// --- from and into std ---

#[test]
fn a_file_of_std_becomes_one_of_ours_and_back() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    fs::write(&path, "0123456789").unwrap();
    lp.block_on(async {
        let file = File::from_std(fs::File::open(&path).unwrap(), "the file");
        assert_eq!(format!("{file:?}"), "File { path: \"the file\", .. }");
        let clone = file.clone();
        let Err(mut file) = file.try_into_std() else { panic!("there is a clone") };
        drop(clone);
        file.read_exact(&mut [0; 3]).await.unwrap();
        let Err(file) = file.try_into_std() else { panic!("something was read ahead") };
        let mut std = file.into_std().await.unwrap();
        assert_eq!(std::io::read_to_string(&mut std).unwrap(), "3456789");
        let file = File::from_std(std, "it");
        file.seek(SeekFrom::Start(5)).await.unwrap();
        // The answer is here, the job's hold on the file may end a moment later.
        let mut file = Some(file);
        let std = loop {
            match file.take().unwrap().try_into_std() {
                Ok(std) => break std,
                Err(back) => file = Some(back),
            }
        };
        let clone = File::from_std(std, "it");
        let std = clone.clone().into_std().await.unwrap();
        assert_eq!(std::io::read_to_string(std).unwrap(), "56789");
        assert_eq!(clone.seek(SeekFrom::Current(0)).await.unwrap(), 10, "it was a duplicate");
    });
}

#[cfg(unix)]
#[test]
fn close_closes_the_descriptor_unless_there_is_another_clone() {
    use std::os::fd::AsRawFd;
    if child_argument().is_none() {
        let name = "close_closes_the_descriptor_unless_there_is_another_clone";
        return assert_passed(&child("exec", name, "child"));
    }
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    lp.block_on(async {
        let file = read_write().open(&path).await.unwrap();
        let number = file.as_raw_fd();
        // SAFETY: it asks about a number.
        let is_open = || unsafe { libc::fcntl(number, libc::F_GETFD) } != -1;
        let clone = file.clone();
        file.close().await.unwrap();
        assert!(is_open());
        clone.write("still").await.unwrap();
        clone.close().await.unwrap();
        assert!(!is_open());
        assert_eq!(fs::read(&path).unwrap(), b"still");
    });
}

#[test]
fn a_file_goes_to_another_thread_and_its_loop() {
    let (mut lp, dir, _guard) = start();
    let path = dir.join("file");
    fs::write(&path, "0123456789").unwrap();
    lp.block_on(async {
        let mut file = File::open(&path).await.unwrap();
        file.read_exact(&mut [0; 3]).await.unwrap();
        let its = file.clone();
        let there = spawn_blocking(move || {
            let mut lp = Loop::builder().pool_threads(1).build().unwrap();
            lp.block_on(async {
                let mut three = [0; 3];
                (&its).read_exact(&mut three).await.unwrap();
                three
            })
        });
        assert_eq!(&there.await.unwrap(), b"345");
        let mut three = [0; 3];
        file.read_exact(&mut three).await.unwrap();
        assert_eq!(&three, b"678");
    });
}

#[test]
fn a_callback_may_drop_the_file_it_is_about() {
    let (mut lp, dir, _guard) = start();
    let _here = lp.enter();
    let path = dir.join("file");
    let file = lp.block_on(async { read_write().open(&path).await }).unwrap();
    let held = Rc::new(std::cell::RefCell::new(Some(file.clone())));
    let again = held.clone();
    file.write_all_at("x", 0).callback(move |written| {
        written.unwrap();
        let file = again.borrow_mut().take().unwrap();
        file.read_at(vec![0; 1], 0).callback(move |read| {
            assert_eq!(read.unwrap().0, b"x");
            let again = file.clone();
            drop(file.close());
            again.close().callback(|closed| closed.unwrap());
        });
    });
    drop(file);
    assert!(!lp.run().unwrap());
    assert!(held.borrow().is_none());
}
