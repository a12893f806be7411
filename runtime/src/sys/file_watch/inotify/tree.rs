//! What one watcher watches.
//!
//! ```text
//!   a file                              a directory
//!   parent   Anchor: who has the name   parent   Anchor: who has the name
//!     └ file File: what is done to it     └ root  Dir: what happens in it
//!                                             └ below  Dir, if it is recursive
//! ```
//!
//! The path is what is watched, not the inode that is there now: the anchor tells when another one
//! takes its place, as it does when an editor saves by a rename. Each step that gets to know a directory adds
//! its watch first and looks into it then, so what is made meanwhile is seen by one of the two, or by both.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::super::change::not_watched;
use super::super::{FsChange, News, WatcherId};
use super::dirs::Dirs;
use super::system::Wd;
use super::watches::{Role, Watches};

/// What a step works on, besides the tree.
pub(super) struct Scene<'a> {
    pub(super) watches: &'a mut Watches,
    pub(super) scanned: &'a mut Scanned,
    pub(super) news: &'a mut Vec<News>,
}

/// What was told since it was seen in a directory. The event that tells the same is still queued, or was
/// never made.
pub(super) type Scanned = HashSet<(WatcherId, Wd, OsString)>;

pub(super) struct Tree {
    pub(super) id: WatcherId,
    /// Absolute: what is watched stays the same if the process changes its directory.
    path: PathBuf,
    /// Of the path; empty if it has none, as `/` has.
    pub(super) name: OsString,
    pub(super) is_dir: bool,
    pub(super) is_recursive: bool,
    anchor: Option<Wd>,
    file: Option<Wd>,
    pub(super) dirs: Dirs,
    displaced: Option<Displaced>,
    /// What is at the path is behind a link: the anchor does not tell of it.
    is_link: bool,
    /// Something is at the path, as far as was told.
    pub(super) is_there: bool,
}

/// What the last rename put something else in the place of. Two directories may have changed places: that
/// is told as a rename and its reverse.
struct Displaced {
    from: PathBuf,
    to: PathBuf,
    tree: Vec<(PathBuf, Wd)>,
}

impl Tree {
    pub(super) fn new(id: WatcherId, path: &Path, is_recursive: bool) -> io::Result<Self> {
        let named = |error| not_watched(path, None, error);
        let metadata = std::fs::metadata(path).map_err(named)?;
        let path = std::path::absolute(path).map_err(named)?;
        Ok(Self {
            id,
            name: path.file_name().unwrap_or_default().to_owned(),
            path,
            is_dir: metadata.is_dir(),
            is_recursive: is_recursive && metadata.is_dir(),
            anchor: None,
            file: None,
            dirs: Dirs::default(),
            displaced: None,
            is_link: false,
            is_there: true,
        })
    }

    /// How the path itself is told.
    pub(super) fn own(&self) -> PathBuf {
        if self.is_dir { PathBuf::new() } else { PathBuf::from(&self.name) }
    }

    pub(super) fn tell(&self, change: FsChange, scene: &mut Scene<'_>) {
        scene.news.push((self.id, Ok(change)));
    }

    // --- begin and end ---

    /// Watches everything that is there. After an error [`end`](Self::end) undoes what was done.
    pub(super) fn begin(&mut self, scene: &mut Scene<'_>) -> io::Result<()> {
        self.anchor = self.watch_anchor(scene.watches)?;
        self.is_link = self.path.is_symlink();
        if !self.is_dir {
            self.file = Some(scene.watches.add(self.id, Role::File, &self.path)?);
            return Ok(());
        }
        self.add_tree(Path::new(""), false, scene)?;
        match self.dirs.wd(Path::new("")) {
            Some(_) => Ok(()),
            None => Err(not_watched(&self.path, None, ErrorKind::NotFound.into())),
        }
    }

    pub(super) fn end(&mut self, watches: &mut Watches) {
        if let Some(wd) = self.anchor.take() {
            watches.remove(self.id, Role::Anchor, wd);
        }
        self.leave_target(watches);
    }

