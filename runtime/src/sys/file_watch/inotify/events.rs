//! What an event means to whom it is for.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::super::{FsChange, News, WatcherId};
use super::Backend;
use super::system::{Event, ReadFlags};
use super::tree::{Scene, Tree};
use super::watches::Role;

/// The first half of a rename: what had which name. The second half has the same cookie; if none comes
/// what was moved has left.
pub(super) struct Moved {
    cookie: u32,
    is_dir: bool,
    from: Vec<Former>,
}

struct Former {
    id: WatcherId,
    role: Role,
    path: PathBuf,
}

impl Moved {
    /// The former name as the watcher `id` knows it, if that is its to know.
    fn take(&mut self, id: WatcherId, role: Role) -> Option<PathBuf> {
        let at = self.from.iter().position(|former| (former.id, former.role) == (id, role))?;
        Some(self.from.remove(at).path)
    }
}

impl Backend {
    pub(super) fn event(&mut self, event: Event, news: &mut Vec<News>) {
        let flags = event.flags;
        if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.overflow(news);
        } else if flags.contains(ReadFlags::IGNORED) {
            for (id, role) in self.watches.ended(event.wd) {
                let is_left = self.trees.get_mut(&id).is_none_or(|tree| tree.ended(role, event.wd));
                self.end_unless(is_left, id, news);
            }
        } else if flags.contains(ReadFlags::MOVED_FROM) {
            self.moved_from(&event, news);
        } else if flags.contains(ReadFlags::MOVED_TO) {
            self.moved_to(&event, news);
        } else {
            for (id, role) in self.watches.roles(event.wd) {
                self.plain(&event, id, role, news);
            }
        }
    }

    /// Everything that the system had was read.
    pub(super) fn drained(&mut self, news: &mut Vec<News>) {
        self.scanned.clear();
        for moved in std::mem::take(&mut self.moved) {
            self.has_left(moved, news);
        }
        for (id, path) in std::mem::take(&mut self.doubtful) {
            self.with(id, news, |tree, scene| {
                tree.drained(scene.watches);
                tree.refresh(&path, scene);
            });
        }
    }

    /// Lends the tree of a watcher, and what it works on. Nothing, if the watcher has stopped.
    fn with(
        &mut self,
        id: WatcherId,
        news: &mut Vec<News>,
        f: impl FnOnce(&mut Tree, &mut Scene<'_>),
    ) {
        let Self { watches, trees, scanned, .. } = self;
        if let Some(tree) = trees.get_mut(&id) {
            f(tree, &mut Scene { watches, scanned, news });
        }
    }

    /// The place is gone: the last that a watcher is told.
    fn end_unless(&mut self, is_left: bool, id: WatcherId, news: &mut Vec<News>) {
        if !is_left && let Some(mut tree) = self.trees.remove(&id) {
            tree.end(&mut self.watches);
            news.push((id, Ok(FsChange::Gone)));
        }
    }

    /// Events were lost, the first halves of renames perhaps not, but that is told as well.
    fn overflow(&mut self, news: &mut Vec<News>) {
        self.moved.clear();
        self.scanned.clear();
        self.doubtful.clear();
        for id in self.trees.keys().copied().collect::<Vec<_>>() {
            let mut is_left = true;
            self.with(id, news, |tree, scene| {
                tree.tell(FsChange::Overflow, scene);
                is_left = tree.renew(scene);
            });
            self.end_unless(is_left, id, news);
        }
    }

    /// Anything but a rename.
    fn plain(&mut self, event: &Event, id: WatcherId, role: Role, news: &mut Vec<News>) {
        let mut is_left = true;
        self.with(id, news, |tree, scene| match (role, &event.name) {
            (Role::Anchor, None) => is_left = !is_end(event.flags),
            (Role::Anchor, Some(name)) if *name == tree.name => own_name(event.flags, tree, scene),
            (Role::Anchor, Some(_)) => {}
            (Role::File, _) => is_left = file(event, tree, scene),
            (Role::Dir, None) => is_left = dir_itself(event, tree, scene),
            (Role::Dir, Some(name)) => in_dir(event, name, tree, scene),
        });
        self.end_unless(is_left, id, news);
    }

    // --- renames ---

    fn moved_from(&mut self, event: &Event, news: &mut Vec<News>) {
        let Some(name) = &event.name else { return };
        let mut from = Vec::new();
        for (id, role) in self.watches.roles(event.wd) {
            self.scanned.remove(&(id, event.wd, name.clone()));
            self.with(id, news, |tree, scene| {
                if let Some(path) = path_of(event, name, role, tree) {
                    from.push(Former { id, role, path });
                }
                if role == Role::Anchor && *name == tree.name {
                    tree.leave_target(scene.watches);
                }
            });
        }
        let is_dir = event.flags.contains(ReadFlags::ISDIR);
        self.moved.push(Moved { cookie: event.cookie, is_dir, from });
    }

    fn moved_to(&mut self, event: &Event, news: &mut Vec<News>) {
        let Some(name) = &event.name else { return };
        let at = self.moved.iter().position(|moved| moved.cookie == event.cookie);
        let mut moved = at.map(|at| self.moved.remove(at));
        let mut doubtful = Vec::new();
        for (id, role) in self.watches.roles(event.wd) {
            let from = moved.as_mut().and_then(|moved| moved.take(id, role));
            self.with(id, news, |tree, scene| {
                let Some(to) = path_of(event, name, role, tree) else { return };
                match role {
                    Role::Anchor => own_rename(from, to, tree, scene),
                    Role::Dir | Role::File => rename(event, from, to, tree, scene, &mut doubtful),
                }
            });
        }
        self.doubtful.append(&mut doubtful);
        if let Some(moved) = moved {
            self.has_left(moved, news);
        }
    }

    /// The rest of a first half: for these watchers there is no second one.
    fn has_left(&mut self, moved: Moved, news: &mut Vec<News>) {
        for Former { id, role, path } in moved.from {
            self.with(id, news, |tree, scene| match role {
                Role::Anchor if path == Path::new(&tree.name) => tree.tell_removed(scene),
                Role::Dir => {
                    if moved.is_dir {
                        tree.drop_tree(&path, scene.watches);
                    }
                    tree.tell(FsChange::Removed(path), scene);
                }
                Role::Anchor | Role::File => {}
            });
        }
    }
}

