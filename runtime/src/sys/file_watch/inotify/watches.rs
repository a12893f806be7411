//! The watches of the descriptor, and whom each is for.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use super::super::{WatchSource, WatcherId};
use super::system::{self, WatchFlags, Wd};

/// What a watch is to a watcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The directory that holds what is watched: tells when something else gets its name.
    Anchor,
    /// The file that is watched.
    File,
    /// A directory whose contents are watched.
    Dir,
}

impl Role {
    fn flags(self) -> WatchFlags {
        let own = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        let names =
            WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE | WatchFlags::ONLYDIR;
        let contents = WatchFlags::MODIFY | WatchFlags::ATTRIB;
        match self {
            Self::Anchor => own | names,
            Self::File => own | contents,
            Self::Dir => own | names | contents,
        }
    }
}

/// All watches of a loop. The system gives one inode one watch: who comes second shares it, and its
/// flags are what all of them asked for.
pub(super) struct Watches {
    source: WatchSource,
    roles: HashMap<Wd, Vec<(WatcherId, Role)>>,
}

impl Watches {
    pub(super) fn new(source: WatchSource) -> Self {
        Self { source, roles: HashMap::new() }
    }

    pub(super) fn source(&self) -> &WatchSource {
        &self.source
    }

    /// Watches `path` for `id`. What `id` watches already in that role stays as it is.
    pub(super) fn add(&mut self, id: WatcherId, role: Role, path: &Path) -> io::Result<Wd> {
        self.watch(id, role, path, role.flags())
    }

    /// As [`add`](Self::add) for a directory, but not for a link to one: a tree with links to its own
    /// directories would have no end.
    pub(super) fn add_below(&mut self, id: WatcherId, path: &Path) -> io::Result<Wd> {
        self.watch(id, Role::Dir, path, Role::Dir.flags() | WatchFlags::DONT_FOLLOW)
    }

    fn watch(
        &mut self,
        id: WatcherId,
        role: Role,
        path: &Path,
        flags: WatchFlags,
    ) -> io::Result<Wd> {
        let wd = system::add(&self.source, path, flags)?;
        let roles = self.roles.entry(wd).or_default();
        if !roles.contains(&(id, role)) {
            roles.push((id, role));
        }
        Ok(wd)
    }

    /// Ends what `add` began.
    pub(super) fn remove(&mut self, id: WatcherId, role: Role, wd: Wd) {
        let Some(roles) = self.roles.get_mut(&wd) else { return };
        roles.retain(|entry| *entry != (id, role));
        if roles.is_empty() {
            self.roles.remove(&wd);
            system::remove(&self.source, wd);
        }
    }

    /// The system has ended a watch. Gives whom it was for.
    pub(super) fn ended(&mut self, wd: Wd) -> Vec<(WatcherId, Role)> {
        self.roles.remove(&wd).unwrap_or_default()
    }

    /// Whom an event of `wd` is for, in the order in which they came.
    pub(super) fn roles(&self, wd: Wd) -> Vec<(WatcherId, Role)> {
        self.roles.get(&wd).cloned().unwrap_or_default()
    }
}
