//! The directories of a tree: by path, and by watch.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::system::Wd;

/// Paths are relative to the root of the tree, which is the empty path.
#[derive(Default)]
pub(super) struct Dirs {
    /// In this order a directory stands right before all that is below it.
    by_path: BTreeMap<PathBuf, Wd>,
    by_wd: HashMap<Wd, PathBuf>,
}

impl Dirs {
    pub(super) fn wd(&self, path: &Path) -> Option<Wd> {
        self.by_path.get(path).copied()
    }

    pub(super) fn path(&self, wd: Wd) -> Option<&Path> {
        self.by_wd.get(&wd).map(PathBuf::as_path)
    }

    /// Notes where a directory is. One that was known at another place has moved. Gives the watch of
    /// what was there before, if it was another.
    pub(super) fn insert(&mut self, path: PathBuf, wd: Wd) -> Option<Wd> {
        if let Some(former) = self.by_wd.insert(wd, path.clone())
            && former != path
        {
            self.by_path.remove(&former);
        }
        let replaced = self.by_path.insert(path, wd).filter(|replaced| *replaced != wd)?;
        self.by_wd.remove(&replaced);
        Some(replaced)
    }

    pub(super) fn remove(&mut self, wd: Wd) -> Option<PathBuf> {
        let path = self.by_wd.remove(&wd)?;
        self.by_path.remove(&path);
        Some(path)
    }

    /// Takes out `root` and all below it.
    pub(super) fn take_tree(&mut self, root: &Path) -> Vec<(PathBuf, Wd)> {
        let from = self.by_path.range(root.to_owned()..);
        let tree = from.take_while(|(path, _)| path.starts_with(root));
        let tree: Vec<_> = tree.map(|(path, wd)| (path.clone(), *wd)).collect();
        for (path, wd) in &tree {
            self.by_path.remove(path);
            self.by_wd.remove(wd);
        }
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirs(all: &[(&str, Wd)]) -> Dirs {
        let mut dirs = Dirs::default();
        for (path, wd) in all {
            assert_eq!(dirs.insert(path.into(), *wd), None);
        }
        dirs
    }

    #[test]
    fn a_tree_is_taken_with_all_below_and_nothing_beside() {
        let mut dirs = dirs(&[("", 1), ("a", 2), ("a/b", 3), ("a-b", 4), ("ab", 5), ("a/b/c", 6)]);
        let taken: Vec<_> = dirs.take_tree(Path::new("a")).into_iter().map(|(_, wd)| wd).collect();
        assert_eq!(taken, [2, 3, 6]);
        assert_eq!([1, 4, 5].map(|wd| dirs.path(wd).is_some()), [true; 3]);
        assert_eq!(dirs.take_tree(Path::new("")).len(), 3);
        assert!(dirs.path(1).is_none());
    }

    #[test]
    fn what_comes_to_a_place_replaces_what_was_there() {
        let mut dirs = dirs(&[("a", 1), ("b", 2)]);
        assert_eq!(dirs.insert("b".into(), 1), Some(2));
        assert_eq!((dirs.wd(Path::new("a")), dirs.path(1)), (None, Some(Path::new("b"))));
        assert_eq!(dirs.path(2), None);
        assert_eq!(dirs.remove(1), Some("b".into()));
        assert_eq!(dirs.wd(Path::new("b")), None);
    }
}