/// The path of `name` as the watcher tells it.
fn path_of(event: &Event, name: &OsStr, role: Role, tree: &Tree) -> Option<PathBuf> {
    match role {
        Role::Anchor => Some(PathBuf::from(name)),
        Role::Dir => Some(tree.dirs.path(event.wd)?.join(name)),
        Role::File => None,
    }
}

/// Whether the inode itself was removed, moved or unmounted.
fn is_end(flags: ReadFlags) -> bool {
    flags.intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT)
}

/// Whether the anchor tells what `flags` tell of the inode itself.
fn is_the_anchors(flags: ReadFlags, tree: &Tree) -> bool {
    tree.is_told_by_anchor() && !flags.contains(ReadFlags::UNMOUNT)
}

/// Something got the name that is watched, or what had it was removed.
fn own_name(flags: ReadFlags, tree: &mut Tree, scene: &mut Scene<'_>) {
    if flags.contains(ReadFlags::CREATE) {
        tree.meet_target(FsChange::Created(tree.own()), scene);
    } else if flags.contains(ReadFlags::DELETE) {
        tree.leave_target(scene.watches);
        tree.tell_removed(scene);
    }
}

/// A rename in the directory that holds what is watched: from its name, to it, or of others.
fn own_rename(from: Option<PathBuf>, to: PathBuf, tree: &mut Tree, scene: &mut Scene<'_>) {
    let own = Path::new(&tree.name).to_owned();
    match from {
        Some(from) if to == own && !tree.is_dir => {
            tree.meet_target(FsChange::Renamed { from, to }, scene);
        }
        _ if to == own => tree.meet_target(FsChange::Created(tree.own()), scene),
        Some(from) if from == own && !tree.is_dir => {
            tree.is_there = false;
            tree.tell(FsChange::Renamed { from, to }, scene);
        }
        Some(from) if from == own => tree.tell_removed(scene),
        _ => {}
    }
}

