//! The SHA-256 of all files of a tree, on four threads, with a progress bar.
//!
//! ```text
//! cargo run --release -p examples --example hash_files -- DIRECTORY [THREADS]
//! ```
//!
//! prints what `sha256sum` prints, in the order in which the files are done, and what can't be read. The
//! bar is on standard error, if that is a terminal. Ctrl-C ends it within a block of 256 KiB. It exits
//! with 1 if anything went wrong.
//!
//! Files wait in a pool of their own, 64 at most: a tree of millions takes no more memory than that, and
//! the walk, which goes on in the loop's own pool, never waits behind a large file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use runtime::sync::{AbortController, AbortFlag};
use runtime::{JoinSet, Pool, fs, signal};
use sha2::{Digest, Sha256};

const BLOCK: usize = 256 * 1024;
const WAITING: usize = 64;
const BAR: &str = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {msg}";

type Hashed = (PathBuf, io::Result<String>);

#[runtime::main(exit = "main")]
async fn main() -> runtime::Result<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let root = arguments.next().ok_or("usage: hash_files DIRECTORY [THREADS]")?;
    let threads = match arguments.next() {
        Some(text) => {
            let number = text.to_str().and_then(|text| text.parse().ok()).filter(|n| *n > 0);
            number.ok_or_else(|| format!("{text:?} is no number of threads"))?
        }
        None => 4,
    };
    let pool = Pool::new(threads);
    pool.set_queue_limit(WAITING);

    let controller = AbortController::new();
    let signal = controller.signal();
    let (stop, aborted) = (controller.clone(), signal.flag());
    signal::ctrl_c().callback(move |_| stop.abort());

    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(BAR)?);
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut tally = Tally { bar: bar.clone(), files: 0, failures: 0 };

    let hashing = JoinSet::new();
    let mut walk = fs::walk(&root);
    while let Some(entry) = walk.next_entry().await {
        match entry {
            Ok(entry) if entry.file_type().is_file() => {
                // Here it waits while the pool is full.
                let place = pool.reserve().await?;
                let (path, bar, aborted) = (entry.path(), bar.clone(), aborted.clone());
                let job = place.spawn_blocking(move || {
                    let hash = hash(&path, &bar, &aborted);
                    (path, hash)
                });
                hashing.spawn(job);
            }
            Ok(_) => {}
            Err(error) => tally.failed(&error),
        }
        while let Some(done) = hashing.try_join_next() {
            tally.count(done??);
        }
        if signal.is_aborted() {
            break;
        }
    }
    while let Some(done) = hashing.join_next().await {
        tally.count(done??);
    }
    bar.finish_and_clear();
    eprintln!("{} files, {} failures", tally.files, tally.failures);
    Ok(if tally.failures > 0 || signal.is_aborted() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// On a thread of the pool.
fn hash(path: &Path, bar: &ProgressBar, aborted: &AbortFlag) -> io::Result<String> {
    let mut file = File::open(path)?;
    bar.inc_length(file.metadata()?.len());
    let (mut hasher, mut block) = (Sha256::new(), vec![0; BLOCK]);
    loop {
        aborted.check()?;
        match file.read(&mut block)? {
            0 => break,
            read => {
                hasher.update(&block[..read]);
                bar.inc(read as u64);
            }
        }
    }
    Ok(format!("{:x}", hasher.finalize()))
}

/// What came of it.
struct Tally {
    bar: ProgressBar,
    files: usize,
    failures: usize,
}

impl Tally {
    fn count(&mut self, (path, hash): Hashed) {
        match hash {
            Ok(hash) => {
                self.files += 1;
                self.bar.suspend(|| println!("{hash}  {}", path.display()));
            }
            Err(error) => self.failed(&format!("{}: {error}", path.display())),
        }
    }

    fn failed(&mut self, error: &dyn std::fmt::Display) {
        self.failures += 1;
        self.bar.suspend(|| eprintln!("{error}"));
    }
}
