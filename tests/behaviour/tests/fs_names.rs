//! Names of files: renamed, removed, linked, resolved.

mod fs_support;

use std::io::ErrorKind;

use behaviour::Deadline;
use fs_support::{TempDir, assert_names, both, both_done, names_in};
use runtime::{Loop, fs};

#[test]
fn rename_moves_a_file_and_replaces_what_is_there() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let (one, other) = (dir.join("one"), dir.join("other"));
    std::fs::write(&other, "old").unwrap();
    both_done(&mut lp, || {
        std::fs::write(&one, "new").unwrap();
        fs::rename(&one, &other)
    });
    assert_eq!(names_in(dir.path()), ["other"]);
    assert_eq!(std::fs::read(&other).unwrap(), b"new");

    let error = lp.block_on(fs::rename(&one, &other)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_names(&error, "rename", &one);
    assert_eq!(fs::Error::of(&error).unwrap().to(), Some(&*other));
    assert!(error.to_string().contains(&format!("to {other:?}")), "{error}");
}

#[test]
fn a_rename_between_kinds_is_refused() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let (file, full) = (dir.join("file"), dir.join("full"));
    std::fs::write(&file, "").unwrap();
    std::fs::create_dir_all(full.join("below")).unwrap();
    std::fs::create_dir(dir.join("empty")).unwrap();
    assert!(both(&mut lp, || fs::rename(&file, &full)).iter().all(Result::is_err));
    let error = lp.block_on(fs::rename(dir.join("empty"), &full)).unwrap_err();
    if cfg!(unix) {
        assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
    }
}

#[test]
fn rename_no_replace_leaves_what_is_there() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let (one, other) = (dir.join("one"), dir.join("other"));
    std::fs::write(&one, "one").unwrap();
    let first = lp.block_on(fs::rename_no_replace(&one, &other));
    if cfg!(not(any(target_os = "linux", target_vendor = "apple"))) {
        return assert_eq!(first.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    first.unwrap();
    std::fs::write(&one, "new").unwrap();
    for error in both(&mut lp, || fs::rename_no_replace(&one, &other)).map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_names(&error, "rename_no_replace", &one);
    }
    assert_eq!([&one, &other].map(|path| std::fs::read(path).unwrap()), [b"new", b"one"]);
}

#[test]
fn remove_file_removes_files_and_no_directories() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let (path, below) = (dir.join("file"), dir.join("below"));
    both_done(&mut lp, || {
        std::fs::write(&path, "").unwrap();
        fs::remove_file(&path)
    });
    assert!(!path.exists());
    std::fs::create_dir(&below).unwrap();
    for error in both(&mut lp, || fs::remove_file(&below)).map(Result::unwrap_err) {
        assert_names(&error, "remove_file", &below);
    }
    assert!(below.exists());
}

#[test]
fn a_file_may_be_removed_while_it_is_open_and_made_anew() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("file");
    std::fs::write(&path, "old").unwrap();
    let open = std::fs::File::open(&path).unwrap();
    lp.block_on(fs::remove_file(&path)).unwrap();
    lp.block_on(fs::write(&path, "new")).unwrap();
    assert_eq!(std::io::read_to_string(open).unwrap(), "old");
}

#[test]
fn a_file_without_the_right_to_write_is_removed() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let path = dir.join("file");
    std::fs::write(&path, "").unwrap();
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    lp.block_on(fs::set_permissions(&path, permissions)).unwrap();
    let removed = lp.block_on(fs::remove_file(&path));
    if cfg!(unix) {
        removed.unwrap();
    }
}

#[test]
fn a_hard_link_is_the_same_file() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    let (file, mut count) = (dir.join("file"), 0);
    std::fs::write(&file, "one").unwrap();
    both_done(&mut lp, || {
        count += 1;
        fs::hard_link(&file, dir.join(format!("link {count}")))
    });
    std::fs::write(dir.join("link 1"), "two").unwrap();
    assert_eq!(std::fs::read(dir.join("link 2")).unwrap(), b"two");
    let error = lp.block_on(fs::hard_link(&file, dir.join("link 1"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_names(&error, "hard_link", &file);
}

#[test]
fn canonicalize_gives_the_absolute_path_of_what_is_there() {
    let _guard = Deadline::secs(20);
    let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
    let _here = lp.enter();
    std::fs::create_dir(dir.join("below")).unwrap();
    std::fs::write(dir.join("file"), "").unwrap();
    let expected = std::fs::canonicalize(dir.path()).unwrap().join("file");
    let found = both_done(&mut lp, || fs::canonicalize(dir.join("below/../file")));
    assert_eq!(found, [expected.clone(), expected]);
    let missing = dir.join("missing");
    let error = lp.block_on(fs::canonicalize(&missing)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_names(&error, "canonicalize", &missing);
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_symbolic_link_says_what_it_was_made_with() {
        let _guard = Deadline::secs(20);
        let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
        let _here = lp.enter();
        let (link, target) = (dir.join("link"), Path::new("no/such"));
        both_done(&mut lp, || {
            let _ = std::fs::remove_file(&link);
            fs::symlink(target, &link)
        });
        assert_eq!(both_done(&mut lp, || fs::read_link(&link)), [target, target]);
        let error = lp.block_on(fs::symlink(target, &link)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_names(&error, "symlink", target);
        assert_eq!(fs::Error::of(&error).unwrap().to(), Some(&*link));

        std::fs::write(dir.join("file"), "").unwrap();
        let error = lp.block_on(fs::read_link(dir.join("file"))).unwrap_err();
        assert_eq!(runtime::raw_os_error(&error), Some(libc::EINVAL));
        lp.block_on(fs::remove_file(&link)).unwrap();
        assert_eq!(names_in(dir.path()), ["file"]);
    }

    #[test]
    fn names_that_are_no_utf8_are_as_good_as_others() {
        let _guard = Deadline::secs(20);
        let (mut lp, dir) = (Loop::new().unwrap(), TempDir::new());
        let _here = lp.enter();
        let [one, other, link] = [b"\xff\xfe", b"\x80.", b"a\xc0"]
            .map(|name| dir.join(OsStr::from_bytes(name.as_slice())));
        if let Err(error) = std::fs::write(&one, "") {
            return behaviour::tell(format!(
                "skipped: the file system takes no such name: {error}"
            ));
        }
        lp.block_on(async {
            fs::write(&one, "content").await.unwrap();
            fs::rename(&one, &other).await.unwrap();
            fs::write_atomic(&other, "content").await.unwrap();
            fs::symlink(&other, &link).await.unwrap();
            assert_eq!(fs::read_link(&link).await.unwrap(), other);
            assert_eq!(fs::read_to_string(&link).await.unwrap(), "content");
            let found = fs::canonicalize(&link).await.unwrap();
            assert_eq!(found.file_name(), other.file_name());
            let temporary = fs::mkdtemp(&one).await.unwrap();
            assert!(
                temporary.path().as_os_str().as_bytes().starts_with(one.as_os_str().as_bytes())
            );
            let error = fs::read(&one).await.unwrap_err();
            assert_names(&error, "read", &one);
        });
    }
}
