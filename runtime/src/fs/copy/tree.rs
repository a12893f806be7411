//! A tree is copied, in the pool.

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::job;
use super::options::{CopyOptions, Rules};
use super::progress::{self, Meter};
use crate::error::Cancelled;
use crate::fs::operation::Operation;
use crate::request::Request;
use crate::sys::{self, Directory, FileType, Found};

/// What [`copy_dir_all`] has copied.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Copied {
    /// Regular files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Directories, the topmost included.
    pub dirs: u64,
    /// Symbolic links.
    pub links: u64,
    /// What could not be copied, if the copy was to [keep going](CopyOptions::keep_going): an
    /// [`Error`](crate::fs::Error) in each names both paths.
    pub errors: Vec<io::Error>,
}

/// Copies a directory and all that is in it. As [`copy_dir_all_with`], with the options as they are.
///
/// # Panics
/// If this thread has no current loop.
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn copy_dir_all(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Request<Copied> {
    copy_dir_all_with(from, to, CopyOptions::new())
}

/// Copies a directory and all that is in it, by one job, each file as [`copy_with`](super::copy_with) does
/// it. Links are copied as links, to the same place. A directory that is at `to` already is merged with:
/// it keeps its permissions, and what it has besides.
///
/// It is carried out even if the request is dropped, and keeps the loop alive until then;
/// [`cancel`](Request::cancel) ends it before the next entry, or within 4 MiB of a file. What was made by
/// then stays, no half of a new file among it.
///
/// # Ordering
/// As [`copy_with`](super::copy_with).
///
/// # Errors
/// The first ends it, with both paths in the [`Error`](crate::fs::Error) it has; unless it is to
/// [keep going](CopyOptions::keep_going). `InvalidInput` if `to` is inside of `from`; the same for what is
/// neither file, directory nor link: FIFOs, sockets and devices are not copied. A link in the place of a
/// directory in `to` is not followed: `AlreadyExists`.
///
/// # Panics
/// If this thread has no current loop.
///
/// # Examples
/// ```no_run
/// use runtime::fs::{self, CopyOptions};
///
/// #[runtime::main]
/// async fn main() -> runtime::Result {
///     let options = CopyOptions::new().keep_going(true);
///     let copied = fs::copy_dir_all_with("photos", "/mnt/photos", options).await?;
///     println!("{} files", copied.files);
///     copied.errors.iter().for_each(|error| eprintln!("{error}"));
///     Ok(())
/// }
/// ```
#[must_use = "await it, give it a callback, or `detach` it"]
#[track_caller]
pub fn copy_dir_all_with(
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
    options: CopyOptions,
) -> Request<Copied> {
    let operation = Operation::between(NAME, from, to);
    let (rules, paths) = (options.rules, operation.clone());
    progress::submit(
        options.progress,
        |job| operation.act_in_steps(move |_, steps| job(steps)),
        move |meter| {
            check_apart(&paths.path, paths.target())?;
            let mut copying = Copying { rules, meter, copied: Copied::default(), left: Vec::new() };
            copying.left.push(Left::Dir(paths.path.clone(), paths.target().to_owned()));
            copying.run()?;
            Ok(copying.copied)
        },
    )
}

const NAME: &str = "copy_dir_all";

/// A tree that is copied into itself would have no end.
fn check_apart(from: &Path, to: &Path) -> io::Result<()> {
    let from = std::fs::canonicalize(from)?;
    let above = to.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // If there is nothing at all the copy will say so.
    let there = std::fs::canonicalize(to).or_else(|_| std::fs::canonicalize(above));
    if there.is_ok_and(|there| there.starts_with(&from)) {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "a directory can't be copied into itself",
        ));
    }
    Ok(())
}

struct Copying<'a> {
    rules: Rules,
    meter: &'a Meter<'a>,
    copied: Copied,
    /// What is left to do, the next last.
    left: Vec<Left>,
}

