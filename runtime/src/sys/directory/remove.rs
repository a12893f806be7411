//! The removal of a tree: by descriptors, so that nobody can lead it out of the tree.
//!
//! ```text
//!   levels   root ─ closed ─ closed ─ a ─ b ─ c      the last few are open
//!                                             │
//!              unlink what is no directory ◀──┤ each entry
//!              go down into what is one    ◀──┤
//!              at the end: up, and rmdir   ◀──┘
//! ```
//!
//! A directory is opened by its name in the one above it, and never through a link: what takes the place of
//! a directory while this runs is unlinked, not entered. Of a deep tree just the last few levels are
//! open; one that was closed is opened again as the `..` of the one below, and it must be the same directory
//! as before, by device and inode. If that one was moved meanwhile, this ends there.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, unlinkat};
use rustix::io::Errno;

use super::unix::id_of;
use super::{ErrorAt, FileId};

/// How many levels are open at a time. Few, as descriptors are the whole program's.
const OPEN_LEVELS: usize = 8;

/// How often a directory is read anew because others put something in.
const PASSES: usize = 64;

/// As it is opened to be emptied.
const EMPTIED: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Removes the directory at `path` and all that is in it. `go_on` is asked before each entry.
pub(crate) fn remove_tree(
    path: &Path,
    mut go_on: impl FnMut() -> io::Result<()>,
) -> Result<(), ErrorAt> {
    let mut removal = Removal { root: path, levels: Vec::new(), at: None };
    removal.run(&mut go_on).map_err(|error| (removal.place(), error))
}

struct Removal<'a> {
    root: &'a Path,
    /// From the root to the directory that is being emptied.
    levels: Vec<Level>,
    /// The entry of it that is being removed.
    at: Option<CString>,
}

struct Level {
    /// Its name in the level above; the root has its path instead.
    name: CString,
    id: FileId,
    /// Closed, if it is far up. The last one is open.
    dir: Option<Dir>,
    /// Whether something of it was removed since it was read from its beginning.
    has_changed: bool,
    passes: usize,
}

impl Level {
    fn new(name: CString, fd: OwnedFd) -> io::Result<Self> {
        let id = id_of(&fstat(&fd)?);
        Ok(Self { name, id, dir: Some(Dir::new(fd)?), has_changed: false, passes: 0 })
    }
}

