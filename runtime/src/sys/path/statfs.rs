//! The room of a file system.

/// What the system knows of a file system: see [`statfs`](crate::fs::statfs).
///
/// Sizes are in blocks of [`block_size`](Self::block_size) bytes; [`available`](Self::available) and its
/// like are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatFs {
    pub(super) kind: u64,
    pub(super) block_size: u64,
    pub(super) blocks: u64,
    pub(super) blocks_free: u64,
    pub(super) blocks_available: u64,
    pub(super) files: u64,
    pub(super) files_free: u64,
}

impl StatFs {
    /// The system's number for the kind of file system: on Linux 0xef53 is ext4, 0x01021994 tmpfs.
    pub fn kind(&self) -> u64 {
        self.kind
    }

    /// The bytes of a block.
    pub fn block_size(&self) -> u64 {
        self.block_size
    }

    /// All blocks.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The blocks that are free, those included that are kept for the superuser.
    pub fn blocks_free(&self) -> u64 {
        self.blocks_free
    }

    /// The blocks that are free for everybody.
    pub fn blocks_available(&self) -> u64 {
        self.blocks_available
    }

    /// How many files there can be; 0 where the file system sets no number.
    pub fn files(&self) -> u64 {
        self.files
    }

    /// How many files there can be besides those that are there.
    pub fn files_free(&self) -> u64 {
        self.files_free
    }

    /// All its bytes.
    pub fn total(&self) -> u64 {
        self.bytes(self.blocks)
    }

    /// The bytes that are free, those included that are kept for the superuser.
    pub fn free(&self) -> u64 {
        self.bytes(self.blocks_free)
    }

    /// The bytes that are free for everybody.
    pub fn available(&self) -> u64 {
        self.bytes(self.blocks_available)
    }

    /// A file system may claim to be of any size.
    fn bytes(&self, blocks: u64) -> u64 {
        blocks.saturating_mul(self.block_size)
    }
}
