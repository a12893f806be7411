//! `file`: the calls themselves, one after the other on this thread, whatever the width; with
//! `--how cached` those that never wait, and the others where these fail.

use std::fs::{self, File};
use std::io::{ErrorKind, IoSliceMut, Result};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::ReadWriteFlags;

use crate::args::Args;
use crate::file_work::{BLOCK, FileWork, Operation, SMALL};
use crate::report::unsupported;

pub(super) fn file_work(args: &Args) -> Result<()> {
    let work = FileWork::from_args(args)?;
    let is_cached = args.value_or("how", String::new())? == "cached";
    match work.operation {
        Operation::Block => blocks(&work, if is_cached { read } else { File::read_at }),
        // To cut a file may wait for the journal.
        Operation::Write if is_cached => Err(unsupported("writes from memory")),
        _ => whole_files(&work, if is_cached { from_memory } else { by_std }),
    }
}

fn whole_files(work: &FileWork, operate: fn(Operation, &Path) -> Result<usize>) -> Result<()> {
    let watch = work.watch();
    for number in 0..work.count {
        work.check(operate(work.operation, work.path(number))?)?;
    }
    watch.stop();
    Ok(())
}

fn by_std(operation: Operation, path: &Path) -> Result<usize> {
    match operation {
        Operation::Write => fs::write(path, [b'y'; SMALL]).map(|()| SMALL),
        Operation::Stat => Ok(fs::metadata(path)?.len() as usize),
        _ => Ok(fs::read(path)?.len()),
    }
}

/// By calls that fail where the system would have to wait for a disk. On a busy machine they fail for what
/// is in memory as well, now and then.
fn from_memory(operation: Operation, path: &Path) -> Result<usize> {
    match if_in_memory(operation, path) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => by_std(operation, path),
        other => other,
    }
}

fn if_in_memory(operation: Operation, path: &Path) -> Result<usize> {
    let flags = if operation == Operation::Stat { OFlags::PATH } else { OFlags::RDONLY };
    let file = open(path, flags)?;
    let len = rustix::fs::fstat(&file)?.st_size as usize;
    if operation == Operation::Stat { Ok(len) } else { read(&file, &mut vec![0; len], 0) }
}

fn open(path: &Path, flags: OFlags) -> Result<File> {
    let (flags, mode) = (flags | OFlags::CLOEXEC, Mode::empty());
    let file = rustix::fs::openat2(rustix::fs::CWD, path, flags, mode, ResolveFlags::CACHED)?;
    Ok(File::from(file))
}

fn read(file: &File, bytes: &mut [u8], offset: u64) -> Result<usize> {
    let mut parts = [IoSliceMut::new(bytes)];
    Ok(rustix::io::preadv2(file, &mut parts, offset, ReadWriteFlags::NOWAIT)?)
}

fn blocks(work: &FileWork, read_at: fn(&File, &mut [u8], u64) -> Result<usize>) -> Result<()> {
    let files: Vec<_> = (0..work.width).map(|place| work.open(place)).collect::<Result<_>>()?;
    let mut buffer = [1; BLOCK];
    let watch = work.watch();
    for number in 0..work.count {
        let file = &files[number as usize % files.len()];
        work.check(read_at(file, &mut buffer, work.offset(number))?)?;
    }
    watch.stop();
    Ok(())
}