    fn watch_anchor(&self, watches: &mut Watches) -> io::Result<Option<Wd>> {
        let parent = self.path.parent().filter(|_| !self.name.is_empty());
        let Some(parent) = parent else { return Ok(None) };
        match watches.add(self.id, Role::Anchor, parent) {
            Ok(wd) => Ok(Some(wd)),
            // It may be entered but not read: what is watched can be followed by its inode only.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the anchor tells if another inode is at the path.
    pub(super) fn is_told_by_anchor(&self) -> bool {
        self.anchor.is_some() && !self.is_link
    }

    // --- what is at the path ---

    /// What was at the path is not there any more.
    pub(super) fn leave_target(&mut self, watches: &mut Watches) {
        if let Some(wd) = self.file.take() {
            watches.remove(self.id, Role::File, wd);
        }
        self.drop_tree(Path::new(""), watches);
        self.drained(watches);
    }

    /// Tells once that nothing is at the path.
    pub(super) fn tell_removed(&mut self, scene: &mut Scene<'_>) {
        if std::mem::replace(&mut self.is_there, false) {
            self.tell(FsChange::Removed(self.own()), scene);
        }
    }

    /// Something new is at the path: watches it, and tells `change`.
    pub(super) fn meet_target(&mut self, change: FsChange, scene: &mut Scene<'_>) {
        self.is_there = true;
        self.is_link = self.path.is_symlink();
        if !self.is_dir {
            if self.recheck_file(scene) == Found::Nothing {
                self.leave_target(scene.watches);
            }
            return self.tell(change, scene);
        }
        self.leave_target(scene.watches);
        // A file in the place of a directory is not what is watched; nor is what is gone again.
        if self.path.is_dir() {
            self.tell(change, scene);
            self.add_or_report(Path::new(""), true, scene);
        }
    }

    /// Watches the file that is at the path now.
    fn recheck_file(&mut self, scene: &mut Scene<'_>) -> Found {
        match scene.watches.add(self.id, Role::File, &self.path) {
            Ok(wd) => match self.file.replace(wd) {
                Some(former) if former != wd => {
                    scene.watches.remove(self.id, Role::File, former);
                    Found::Another
                }
                _ => Found::TheSame,
            },
            Err(error) => {
                if !is_gone(&error) {
                    scene.news.push((self.id, Err(error)));
                }
                Found::Nothing
            }
        }
    }

    /// The inode of the file itself was touched. Behind a link that may mean that the link leads to another
    /// now.
    pub(super) fn touched(&mut self, scene: &mut Scene<'_>) {
        if !self.is_told_by_anchor() && self.recheck_file(scene) == Found::Another {
            self.tell(FsChange::Modified(self.own()), scene);
        }
    }

    /// The inode at the path was removed or moved, and the anchor did not say so: it is behind a link,
    /// or there is no anchor. False if this was the end.
    pub(super) fn lost_target(&mut self, scene: &mut Scene<'_>) -> bool {
        self.leave_target(scene.watches);
        if std::fs::metadata(&self.path).is_ok_and(|now| now.is_dir() == self.is_dir) {
            let change = match self.is_dir {
                true => FsChange::Created(self.own()),
                false => FsChange::Modified(self.own()),
            };
            self.meet_target(change, scene);
        } else {
            self.tell_removed(scene);
        }
        self.anchor.is_some() || self.file.is_some() || self.dirs.wd(Path::new("")).is_some()
    }

    // --- the directories ---

    /// Watches the directory `root` and, if the tree is recursive, all below it. `tells` what is in
    /// them.
    ///
    /// # Errors
    /// If a limit is reached. What can't be watched otherwise is told as an error of its own.
    pub(super) fn add_tree(
        &mut self,
        root: &Path,
        tells: bool,
        scene: &mut Scene<'_>,
    ) -> io::Result<()> {
        let mut left = vec![root.to_owned()];
        while let Some(dir) = left.pop() {
            let full = self.path.join(&dir);
            let added = match dir.as_os_str().is_empty() {
                true => scene.watches.add(self.id, Role::Dir, &full),
                false => scene.watches.add_below(self.id, &full),
            };
            let wd = match added {
                Ok(wd) => wd,
                // It is not there any more, or no directory: an event of its parent says so.
                Err(error) if is_gone(&error) => continue,
                Err(error) if dir.as_os_str().is_empty() || is_at_a_limit(&error) => {
                    return Err(error);
                }
                Err(error) => {
                    scene.news.push((self.id, Err(error)));
                    continue;
                }
            };
            if let Some(replaced) = self.dirs.insert(dir.clone(), wd) {
                scene.watches.remove(self.id, Role::Dir, replaced);
            }
            if (self.is_recursive || tells)
                && let Err(error) = self.look_into(&dir, wd, tells, &mut left, scene)
                && !is_gone(&error)
            {
                scene.news.push((self.id, Err(not_watched(&full, None, error))));
            }
        }
        Ok(())
    }

    /// Reads a directory: tells what is in it, and puts the directories among that into `left`.
    fn look_into(
        &self,
        dir: &Path,
        wd: Wd,
        tells: bool,
        left: &mut Vec<PathBuf>,
        scene: &mut Scene<'_>,
    ) -> io::Result<()> {
        for entry in std::fs::read_dir(self.path.join(dir))? {
            let entry = entry?;
            let path = dir.join(entry.file_name());
            if tells {
                scene.scanned.insert((self.id, wd, entry.file_name()));
                self.tell(FsChange::Created(path.clone()), scene);
            }
            if self.is_recursive && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                left.push(path);
            }
        }
        Ok(())
    }

    /// [`add_tree`](Self::add_tree) where nobody waits for its error.
    pub(super) fn add_or_report(&mut self, root: &Path, tells: bool, scene: &mut Scene<'_>) {
        if let Err(error) = self.add_tree(root, tells, scene) {
            scene.news.push((self.id, Err(error)));
        }
    }

    pub(super) fn drop_tree(&mut self, root: &Path, watches: &mut Watches) {
        for (_, wd) in self.dirs.take_tree(root) {
            watches.remove(self.id, Role::Dir, wd);
        }
    }

    /// A directory of the tree has another name. Its watches move with it, since they are of inodes.
    ///
    /// Both names are to be [`refresh`](Self::refresh)ed when all events were read.
    pub(super) fn move_tree(&mut self, from: &Path, to: &Path, scene: &mut Scene<'_>) {
        let moved = match self.displaced.take_if(|last| (&*last.to, &*last.from) == (from, to)) {
            Some(last) => last.tree,
            None => self.dirs.take_tree(from),
        };
        if moved.is_empty() {
            // It was not seen under its former name.
            return self.add_or_report(to, true, scene);
        }
        self.drained(scene.watches);
        let tree = self.dirs.take_tree(to);
        if !tree.is_empty() {
            self.displaced = Some(Displaced { from: from.to_owned(), to: to.to_owned(), tree });
        }
        for (path, wd) in moved {
            let below = path.strip_prefix(from).expect("it is of that tree");
            self.dirs.insert(join(to, below), wd);
        }
    }

    /// What was displaced and did not turn up elsewhere is gone.
    pub(super) fn drained(&mut self, watches: &mut Watches) {
        for (_, wd) in self.displaced.take().into_iter().flat_map(|last| last.tree) {
            if self.dirs.path(wd).is_none() {
                watches.remove(self.id, Role::Dir, wd);
            }
        }
    }

    /// Puts right which directory is at `path`: events tell of the past, and the calls that they led to
    /// met what was there by then.
    pub(super) fn refresh(&mut self, path: &Path, scene: &mut Scene<'_>) {
        match scene.watches.add_below(self.id, &self.path.join(path)) {
            Ok(wd) if Some(wd) == self.dirs.wd(path) => {}
            Ok(_) => {
                self.drop_tree(path, scene.watches);
                self.add_or_report(path, true, scene);
            }
            Err(error) => {
                self.drop_tree(path, scene.watches);
                if !is_gone(&error) {
                    scene.news.push((self.id, Err(error)));
                }
            }
        }
    }

    /// Events were lost: watches what is there now, and nothing else. False if the place is gone.
    pub(super) fn renew(&mut self, scene: &mut Scene<'_>) -> bool {
        if let Some(former) = self.anchor.take() {
            match self.watch_anchor(scene.watches) {
                Ok(anchor) => self.anchor = anchor,
                Err(error) if is_gone(&error) => {}
                Err(error) => scene.news.push((self.id, Err(error))),
            }
            if self.anchor != Some(former) {
                scene.watches.remove(self.id, Role::Anchor, former);
            }
            if self.anchor.is_none() {
                return false;
            }
        }
        if !self.is_dir {
            if self.recheck_file(scene) == Found::Nothing {
                self.leave_target(scene.watches);
            }
            return true;
        }
        self.drained(scene.watches);
        let former = self.dirs.take_tree(Path::new(""));
        self.add_or_report(Path::new(""), false, scene);
        for (_, wd) in former {
            if self.dirs.path(wd).is_none() {
                scene.watches.remove(self.id, Role::Dir, wd);
            }
        }
        true
    }

    /// The system has ended a watch, since its inode is no more. False if that was the anchor's.
    pub(super) fn ended(&mut self, role: Role, wd: Wd) -> bool {
        match role {
            Role::Anchor => return self.anchor != Some(wd),
            Role::File => drop(self.file.take_if(|file| *file == wd)),
            Role::Dir => drop(self.dirs.remove(wd)),
        }
        true
    }
}

/// What is at the path of a watched file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    TheSame,
    Another,
    Nothing,
}

/// `Path::join` with the empty path would end in a slash.
fn join(dir: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { dir.to_owned() } else { dir.join(below) }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// ENOSPC: no watch is left.
fn is_at_a_limit(error: &io::Error) -> bool {
    error.kind() == ErrorKind::StorageFull
}
