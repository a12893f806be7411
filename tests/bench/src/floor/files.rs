//! `fs`: the calls themselves, on this thread, or for 64 at a time on as many threads as a pool has.

use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use crate::args::Args;
use crate::report::rate;

const FILES: u64 = 1000;
const LEN: u64 = 1024;
const THREADS: u64 = 4;

pub(super) fn files(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let directory: PathBuf = args.value("dir")?;
    let paths: Vec<PathBuf> = (0..FILES).map(|file| directory.join(format!("f{file}"))).collect();
    let read = |path: &Path| Ok(fs::read(path)?.len() as u64);
    let stat = |path: &Path| Ok(fs::metadata(path)?.len());
    measure("fs_open_read_close_c1", "files", count, 1, &paths, read)?;
    measure("fs_open_read_close_c64", "files", count, THREADS, &paths, read)?;
    measure("fs_stat_c1", "ops", count, 1, &paths, stat)?;
    measure("fs_stat_c64", "ops", count, THREADS, &paths, stat)
}

fn measure(
    name: &str,
    unit: &str,
    count: u64,
    threads: u64,
    paths: &[PathBuf],
    operate: impl Fn(&Path) -> Result<u64> + Copy + Send,
) -> Result<()> {
    let start = Instant::now();
    thread::scope(|scope| {
        let work = |first| {
            move || {
                let numbers = (first..count).step_by(threads as usize);
                numbers.into_iter().try_for_each(|number| {
                    match operate(&paths[(number % FILES) as usize])? {
                        LEN => Ok(()),
                        len => Err(Error::other(format!("a file of {len} bytes"))),
                    }
                })
            }
        };
        let others: Vec<_> = (1..threads).map(|first| scope.spawn(work(first))).collect();
        work(0)()?;
        others.into_iter().try_for_each(|other| other.join().expect("it does not panic"))
    })?;
    rate(name, start, count, unit);
    Ok(())
}
