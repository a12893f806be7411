//! Linux: inotify.
//!
//! ```text
//!   Backend ─┬─ Watches   one descriptor; a watch an inode, shared by whom it is for     watches
//!            ├─ Tree      what one watcher watches: a path, what is there, what is below  tree, dirs
//!            └─ Event     ─▶ whom it is for ─▶ what it means to each                     system, events
//! ```
//!
//! One instance serves all watchers of a loop: a process may have few of them (128), but many watches.

mod dirs;
mod events;
mod system;
mod tree;
mod watches;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{News, Wake, WatchSource, WatcherId};
use events::Moved;
use tree::{Scanned, Scene, Tree};
use watches::Watches;

/// All that a loop watches.
pub(crate) struct Backend {
    watches: Watches,
    trees: BTreeMap<WatcherId, Tree>,
    /// The first halves of renames whose second half did not come yet.
    moved: Vec<Moved>,
    scanned: Scanned,
    /// Where directories were renamed since all events were read.
    doubtful: Vec<(WatcherId, PathBuf)>,
}

impl Backend {
    pub(crate) fn new() -> io::Result<(Self, Option<WatchSource>)> {
        let source = Rc::new(system::open()?);
        let backend = Self {
            watches: Watches::new(source.clone()),
            trees: BTreeMap::new(),
            moved: Vec::new(),
            scanned: Scanned::new(),
            doubtful: Vec::new(),
        };
        Ok((backend, Some(source)))
    }

    pub(crate) fn start(
        &mut self,
        id: WatcherId,
        path: &Path,
        is_recursive: bool,
        _: Wake,
        news: &mut Vec<News>,
    ) -> io::Result<()> {
        let mut tree = Tree::new(id, path, is_recursive)?;
        let begun = tree.begin(&mut self.scene(news));
        if begun.is_err() {
            tree.end(&mut self.watches);
        } else {
            self.trees.insert(id, tree);
        }
        begun
    }

    pub(crate) fn stop(&mut self, id: WatcherId) {
        if let Some(mut tree) = self.trees.remove(&id) {
            tree.end(&mut self.watches);
        }
    }

    /// Takes what the system has, a fair share at most; what is left is reported by the poller again.
    pub(crate) fn read(&mut self, news: &mut Vec<News>) -> io::Result<()> {
        let source = self.watches.source().clone();
        let mut is_drained = system::read(&source, |event| self.event(event, news))?;
        if is_drained && !self.moved.is_empty() {
            // A rename is two events, which are not queued at once: another thread may be in between.
            std::thread::yield_now();
            is_drained = system::read(&source, |event| self.event(event, news))?;
        }
        if is_drained {
            self.drained(news);
        }
        Ok(())
    }

    fn scene<'a>(&'a mut self, news: &'a mut Vec<News>) -> Scene<'a> {
        Scene { watches: &mut self.watches, scanned: &mut self.scanned, news }
    }
}
