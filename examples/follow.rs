//! `tail -F`: prints what is appended to a file, through truncation and replacement, as logs are rotated.
//!
//! ```text
//! cargo run -p examples --example follow -- /var/log/syslog
//! ```
//!
//! prints each new line until ctrl-c; with `--lines 3` before the path it ends after three.
//!
//! A change is told by the system, and only says "look": how the file is now is asked of the file.
//! It is read on the pool, since a disk may be slow.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use runtime::handle::{FsChange, FsEvent, FsEventOptions};
use runtime::spawn_blocking;

#[runtime::main]
async fn main() -> runtime::Result {
    let (path, mut lines) = arguments()?;
    // Watched first, opened then: nothing can happen in between unseen.
    let event = FsEvent::new();
    event.watch(&path, FsEventOptions::new())?;
    let mut file = File::open(&path)?;
    file.seek(SeekFrom::End(0))?;
    let mut file = Some(file);
    eprintln!("following {}", path.display());

    while lines != Some(0) {
        if event.changed().await? == FsChange::Gone {
            return Err(format!("the directory of {} is gone", path.display()).into());
        }
        let (news, now) = spawn_blocking({
            let path = path.clone();
            move || look(file, &path)
        })
        .await??;
        file = now;
        print(&news, &mut lines)?;
    }
    Ok(())
}

/// What is new, and the file that is at the path now, read to its end.
fn look(file: Option<File>, path: &Path) -> io::Result<(Vec<u8>, Option<File>)> {
    let mut news = Vec::new();
    let mut at_the_path = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let (news, file) = news_of(file, news)?;
            // Rotated away, and the new one is not there yet: until it is, the old one may be written to.
            // One that was removed is let go: the end of its directory is not told while it is open.
            return Ok((news, file.filter(has_a_name)));
        }
        Err(error) => return Err(error),
    };
    if let Some(mut file) = file {
        let (before, now) = (file.metadata()?, at_the_path.metadata()?);
        let is_truncated = now.len() < file.stream_position()?;
        if is_same_file(&before, &now) {
            if is_truncated {
                file.rewind()?;
            }
            at_the_path = file;
        } else {
            file.read_to_end(&mut news)?;
        }
    }
    news_of(Some(at_the_path), news)
}

/// Appends what was not read yet.
fn news_of(mut file: Option<File>, mut news: Vec<u8>) -> io::Result<(Vec<u8>, Option<File>)> {
    if let Some(file) = &mut file {
        file.read_to_end(&mut news)?;
    }
    Ok((news, file))
}

/// The one that was opened before is open still, so its number is not used for another.
#[cfg(unix)]
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    one.created().ok() == other.created().ok()
}

/// Whether a path leads to it still.
#[cfg(unix)]
fn has_a_name(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|now| now.nlink() > 0)
}

#[cfg(not(unix))]
fn has_a_name(_file: &File) -> bool {
    true
}

/// Prints `bytes`, as many lines of them as are `left` at most.
fn print(bytes: &[u8], left: &mut Option<usize>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if *left == Some(0) {
            break;
        }
        out.write_all(line)?;
        if let Some(left) = left
            && line.ends_with(b"\n")
        {
            *left -= 1;
        }
    }
    out.flush()
}

fn arguments() -> runtime::Result<(PathBuf, Option<usize>)> {
    const USAGE: &str = "usage: follow [--lines N] PATH";
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next().ok_or(USAGE)?;
    if first != "--lines" {
        return Ok((first.into(), None));
    }
    let lines = arguments.next().ok_or(USAGE)?;
    let lines = lines.to_str().and_then(|lines| lines.parse().ok()).ok_or(USAGE)?;
    Ok((arguments.next().ok_or(USAGE)?.into(), Some(lines)))
}
