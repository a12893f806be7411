//! One file is copied, in the pool.

use std::fs::{File, FileTimes, Metadata};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

use super::options::{Reflink, Rules};
use super::progress::Meter;
use crate::sys::{self, KernelCopy};

/// What is copied between two looks whether to go on: some milliseconds of a disk.
const STEP: usize = 4 << 20;

/// Where the kernel does not copy.
const BUFFER: usize = 256 << 10;

/// Copies a file, and gives the count of its bytes; 0 if both paths lead to one file.
pub(super) fn copy(from: &Path, to: &Path, rules: Rules, meter: &Meter<'_>) -> io::Result<u64> {
    meter.go_on()?;
    let source = sys::open_to_read(from)?;
    let known = source.metadata()?;
    check(&known)?;
    let target = Target::open(to, &known, rules)?;
    let there = target.file.metadata()?;
    if sys::is_same_file(&known, &there) && !target.is_made {
        return Ok(0);
    }
    if !target.is_made {
        check(&there)?;
        target.file.set_len(0)?;
    }
    meter.expect(known.len());
    let copied = Copying { from: &source, to: &target.file, known: &known, meter }
        .run(rules)
        .and_then(|copied| finish(&target.file, &known, rules).map(|()| copied));
    if copied.is_err() && target.is_made {
        target.remove(to);
    }
    copied
}

/// Only regular files: what else would be read or written has no end, or waits for somebody.
fn check(file: &Metadata) -> io::Result<()> {
    if file.is_dir() {
        Err(sys::is_a_directory())
    } else if !file.is_file() {
        Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"))
    } else {
        Ok(())
    }
}

struct Target {
    file: File,
    is_made: bool,
}

impl Target {
    fn open(path: &Path, known: &Metadata, rules: Rules) -> io::Result<Self> {
        let mode = if rules.drops_permissions { 0o666 } else { mode(known) };
        // What is there may go, and come, between the two.
        let mut tries = 0;
        loop {
            match sys::make_file(path, mode) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && !rules.is_exclusive => {}
                made => return Ok(Self { file: made?, is_made: true }),
            }
            tries += 1;
            match sys::open_to_write(path) {
                Err(error) if error.kind() == ErrorKind::NotFound && tries < 16 => {
                    // A link that leads nowhere yet: what it leads to is made.
                    if std::fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink()) {
                        let file =
                            File::options().write(true).create(true).truncate(false).open(path)?;
                        return Ok(Self { file, is_made: false });
                    }
                }
                there => return Ok(Self { file: there?, is_made: false }),
            }
        }
    }

    /// Removes the file that was made; not what somebody has put in its place since.
    fn remove(&self, path: &Path) {
        let is_ours = || {
            Ok::<_, io::Error>(sys::is_same_file(
                &self.file.metadata()?,
                &std::fs::symlink_metadata(path)?,
            ))
        };
        if is_ours().unwrap_or(false) {
            // The error of the copy is the one to tell.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(unix)]
fn mode(known: &Metadata) -> u32 {
    use std::os::unix::fs::MetadataExt;
    known.mode() & 0o777
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> u32 {
    0
}

/// The copy is made: what else it has of the file.
fn finish(to: &File, known: &Metadata, rules: Rules) -> io::Result<()> {
    if rules.keeps_times {
        to.set_times(times(known))?;
    }
    if rules.drops_permissions { Ok(()) } else { to.set_permissions(known.permissions()) }
}

pub(super) fn times(known: &Metadata) -> FileTimes {
    let mut times = FileTimes::new();
    if let Ok(accessed) = known.accessed() {
        times = times.set_accessed(accessed);
    }
    if let Ok(modified) = known.modified() {
        times = times.set_modified(modified);
    }
    times
}

struct Copying<'a> {
    from: &'a File,
    to: &'a File,
    known: &'a Metadata,
    meter: &'a Meter<'a>,
}

impl Copying<'_> {
    fn run(&self, rules: Rules) -> io::Result<u64> {
        if rules.reflink != Reflink::Never {
            match sys::share_blocks(self.from, self.to) {
                Ok(()) => {
                    self.meter.copied(self.known.len());
                    return Ok(self.known.len());
                }
                Err(error) if rules.reflink == Reflink::Force => return Err(error),
                Err(_) => {}
            }
        }
        let mut way = KernelCopy::best(rules.reflink != Reflink::Never);
        if sys::is_sparse(self.known) {
            self.extents(&mut way)
        } else {
            self.bytes(u64::MAX, &mut way)
        }
    }

    /// Copies what is no hole. The holes are made by the length.
    fn extents(&self, way: &mut Option<KernelCopy>) -> io::Result<u64> {
        let (len, mut position) = (self.known.len(), 0);
        while position < len
            && let Some(extent) = sys::next_extent(self.from, position)?
        {
            self.meter.copied(extent.start.min(len).saturating_sub(position));
            position = extent.end.min(len);
            for mut file in [self.from, self.to] {
                file.seek(SeekFrom::Start(extent.start))?;
            }
            self.bytes(position.saturating_sub(extent.start), way)?;
        }
        self.to.set_len(len)?;
        self.meter.copied(len.saturating_sub(position));
        Ok(len)
    }

    /// Copies `len` bytes, or as many as there are.
    fn bytes(&self, len: u64, way: &mut Option<KernelCopy>) -> io::Result<u64> {
        let (mut left, mut buffer) = (len, Vec::new());
        while left > 0 {
            self.meter.go_on()?;
            let step = usize::try_from(left).map_or(STEP, |left| left.min(STEP));
            let copied = match *way {
                Some(by) => match by.copy(self.from, self.to, step)? {
                    // A file may say that it is empty, and have something when it is read, as in /proc.
                    Some(copied) if copied > 0 || left < len => copied,
                    _ => {
                        *way = by.next();
                        continue;
                    }
                },
                None => self.by_hand(&mut buffer, step)?,
            };
            if copied == 0 {
                break;
            }
            left -= copied as u64;
            self.meter.copied(copied as u64);
        }
        Ok(len - left)
    }

    fn by_hand(&self, buffer: &mut Vec<u8>, step: usize) -> io::Result<usize> {
        if buffer.is_empty() {
            *buffer = vec![0; BUFFER];
        }
        let (mut to, len) = (self.to, step.min(BUFFER));
        let read = sys::read(self.from, &mut buffer[..len])?;
        to.write_all(&buffer[..read])?;
        Ok(read)
    }
}