impl Removal<'_> {
    fn run(&mut self, go_on: &mut dyn FnMut() -> io::Result<()>) -> io::Result<()> {
        go_on()?;
        // With a slash behind, the system goes through a link.
        if std::fs::symlink_metadata(without_slashes(self.root))?.is_symlink() {
            return std::fs::remove_file(self.root);
        }
        let root = openat(CWD, self.root, EMPTIED, Mode::empty())?;
        self.levels.push(Level::new(CString::default(), root)?);
        while let Some(level) = self.levels.last_mut() {
            go_on()?;
            match level.dir.as_mut().and_then(Dir::read) {
                Some(entry) => {
                    let entry = entry?;
                    let name = entry.file_name();
                    if !matches!(name.to_bytes(), b"." | b"..") {
                        self.at = Some(name.to_owned());
                        self.remove(name, entry.file_type())?;
                        self.at = None;
                    }
                }
                None => self.finish()?,
            }
        }
        Ok(())
    }

    /// Where it is, for an error.
    fn place(&self) -> PathBuf {
        let names = self.levels.iter().skip(1).map(|level| &level.name).chain(&self.at);
        let mut place = self.root.to_owned();
        names.for_each(|name| place.push(OsStr::from_bytes(name.to_bytes())));
        place
    }

    /// Removes an entry of the last level, or goes down into it.
    fn remove(&mut self, name: &CStr, known: FileType) -> io::Result<()> {
        // What it was when the directory was read; each call finds out what it is now.
        let mut refused = Errno::NOTDIR;
        if known != FileType::Directory {
            match self.unlink(name) {
                // A directory, as Linux says it and as others do.
                Err(error @ (Errno::ISDIR | Errno::PERM)) => refused = error,
                done => return Ok(done?),
            }
        }
        match self.open(name) {
            Ok(fd) => {
                self.levels.push(Level::new(name.to_owned(), fd)?);
                self.close_far_levels(OPEN_LEVELS);
                Ok(())
            }
            Err(Errno::NOENT) => Ok(()),
            Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) if refused == Errno::NOTDIR => {
                Ok(self.unlink(name)?)
            }
            Err(Errno::NOTDIR | Errno::LOOP | Errno::MLINK) => Err(refused.into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Unlinks an entry of the last level; one that somebody else has removed is as well.
    fn unlink(&mut self, name: &CStr) -> Result<(), Errno> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        if let Some(dir) = &level.dir {
            match unlinkat(dir.fd()?, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => level.has_changed = true,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Opens a directory in the last level. If there are no descriptors left, levels far up give theirs.
    fn open(&mut self, name: &CStr) -> Result<OwnedFd, Errno> {
        loop {
            let Some(dir) = self.levels.last().and_then(|level| level.dir.as_ref()) else {
                return Err(Errno::NOENT);
            };
            match openat(dir.fd()?, name, EMPTIED, Mode::empty()) {
                Err(Errno::INTR) => {}
                Err(Errno::MFILE | Errno::NFILE) if self.close_far_levels(1) => {}
                opened => return opened,
            }
        }
    }

    /// Closes all levels but the last `open`; whether some were open.
    fn close_far_levels(&mut self, open: usize) -> bool {
        let far = self.levels.len().saturating_sub(open);
        // Those before were closed by earlier calls.
        let open = self.levels[..far].iter_mut().rev().map_while(|level| level.dir.take());
        open.count() > 0
    }

    /// The last level was read to its end: removes it from the one above.
    fn finish(&mut self) -> io::Result<()> {
        self.open_the_one_above()?;
        let [.., above, level] = &mut self.levels[..] else { return self.finish_root() };
        let Some(dir) = &above.dir else { return Ok(()) };
        match unlinkat(dir.fd()?, &level.name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST) if level.begin_again() => {}
            // Of what is there in place of it the one above is told when it is not empty.
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => {
                above.has_changed = true;
                self.levels.pop();
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn finish_root(&mut self) -> io::Result<()> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        match rustix::fs::rmdir(self.root) {
            Err(Errno::NOTEMPTY | Errno::EXIST) if level.begin_again() => {}
            Ok(()) | Err(Errno::NOENT) => drop(self.levels.pop()),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Opens the level above the last, if it was closed.
    fn open_the_one_above(&mut self) -> io::Result<()> {
        let [.., above, level] = &mut self.levels[..] else { return Ok(()) };
        let (None, Some(dir)) = (&above.dir, &level.dir) else { return Ok(()) };
        let fd = openat(dir.fd()?.as_fd(), c"..", EMPTIED, Mode::empty())?;
        if id_of(&fstat(&fd)?) != above.id {
            return Err(io::Error::other("it was moved while it was removed"));
        }
        // It is read from its beginning: what was there before is removed.
        above.dir = Some(Dir::new(fd)?);
        Ok(())
    }
}

impl Level {
    /// Reads it once more, if that may help: what was removed while it was read may have hidden something
    /// else, and others may have put something in.
    fn begin_again(&mut self) -> bool {
        let Some(dir) = self.dir.as_mut().filter(|_| self.has_changed && self.passes < PASSES)
        else {
            return false;
        };
        dir.rewind();
        self.has_changed = false;
        self.passes += 1;
        true
    }
}

/// The path without those at its end.
fn without_slashes(path: &Path) -> &Path {
    let bytes = path.as_os_str().as_bytes();
    let end = bytes.iter().rposition(|byte| *byte != b'/').map_or(bytes.len(), |last| last + 1);
    Path::new(OsStr::from_bytes(&bytes[..end]))
}
