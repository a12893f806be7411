//! `file`: the calls themselves, one after the other on this thread, whatever the width; with
//! `--how cached` those that never wait.

use std::fs::{self, File};
use std::io::{Error, IoSliceMut, Result};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::ReadWriteFlags;

use crate::args::Args;
use crate::file_work::{FileWork, Operation, SMALL};

pub(super) fn file_work(args: &Args) -> Result<()> {
    let work = FileWork::from_args(args)?;
    match (work.operation, args.value_or("how", "std".to_owned())?.as_str()) {
        (Operation::Block | Operation::Span, how) => read_at(&work, how == "cached"),
        (_, "cached") => work.measure(|| each(&work, from_memory)),
        _ => work.measure(|| each(&work, operate)),
    }
}

fn each(work: &FileWork, operate: impl Fn(&FileWork, &Path) -> Result<usize>) -> Result<()> {
    (0..work.count).try_for_each(|number| work.check(operate(work, work.path(number))?))
}

fn operate(work: &FileWork, path: &Path) -> Result<usize> {
    match work.operation {
        Operation::Write => fs::write(path, [b'y'; SMALL]).map(|()| SMALL),
        Operation::Stat => Ok(fs::metadata(path)?.len() as usize),
        _ => Ok(fs::read(path)?.len()),
    }
}

/// By calls that fail where the system would have to wait for a disk.
fn from_memory(work: &FileWork, path: &Path) -> Result<usize> {
    match work.operation {
        Operation::Stat => {
            let file = open(path, OFlags::PATH)?;
            Ok(rustix::fs::fstat(&file)?.st_size as usize)
        }
        Operation::Read | Operation::Large => {
            let file = open(path, OFlags::RDONLY)?;
            let len = rustix::fs::fstat(&file)?.st_size as usize;
            let mut bytes = vec![0; len];
            read(&file, &mut bytes, 0)
        }
        // A file is cut by a journal, which may wait.
        _ => Err(Error::from(std::io::ErrorKind::Unsupported)),
    }
}

fn open(path: &Path, flags: OFlags) -> Result<File> {
    let flags = flags | OFlags::CLOEXEC;
    let file =
        rustix::fs::openat2(rustix::fs::CWD, path, flags, Mode::empty(), ResolveFlags::CACHED)?;
    Ok(File::from(file))
}

fn read(file: &File, bytes: &mut [u8], offset: u64) -> Result<usize> {
    let mut parts = [IoSliceMut::new(bytes)];
    Ok(rustix::io::preadv2(file, &mut parts, offset, ReadWriteFlags::NOWAIT)?)
}

fn read_at(work: &FileWork, is_cached: bool) -> Result<()> {
    let files: Vec<_> = (0..work.width).map(|place| work.open(place)).collect::<Result<_>>()?;
    let mut buffers = vec![vec![1; work.len()]; files.len()];
    work.measure(|| {
        for number in 0..work.count {
            let (at, offset) = (number as usize % files.len(), work.offset(number));
            let (file, buffer) = (&files[at], &mut buffers[at]);
            let read =
                if is_cached { read(file, buffer, offset) } else { file.read_at(buffer, offset) };
            work.check(read?)?;
        }
        Ok(())
    })
}
