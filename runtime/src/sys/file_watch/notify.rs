//! Other systems: the `notify` crate, which has a thread of its own for each watcher.
//!
//! ```text
//!   notify's thread ─▶ Inbox of a watcher ─▶ wake ─▶ read ─▶ changes, by relative path
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::mem::take;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{EventKind, ModifyKind, RenameMode};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use parking_lot::Mutex;

use super::change::not_watched;
use super::{FsChange, News, Wake, WatchSource, WatcherId};

/// As many events as the kernel of Linux keeps by default.
const INBOX_SIZE: usize = 16_384;

/// All that a loop watches.
pub(crate) struct Backend {
    watchers: BTreeMap<WatcherId, Watcher>,
}

/// Events on their way from the other thread.
#[derive(Default)]
struct Inbox {
    events: VecDeque<notify::Result<Event>>,
    is_over: bool,
}

struct Watcher {
    /// Its drop ends the thread.
    _system: RecommendedWatcher,
    inbox: Arc<Mutex<Inbox>>,
    /// What paths are relative to: as it was given, and as the system may name it.
    bases: Vec<PathBuf>,
    /// The one file that is watched.
    only: Option<OsString>,
    /// The first half of a rename.
    moved: Option<PathBuf>,
    /// The rename that was told last: some systems tell it again as a whole.
    renamed: Option<(PathBuf, PathBuf)>,
}

impl Backend {
    pub(crate) fn new() -> io::Result<(Self, Option<WatchSource>)> {
        Ok((Self { watchers: BTreeMap::new() }, None))
    }

    pub(crate) fn start(
        &mut self,
        id: WatcherId,
        path: &Path,
        is_recursive: bool,
        wake: Wake,
        _: &mut Vec<News>,
    ) -> io::Result<()> {
        let named = |error| not_watched(path, None, error);
        let metadata = std::fs::metadata(path).map_err(named)?;
        let path = std::path::absolute(path).map_err(named)?;
        let parent = path.parent().filter(|_| !metadata.is_dir());
        // Of a file its directory is watched, so that one that takes its place is seen.
        let base = parent.unwrap_or(&path).to_owned();
        let only = parent.and_then(|_| path.file_name()).map(OsString::from);
        let mode = match is_recursive && only.is_none() {
            true => RecursiveMode::Recursive,
            false => RecursiveMode::NonRecursive,
        };
        let inbox = Arc::<Mutex<Inbox>>::default();
        let theirs = inbox.clone();
        let on_event = move |event| {
            theirs.lock().push(event);
            wake();
        };
        let system = notify::recommended_watcher(on_event).and_then(|mut system| {
            system.watch(&base, mode)?;
            Ok(system)
        });
        let system = system.map_err(|error| named(io_error(error)))?;
        let bases = [base.canonicalize().ok(), Some(base)].into_iter().flatten().collect();
        let watcher = Watcher { _system: system, inbox, bases, only, moved: None, renamed: None };
        self.watchers.insert(id, watcher);
        Ok(())
    }

    pub(crate) fn stop(&mut self, id: WatcherId) {
        drop(self.watchers.remove(&id));
    }

    pub(crate) fn read(&mut self, news: &mut Vec<News>) -> io::Result<()> {
        for (id, watcher) in &mut self.watchers {
            watcher.read(&mut |change| news.push((*id, change)));
        }
        // Who was told of the end is watched no longer.
        for (id, change) in news.iter() {
            if matches!(change, Ok(FsChange::Gone)) {
                drop(self.watchers.remove(id));
            }
        }
        Ok(())
    }
}

impl Inbox {
    fn push(&mut self, event: notify::Result<Event>) {
        if self.events.len() < INBOX_SIZE {
            self.events.push_back(event);
        } else {
            self.is_over = true;
        }
    }
}

impl Watcher {
    fn read(&mut self, tell: &mut dyn FnMut(io::Result<FsChange>)) {
        let Inbox { events, is_over } = take(&mut *self.inbox.lock());
        for event in events {
            match event {
                Ok(event) if event.need_rescan() => tell(Ok(FsChange::Overflow)),
                Ok(event) => self.translate(event, &mut |change| tell(Ok(change))),
                Err(error) => tell(Err(io_error(error))),
            }
        }
        self.has_left(&mut |change| tell(Ok(change)));
        if is_over {
            tell(Ok(FsChange::Overflow));
        }
    }

    /// A first half without a second one.
    fn has_left(&mut self, tell: &mut dyn FnMut(FsChange)) {
        if let Some(from) = self.moved.take()
            && self.is_wanted(&from)
        {
            tell(FsChange::Removed(from));
        }
    }

    fn translate(&mut self, event: Event, tell: &mut dyn FnMut(FsChange)) {
        let mut paths = event.paths.iter().filter_map(|path| self.relative(path));
        let Some(path) = paths.next() else { return };
        let other = paths.next();
        drop(paths);
        let is_there = || event.paths.first().is_some_and(|path| path.exists());
        let make = match (event.kind, other) {
            (EventKind::Modify(ModifyKind::Name(RenameMode::Both)), Some(to)) => {
                return self.rename(path, to, tell);
            }
            (EventKind::Modify(ModifyKind::Name(RenameMode::From)), _) => {
                self.has_left(tell);
                self.moved = Some(path);
                return;
            }
            (EventKind::Modify(ModifyKind::Name(RenameMode::To)), _) => match self.moved.take() {
                Some(from) => return self.rename(from, path, tell),
                None => FsChange::Created,
            },
            (EventKind::Modify(ModifyKind::Name(_)), _) if is_there() => FsChange::Created,
            (EventKind::Modify(ModifyKind::Name(_)), _) => FsChange::Removed,
            (EventKind::Create(_), _) => FsChange::Created,
            (EventKind::Remove(_), _) if path.as_os_str().is_empty() => {
                return tell(FsChange::Gone);
            }
            (EventKind::Remove(_), _) => FsChange::Removed,
            (EventKind::Modify(ModifyKind::Metadata(_)), _) => FsChange::Metadata,
            (EventKind::Modify(_) | EventKind::Any, _) => FsChange::Modified,
            (EventKind::Access(_) | EventKind::Other, _) => return,
        };
        if self.is_wanted(&path) {
            tell(make(path));
        }
    }

    fn rename(&mut self, from: PathBuf, to: PathBuf, tell: &mut dyn FnMut(FsChange)) {
        let renamed = Some((from.clone(), to.clone()));
        if self.renamed.take() == renamed {
            return;
        }
        self.renamed = renamed;
        if self.is_wanted(&from) || self.is_wanted(&to) {
            tell(FsChange::Renamed { from, to });
        }
    }

    fn relative(&self, path: &Path) -> Option<PathBuf> {
        self.bases.iter().find_map(|base| path.strip_prefix(base).ok()).map(Path::to_owned)
    }

    fn is_wanted(&self, path: &Path) -> bool {
        self.only.as_ref().is_none_or(|only| path == Path::new(only))
    }
}

fn io_error(error: notify::Error) -> io::Error {
    match error.kind {
        notify::ErrorKind::Io(error) => error,
        notify::ErrorKind::PathNotFound => io::ErrorKind::NotFound.into(),
        _ => io::Error::other(error),
    }
}
