//! A part of a tree is walked, in the pool.

use std::io;
use std::sync::Arc;

use super::entry::WalkEntry;
use super::options::WalkOptions;
use super::place::Place;
use crate::fs::DirEntry;
use crate::fs::operation::Operation;
use crate::pool::Steps;
use crate::sys::{self, Directory};

/// As much as one job finds: entries, and directories it has read.
const PART: usize = 1024;

pub(super) type Item = io::Result<WalkEntry>;

/// What a job is given, and what it leaves.
#[derive(Default)]
pub(super) struct Part {
    pub(super) found: Vec<Item>,
    /// A directory of which a part was read.
    pub(super) open: Option<Open>,
    /// What is still to be done, the next last.
    pub(super) left: Vec<Left>,
    /// Counted against [`PART`].
    done: usize,
}

pub(super) struct Open {
    directory: Directory,
    place: Place,
}

pub(super) enum Left {
    Read(Place),
    /// In a walk that is sorted: an entry whose turn has not come, and the directory it is in.
    Tell(WalkEntry, Place),
}

/// Walks a part of the tree. What it leaves is for later jobs.
pub(super) fn walk(mut part: Part, options: &WalkOptions, steps: &Steps) -> io::Result<Part> {
    while part.done < PART {
        if let Some(open) = part.open.take() {
            part.go_on(open, options, steps)?;
            continue;
        }
        steps.go_on()?;
        match part.left.pop() {
            Some(Left::Read(place)) => part.read(place, options, steps)?,
            Some(Left::Tell(entry, place)) => part.tell(entry, &place, options),
            None => break,
        }
    }
    part.done = 0;
    Ok(part)
}

impl Part {
    /// Begins to read a directory. One that has gone since it was found is none.
    fn read(&mut self, mut place: Place, options: &WalkOptions, steps: &Steps) -> io::Result<()> {
        self.done += 1;
        let is_root = place.depth == 1;
        let opened = Directory::open(&place.path, is_root || options.follows_links);
        let entered = opened.and_then(|directory| {
            if options.follows_links {
                place.enter(&directory)?;
            }
            Ok(directory)
        });
        match entered {
            Ok(directory) if options.is_sorted => self.sort(directory, place, steps)?,
            Ok(directory) => self.open = Some(Open { directory, place }),
            Err(error) if !is_root && sys::is_gone(&error) => {}
            Err(error) => self.fail(&place, error),
        }
        Ok(())
    }

    /// Reads on in a directory, until it or this part is at its end.
    fn go_on(&mut self, mut open: Open, options: &WalkOptions, steps: &Steps) -> io::Result<()> {
        steps.go_on()?;
        while self.done < PART {
            let found = match open.directory.next() {
                Some(Ok(found)) => found,
                Some(Err(error)) => {
                    self.fail(&open.place, error);
                    return Ok(());
                }
                None => return Ok(()),
            };
            let entry = DirEntry::new(&open.place.path, found);
            let entry = WalkEntry { entry, depth: open.place.depth };
            self.tell(entry, &open.place, options);
        }
        self.open = Some(open);
        Ok(())
    }

    /// Reads a whole directory, and lets its entries wait for their turn.
    fn sort(&mut self, mut directory: Directory, place: Place, steps: &Steps) -> io::Result<()> {
        let mut entries = Vec::new();
        while let Some(found) = directory.next() {
            if entries.len() % PART == 0 {
                steps.go_on()?;
            }
            match found {
                Ok(found) => entries.push(DirEntry::new(&place.path, found)),
                Err(error) => {
                    self.fail(&place, error);
                    break;
                }
            }
        }
        // The last comes first.
        entries.sort_unstable_by(|one, other| other.file_name().cmp(one.file_name()));
        let depth = place.depth;
        let waiting = |entry| Left::Tell(WalkEntry { entry, depth }, place.clone());
        self.left.extend(entries.into_iter().map(waiting));
        Ok(())
    }

    /// An entry is found: if it is a directory, it is to be read.
    fn tell(&mut self, mut entry: WalkEntry, place: &Place, options: &WalkOptions) {
        self.done += 1;
        // What a link leads to is asked for by its path; one that leads nowhere is a link.
        if options.follows_links
            && entry.file_type().is_symlink()
            && let Ok(leads_to) = std::fs::metadata(entry.path())
        {
            entry.entry.set_file_type(leads_to.file_type().into());
        }
        let is_walked = entry.file_type().is_dir()
            && entry.depth < options.max_depth
            && options.descends.as_ref().is_none_or(|descends| descends(&entry));
        if is_walked {
            self.left.push(Left::Read(place.below(entry.path())));
        }
        self.found.push(Ok(entry));
    }

    fn fail(&mut self, place: &Place, error: io::Error) {
        let operation = Operation::on(super::NAME, &place.path);
        self.found.push(Err(operation.failed(error)));
    }
}

/// All that is to be done by later jobs.
pub(super) struct Rest {
    /// At most as many as there are jobs at a time, since each of them leaves one at most and takes one if
    /// there is one.
    open: Vec<Open>,
    left: Vec<Left>,
}

/// As many directories as a job is given at most: many are empty, or nearly so.
const SHARE: usize = 64;

impl Rest {
    pub(super) fn new(root: Place) -> Self {
        Self { open: Vec::new(), left: vec![Left::Read(root)] }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.left.is_empty()
    }

    /// What the next job has to do, if `jobs` of them share all there is.
    pub(super) fn share(&mut self, jobs: usize, is_sorted: bool) -> Part {
        let len = self.left.len();
        let share = if is_sorted { len } else { len.div_ceil(jobs).min(SHARE) };
        let left = self.left.split_off(len - share);
        Part { open: self.open.pop(), left, ..Part::default() }
    }

    /// Takes what a job has left, and gives what it has found.
    pub(super) fn take(&mut self, part: Part) -> Vec<Item> {
        self.open.extend(part.open);
        self.left.extend(part.left);
        part.found
    }
}

const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<(Part, Arc<WalkOptions>)>();
};
