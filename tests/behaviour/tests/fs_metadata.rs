//! What the system knows of files, and is told of them: kinds, times, rights, owners, room.

mod fs_support;

use std::io::ErrorKind;
use std::time::{Duration, SystemTime};

use behaviour::Deadline;
use fs_support::{TempDir, assert_names, both, both_done};
use runtime::fs::{self, Access, FileTime};
use runtime::{Loop, ms};

#[test]
fn metadata_tells_length_kind_and_times() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("file");
    std::fs::write(&path, "12345").unwrap();
    let of_std = std::fs::metadata(&path).unwrap();
    for found in both_done(&mut lp, || fs::metadata(&path)) {
        assert!(found.is_file());
        assert_eq!(found.len(), 5);
        assert_eq!(found.modified().unwrap(), of_std.modified().unwrap());
        assert_eq!(found.created().ok(), of_std.created().ok());
    }
    for found in both_done(&mut lp, || fs::symlink_metadata(dir.path())) {
        assert!(found.is_dir());
    }
    let missing = dir.join("missing");
    let follow = both(&mut lp, || fs::metadata(&missing)).map(Result::unwrap_err);
    let stay = both(&mut lp, || fs::symlink_metadata(&missing)).map(Result::unwrap_err);
    for (name, errors) in [("metadata", follow), ("symlink_metadata", stay)] {
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert_names(&error, name, &missing);
        }
    }
}

#[test]
fn the_root_of_the_file_system_is_a_directory() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    assert!(both_done(&mut lp, || fs::metadata("/")).iter().all(std::fs::Metadata::is_dir));
}

#[test]
fn many_questions_at_a_time_are_each_answered() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let paths: Vec<_> = (0..200).map(|number| dir.join(number.to_string())).collect();
    for (len, path) in paths.iter().enumerate() {
        std::fs::write(path, vec![0; len]).unwrap();
    }
    let asked: Vec<_> = paths.iter().map(fs::metadata).collect();
    lp.block_on(async {
        for (len, found) in asked.into_iter().enumerate() {
            assert_eq!(found.await.unwrap().len(), len as u64);
        }
    });
}

#[test]
fn exists_tells_what_is_there() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    assert_eq!(both_done(&mut lp, || fs::exists(dir.path())), [true, true]);
    assert_eq!(both_done(&mut lp, || fs::exists(dir.join("missing"))), [false, false]);
}

#[test]
fn access_asks_for_rights() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let (path, missing) = (dir.join("file"), dir.join("missing"));
    std::fs::write(&path, "").unwrap();
    for access in [Access::EXISTS, Access::READ, Access::WRITE, Access::READ | Access::WRITE] {
        both_done(&mut lp, || fs::access(&path, access));
        for error in both(&mut lp, || fs::access(&missing, access)).map(Result::unwrap_err) {
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert_names(&error, "access", &missing);
        }
    }
    both_done(&mut lp, || fs::access(dir.path(), Access::EXECUTE));
    if cfg!(unix) {
        // Not even the superuser may: no bit says that anybody can.
        let execute = Access::READ | Access::EXECUTE;
        let error = lp.block_on(fs::access(&path, execute)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    }
}

fn times(path: impl AsRef<std::path::Path>) -> [SystemTime; 2] {
    let found = std::fs::symlink_metadata(path).unwrap();
    [found.accessed().unwrap(), found.modified().unwrap()]
}

#[test]
fn times_are_set_kept_or_those_of_now() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("file");
    std::fs::write(&path, "").unwrap();
    let [early, late] = [1_000_000_000, 1_500_000_000]
        .map(|secs| SystemTime::UNIX_EPOCH + Duration::new(secs, 123_456_700));
    for path in [path.as_path(), dir.path()] {
        both_done(&mut lp, || fs::set_times(path, early, late));
        assert_eq!(times(path), [early, late]);
        both_done(&mut lp, || fs::set_times(path, late, FileTime::Omit));
        assert_eq!(times(path), [late, late]);
        both_done(&mut lp, || fs::set_times(path, FileTime::Omit, early));
        assert_eq!(times(path), [late, early]);
        both_done(&mut lp, || fs::set_times(path, FileTime::Omit, FileTime::Omit));
        assert_eq!(times(path), [late, early]);

        let before = SystemTime::now();
        both_done(&mut lp, || fs::set_times(path, FileTime::Omit, FileTime::Now));
        let [accessed, modified] = times(path);
        assert_eq!(accessed, late);
        // The system's clock for files lags behind by a tick of its own.
        assert!(modified + ms(100) > before);
    }
}