/// Something in a directory has a name that it did not have there.
fn rename(
    event: &Event,
    from: Option<PathBuf>,
    to: PathBuf,
    tree: &mut Tree,
    scene: &mut Scene<'_>,
    doubtful: &mut Vec<(WatcherId, PathBuf)>,
) {
    let moves_tree = tree.is_recursive && event.flags.contains(ReadFlags::ISDIR);
    match from {
        Some(from) => {
            tree.tell(FsChange::Renamed { from: from.clone(), to: to.clone() }, scene);
            if moves_tree {
                tree.move_tree(&from, &to, scene);
                doubtful.extend([from, to].map(|path| (tree.id, path)));
            }
        }
        None => created(event, to, tree, scene),
    }
}

/// Something was made in a directory, or moved to it.
fn created(event: &Event, path: PathBuf, tree: &mut Tree, scene: &mut Scene<'_>) {
    let name = path.file_name().unwrap_or_default().to_owned();
    if scene.scanned.remove(&(tree.id, event.wd, name)) {
        return;
    }
    tree.tell(FsChange::Created(path.clone()), scene);
    if tree.is_recursive && event.flags.contains(ReadFlags::ISDIR) {
        tree.add_or_report(&path, true, scene);
    }
}

/// Something happened to what has a name in a directory.
fn in_dir(event: &Event, name: &OsString, tree: &mut Tree, scene: &mut Scene<'_>) {
    let Some(path) = path_of(event, name, Role::Dir, tree) else { return };
    let flags = event.flags;
    if flags.contains(ReadFlags::CREATE) {
        created(event, path, tree, scene);
    } else if flags.contains(ReadFlags::DELETE) {
        scene.scanned.remove(&(tree.id, event.wd, name.clone()));
        if flags.contains(ReadFlags::ISDIR) {
            tree.drop_tree(&path, scene.watches);
        }
        tree.tell(FsChange::Removed(path), scene);
    } else if flags.contains(ReadFlags::MODIFY) {
        tree.tell(FsChange::Modified(path), scene);
    } else if flags.contains(ReadFlags::ATTRIB) {
        tree.tell(FsChange::Metadata(path), scene);
    }
}

/// Something happened to a watched directory. What is below the root is told by its parent as well.
/// False if this was the end.
fn dir_itself(event: &Event, tree: &mut Tree, scene: &mut Scene<'_>) -> bool {
    let Some(path) = tree.dirs.path(event.wd).map(Path::to_owned) else { return true };
    let is_root = path.as_os_str().is_empty();
    if event.flags.contains(ReadFlags::UNMOUNT) {
        tree.tell(FsChange::Unmounted(path.clone()), scene);
        if !is_root {
            // What is there now is what it was mounted over.
            tree.drop_tree(&path, scene.watches);
            tree.add_or_report(&path, false, scene);
        }
    }
    if is_root && is_end(event.flags) && !is_the_anchors(event.flags, tree) {
        return tree.lost_target(scene);
    }
    if is_root && event.flags.contains(ReadFlags::ATTRIB) {
        tree.tell(FsChange::Metadata(path), scene);
    }
    true
}

/// Something happened to the watched file. False if this was the end.
fn file(event: &Event, tree: &mut Tree, scene: &mut Scene<'_>) -> bool {
    let flags = event.flags;
    if is_end(flags) {
        if flags.contains(ReadFlags::UNMOUNT) {
            tree.tell(FsChange::Unmounted(tree.own()), scene);
        }
        return is_the_anchors(flags, tree) || tree.lost_target(scene);
    }
    if flags.contains(ReadFlags::MODIFY) {
        tree.tell(FsChange::Modified(tree.own()), scene);
    } else if flags.contains(ReadFlags::ATTRIB) {
        tree.tell(FsChange::Metadata(tree.own()), scene);
        tree.touched(scene);
    }
    true
}
