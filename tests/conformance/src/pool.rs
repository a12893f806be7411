//! Calls on the thread pool, and the files they are made on.

use crate::program::PoolCall;
use runtime::{JoinError, Request, fs};
use std::{
    env,
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read},
    net::ToSocketAddrs,
    path::PathBuf,
    process,
};

const FILE_BYTES: usize = 1000;
const RANDOM_BYTES: usize = 64;
/// Takes about a millisecond.
const HASH_ROUNDS: u64 = 100_000;

/// A directory of this process with one file in it, removed on drop.
#[derive(Debug)]
pub(crate) struct Sandbox {
    directory: PathBuf,
}

impl Sandbox {
    pub(crate) fn new() -> io::Result<Sandbox> {
        let sandbox =
            Sandbox { directory: env::temp_dir().join(format!("trace-{}", process::id())) };
        // One of a process that was killed and had the same id may still be there.
        std::fs::create_dir_all(&sandbox.directory)?;
        std::fs::write(sandbox.file(), [0; FILE_BYTES])?;
        Ok(sandbox)
    }

    fn file(&self) -> PathBuf {
        self.directory.join("file")
    }

    fn missing(&self) -> PathBuf {
        self.directory.join("missing")
    }

    /// Starts `call`; `done` is the callback of its completion.
    pub(crate) fn start(
        &self,
        call: PoolCall,
        done: impl FnOnce(io::Result<()>) -> runtime::Result + 'static,
    ) {
        match call {
            PoolCall::Stat => call_back(fs::metadata(self.file()), done),
            PoolCall::Missing => call_back(fs::metadata(self.missing()), done),
            PoolCall::Read => call_back(fs::read(self.file()), done),
            PoolCall::ReadMissing => call_back(fs::read(self.missing()), done),
            PoolCall::Access => {
                let file = self.file();
                start_job(move || file.metadata().map(drop), done);
            }
            PoolCall::OpenClose => {
                let file = self.file();
                start_job(move || File::open(file).map(drop), done);
            }
            PoolCall::Random => {
                start_job(|| File::open("/dev/urandom")?.read_exact(&mut [0; RANDOM_BYTES]), done)
            }
            PoolCall::Pbkdf2 => start_job(hash_for_a_while, done),
            PoolCall::Dns => start_job(|| ("localhost", 0).to_socket_addrs().map(drop), done),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            eprintln!("trace: {}: {error}", self.directory.display());
        }
    }
}

fn call_back<T: 'static>(
    request: Request<T>,
    done: impl FnOnce(io::Result<()>) -> runtime::Result + 'static,
) {
    request.callback(|result| done(result.map(drop)));
}

fn start_job(
    job: impl FnOnce() -> io::Result<()> + Send + 'static,
    done: impl FnOnce(io::Result<()>) -> runtime::Result + 'static,
) {
    let failed = |error: JoinError| Err(io::Error::from(error));
    runtime::spawn_blocking(job).callback(move |result| done(result.unwrap_or_else(failed)));
}

fn hash_for_a_while() -> io::Result<()> {
    let mut hasher = DefaultHasher::new();
    (0..HASH_ROUNDS).for_each(|round| round.hash(&mut hasher));
    std::hint::black_box(hasher.finish());
    Ok(())
}
