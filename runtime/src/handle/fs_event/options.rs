//! How a path is watched.

/// Options of [`FsEvent::start`](super::FsEvent::start).
///
/// # Examples
/// ```
/// use runtime::handle::{FsEvent, FsEventOptions};
///
/// #[runtime::main]
/// fn main() -> std::io::Result<()> {
///     let event = FsEvent::new();
///     event.start(".", FsEventOptions::new().recursive(true), |_, change| println!("{change:?}"))?;
///     event.stop();
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "options do nothing by themselves"]
pub struct FsEventOptions {
    pub(super) is_recursive: bool,
    pub(super) queue_size: usize,
}

/// As many as the kernel's own queue has by default.
const QUEUE_SIZE: usize = 16_384;

impl FsEventOptions {
    /// Not recursive; a queue of 16,384 changes.
    pub fn new() -> Self {
        Self { is_recursive: false, queue_size: QUEUE_SIZE }
    }

    /// Watches all directories below the path as well, those that will be made included. Links to
    /// directories are not followed. On a file it has no meaning.
    ///
    /// On Linux that is a watch for each directory. They are set, and the tree is read, by `start`, on
    /// this thread.
    pub fn recursive(mut self, on: bool) -> Self {
        self.is_recursive = on;
        self
    }

    /// How many changes are kept for [`changed`](super::FsEvent::changed); at least 1. What comes when
    /// the queue is full is lost, and told as one [`Overflow`](super::FsChange::Overflow) at its place.
    /// Callbacks need no queue.
    pub fn queue_size(mut self, changes: usize) -> Self {
        self.queue_size = changes.max(1);
        self
    }
}

impl Default for FsEventOptions {
    fn default() -> Self {
        Self::new()
    }
}