#[test]
fn permissions_are_set() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("file");
    std::fs::write(&path, "").unwrap();
    for readonly in [true, false] {
        let mut permissions = std::fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(readonly);
        both_done(&mut lp, || fs::set_permissions(&path, permissions.clone()));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().readonly(), readonly);
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn a_symbolic_link_is_followed_or_is_itself_what_is_asked_for() {
        let _guard = Deadline::secs(20);
        let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
        let _here = lp.enter();
        let (link, dangling) = (dir.join("link"), dir.join("dangling"));
        std::fs::write(dir.join("file"), "12345").unwrap();
        symlink("file", &link).unwrap();
        symlink("missing", &dangling).unwrap();
        assert!(lp.block_on(fs::metadata(&link)).unwrap().is_file());
        assert!(lp.block_on(fs::symlink_metadata(&link)).unwrap().is_symlink());
        assert!(!lp.block_on(fs::exists(&dangling)).unwrap());
        assert!(lp.block_on(fs::symlink_metadata(&dangling)).unwrap().is_symlink());
    }

    #[test]
    fn times_of_a_link_are_not_those_of_its_file() {
        let _guard = Deadline::secs(20);
        let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
        let _here = lp.enter();
        let [file, link] = ["file", "link"].map(|name| dir.join(name));
        std::fs::write(&file, "").unwrap();
        symlink("file", &link).unwrap();
        let [one, other] = [1, 2].map(|secs| SystemTime::UNIX_EPOCH + Duration::from_secs(secs));
        both_done(&mut lp, || fs::set_symlink_times(&link, one, one));
        assert_eq!(times(&link), [one, one]);
        assert!(times(&file)[1] > other);
        both_done(&mut lp, || fs::set_times(&link, other, other));
        assert_eq!((times(&file), times(&link)[1]), ([other, other], one));
    }

    #[test]
    fn times_before_1970_are_kept_to_the_nanosecond() {
        let _guard = Deadline::secs(20);
        let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
        let _here = lp.enter();
        let path = dir.join("file");
        std::fs::write(&path, "").unwrap();
        let early = |secs, nanos| SystemTime::UNIX_EPOCH - Duration::new(secs, nanos);
        for time in [early(0, 1), early(0, 999_999_999), early(1, 0), early(1_000_000, 5)] {
            // What the file system keeps is what std is told, too.
            let of_std = std::fs::FileTimes::new().set_accessed(time).set_modified(time);
            std::fs::File::open(&path).unwrap().set_times(of_std).unwrap();
            let expected = times(&path);
            let zero = SystemTime::UNIX_EPOCH;
            lp.block_on(fs::set_times(&path, zero, zero)).unwrap();
            both_done(&mut lp, || fs::set_times(&path, time, time));
            assert_eq!(times(&path), expected);
        }
    }

    #[test]
    fn chmod_sets_all_bits() {
        let _guard = Deadline::secs(20);
        let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
        let _here = lp.enter();
        let path = dir.join("file");
        std::fs::write(&path, "").unwrap();
        for mode in [0o400, 0o4755, 0o600] {
            both_done(&mut lp, || fs::chmod(&path, mode));
            assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, mode);
        }
        let missing = dir.join("missing");
        let error = lp.block_on(fs::chmod(&missing, 0o600)).unwrap_err();
        assert_names(&error, "chmod", &missing);
    }

    #[test]
    fn owners_are_kept_or_set() {
        let _guard = Deadline::secs(20);
        let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
        let _here = lp.enter();
        let [file, link] = ["file", "link"].map(|name| dir.join(name));
        std::fs::write(&file, "").unwrap();
        symlink("file", &link).unwrap();
        let owner = |path| {
            let found = std::fs::symlink_metadata(path).unwrap();
            (found.uid(), found.gid())
        };
        let before = owner(&file);
        both_done(&mut lp, || fs::chown(&file, None, None));
        both_done(&mut lp, || fs::chown(&file, before.0, before.1));
        both_done(&mut lp, || fs::lchown(&link, before.0, before.1));
        assert_eq!((owner(&file), owner(&link)), (before, before));

        let given = lp.block_on(fs::chown(&link, 12_345, None));
        if !rustix::process::geteuid().is_root() {
            return assert_eq!(given.unwrap_err().kind(), ErrorKind::PermissionDenied);
        }
        given.unwrap();
        assert_eq!((owner(&file), owner(&link)), ((12_345, before.1), before));
        lp.block_on(fs::lchown(&link, None, 54_321)).unwrap();
        assert_eq!((owner(&file), owner(&link)), ((12_345, before.1), (before.0, 54_321)));
    }

    #[test]
    #[cfg(any(target_os = "linux", target_vendor = "apple", target_os = "freebsd"))]
    fn statfs_tells_the_room_of_a_file_system() {
        let _guard = Deadline::secs(20);
        let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
        let _here = lp.enter();
        for found in both_done(&mut lp, || fs::statfs(dir.path())) {
            let of_system = rustix::fs::statvfs(dir.path()).unwrap();
            assert_eq!(found.block_size(), of_system.f_bsize);
            assert_eq!(found.blocks(), of_system.f_blocks);
            assert!(found.blocks_available() <= found.blocks_free());
            assert!(found.blocks_free() <= found.blocks());
            assert!(found.files_free() <= found.files());
            assert_eq!(found.total(), found.blocks() * found.block_size());
            assert_eq!(found.free(), found.blocks_free() * found.block_size());
            assert_eq!(found.available(), found.blocks_available() * found.block_size());
            assert_ne!(found.kind(), 0);
        }
        let missing = dir.join("missing");
        let error = lp.block_on(fs::statfs(&missing)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_names(&error, "statfs", &missing);
    }
}