enum Left {
    Dir(PathBuf, PathBuf),
    /// All of a directory that was made is copied: what it has of the other.
    Finish(PathBuf, PathBuf, Metadata),
}

impl Copying<'_> {
    fn run(&mut self) -> io::Result<()> {
        while let Some(left) = self.left.pop() {
            match left {
                Left::Dir(from, to) => {
                    let is_top = self.copied.dirs == 0;
                    match self.dir(&from, &to, is_top).map_err(|error| named(&from, &to, error)) {
                        // Nothing can be copied.
                        Err(error) if is_top && self.copied.dirs == 0 => return Err(error),
                        done => self.note(done)?,
                    }
                }
                Left::Finish(from, to, known) => {
                    let done = self.finish(&to, &known).map_err(|error| named(&from, &to, error));
                    self.note(done)?;
                }
            }
        }
        Ok(())
    }

    /// An error ends it, or is noted.
    fn note(&mut self, done: io::Result<()>) -> io::Result<()> {
        match done {
            Err(error) if self.rules.goes_on && !Cancelled::is_in(&error) => {
                self.copied.errors.push(error);
                Ok(())
            }
            done => done,
        }
    }

    fn dir(&mut self, from: &Path, to: &Path, is_top: bool) -> io::Result<()> {
        let mut directory = Directory::open(from, is_top)?;
        let known = std::fs::metadata(from)?;
        if self.make(to, &known, is_top)? {
            self.left.push(Left::Finish(from.to_owned(), to.to_owned(), known));
        }
        self.copied.dirs += 1;
        while let Some(found) = directory.next() {
            self.meter.go_on()?;
            let Found { name, file_type } = found?;
            let (from, to) = (from.join(&name), to.join(&name));
            if file_type.is_dir() {
                self.left.push(Left::Dir(from, to));
            } else {
                let done = self.entry(&from, &to, file_type);
                self.note(done.map_err(|error| named(&from, &to, error)))?;
            }
        }
        Ok(())
    }

    /// Makes the directory `to`; false if it is there. Until all is copied it can be written to.
    fn make(&self, to: &Path, known: &Metadata, is_top: bool) -> io::Result<bool> {
        match builder(known, self.rules).create(to) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let there =
                    if is_top { std::fs::metadata(to)? } else { std::fs::symlink_metadata(to)? };
                if there.is_dir() { Ok(false) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    }

    fn finish(&self, to: &Path, known: &Metadata) -> io::Result<()> {
        #[cfg(unix)]
        if self.rules.keeps_times {
            std::fs::File::open(to)?.set_times(job::times(known))?;
        }
        if self.rules.drops_permissions {
            return Ok(());
        }
        std::fs::set_permissions(to, known.permissions())
    }

    fn entry(&mut self, from: &Path, to: &Path, file_type: FileType) -> io::Result<()> {
        if file_type.is_symlink() {
            self.link(from, to)?;
            self.copied.links += 1;
        } else {
            self.copied.bytes += job::copy(from, to, self.rules, self.meter)?;
            self.copied.files += 1;
        }
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        let leads_to = std::fs::read_link(from)?;
        match sys::symlink(&leads_to, to, from) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && !self.rules.is_exclusive => {
                std::fs::remove_file(to)?;
                sys::symlink(&leads_to, to, from)
            }
            done => done,
        }
    }
}

fn named(from: &Path, to: &Path, error: io::Error) -> io::Error {
    Operation::between(NAME, from, to).failed(error)
}

#[cfg(unix)]
fn builder(known: &Metadata, rules: Rules) -> std::fs::DirBuilder {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let mut builder = std::fs::DirBuilder::new();
    builder.mode(if rules.drops_permissions { 0o777 } else { known.mode() & 0o777 | 0o700 });
    builder
}

#[cfg(not(unix))]
fn builder(_: &Metadata, _: Rules) -> std::fs::DirBuilder {
    std::fs::DirBuilder::new()
}
