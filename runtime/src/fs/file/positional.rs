//! Reading and writing at an offset: side by side, whatever the position is.

use std::io;

use super::File;
use super::open_file::OpenFile;
use super::pieces;
use crate::request::Request;
use crate::sys;

/// As much is asked for ahead of what was read: a length may be anybody's claim.
const GROWTH: usize = 1024 * 1024;

/// An offset as the system takes it.
fn checked(offset: u64) -> io::Result<u64> {
    match i64::try_from(offset) {
        Ok(_) => Ok(offset),
        Err(_) => {
            let why = format!("the offset {offset} is more than the system takes (2^63 - 1)");
            Err(io::Error::new(io::ErrorKind::InvalidInput, why))
        }
    }
}

/// What fails when a file ends before what was asked for.
fn ended_early(read: usize, wanted: usize) -> io::Error {
    let why = format!("the file ended after {read} of {wanted} bytes");
    io::Error::new(io::ErrorKind::UnexpectedEof, why)
}

/// Where `done` bytes behind `offset` is.
fn behind(offset: u64, done: usize) -> io::Result<u64> {
    checked(offset.saturating_add(done as u64))
}

/// Reads and writes at an offset. Any number of them run at a time, in any order, and none of them uses
/// or moves the file's position.
///
/// # Platform notes
/// On Windows they do move the position: there, use either these or those at the position.
impl File {
    /// Reads into `buffer`, as many bytes as it is long, from `offset` on: it comes back with the number
    /// of bytes that were read. 0 is the end of the file, or an empty buffer; less than asked for need
    /// not be the end.
    ///
    /// The bytes behind those that were read are as they were. A failed read takes the buffer along.
    ///
    /// # Errors
    /// Those of the system; `InvalidInput` if `offset` is more than 2^63 - 1.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropped before it began it reads nothing. The position does not move in any case.
    ///
    /// # Examples
    /// ```
    /// use runtime::fs::File;
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let file = File::open("Cargo.toml").await?;
    ///     let (bytes, read) = file.read_at(vec![0; 9], 0).await?;
    ///     assert_eq!(&bytes[..read], b"[package]");
    ///     Ok(())
    /// }
    /// ```
    #[must_use = "await it, give it a callback, or nothing is read"]
    #[track_caller]
    pub fn read_at(&self, mut buffer: Vec<u8>, offset: u64) -> Request<(Vec<u8>, usize)> {
        self.open_file().ask("read_at", move |open| {
            let read = sys::read_at(&open.file, &mut buffer, checked(offset)?)?;
            Ok((buffer, read))
        })
    }

    /// Reads just `length` bytes from `offset` on, by as many calls as it takes.
    ///
    /// Memory is taken as the file gives bytes, so a length that is more than the file has costs none.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before, besides those of [`read_at`](Self::read_at).
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// As [`read_at`](Self::read_at).
    #[must_use = "await it, give it a callback, or nothing is read"]
    #[track_caller]
    pub fn read_exact_at(&self, length: usize, offset: u64) -> Request<Vec<u8>> {
        self.open_file().ask("read_exact_at", move |open| {
            let mut bytes = Vec::new();
            while bytes.len() < length {
                // Not more than is left: what is read must fit what was asked for.
                bytes.reserve_exact((length - bytes.len()).min(GROWTH.max(bytes.len())));
                let at = behind(offset, bytes.len())?;
                if sys::append_at(&open.file, &mut bytes, at)? == 0 {
                    return Err(ended_early(bytes.len(), length));
                }
            }
            bytes.truncate(length);
            Ok(bytes)
        })
    }

    /// Reads into the buffers, one after the other, each as long as it is. They come back with the number
    /// of bytes read in all. More of them than the system takes at once (1,024 on most) are read by
    /// several calls, until one of these brings less than it could.
    ///
    /// # Errors
    /// Those of the system; `InvalidInput` if `offset` is more than 2^63 - 1.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// As [`read_at`](Self::read_at).
    #[must_use = "await it, give it a callback, or nothing is read"]
    #[track_caller]
    pub fn read_vectored_at(
        &self,
        mut buffers: Vec<Vec<u8>>,
        offset: u64,
    ) -> Request<(Vec<Vec<u8>>, usize)> {
        self.open_file().ask("read_vectored_at", move |open| {
            let mut at = checked(offset)?;
            let read = pieces::read_all(&mut buffers, sys::BUFFERS_PER_CALL_AT, |slices| {
                let read = sys::read_vectored_at(&open.file, slices, at)?;
                at = behind(at, read)?;
                Ok(read)
            })?;
            Ok((buffers, read))
        })
    }

    /// Writes at `offset`, in one call, and gives the number of bytes that were written: mostly all, but
    /// less if the disk is full or the system takes no more at once (2 GiB - 4 KiB on Linux).
    /// [`write_all_at`](Self::write_all_at) goes on until all is written.
    ///
    /// It is carried out even if the request is dropped, and keeps the loop alive until then. A file
    /// [opened to append](super::OpenOptions::append) is written at its end on Linux, whatever `offset` says.
    ///
    /// # Errors
    /// Those of the system; `InvalidInput` if `offset` is more than 2^63 - 1.
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropping the request changes nothing.
    #[track_caller]
    pub fn write_at(&self, bytes: impl Into<Vec<u8>>, offset: u64) -> Request<usize> {
        let bytes = bytes.into();
        self.open_file()
            .change("write_at", move |open| sys::write_at(&open.file, &bytes, checked(offset)?))
    }

    /// Writes all of `bytes` at `offset`, by as many calls as it takes. As
    /// [`write_at`](Self::write_at) otherwise; if it fails, a part may have been written.
    ///
    /// # Errors
    /// `WriteZero` if the system takes no more and says no reason, besides those of
    /// [`write_at`](Self::write_at).
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropping the request changes nothing.
    ///
    /// # Examples
    /// ```
    /// use runtime::fs::File;
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     # let path = std::env::temp_dir().join(format!("write-all-at-{}", std::process::id()));
    ///     let file = File::create_new(&path).await?;
    ///     let halves = (file.write_all_at("one ", 0), file.write_all_at("two", 4));
    ///     halves.0.await?;
    ///     halves.1.await?;
    ///     assert_eq!(file.read_exact_at(7, 0).await?, b"one two");
    ///     # std::fs::remove_file(path)
    /// }
    /// ```
    #[track_caller]
    pub fn write_all_at(&self, bytes: impl Into<Vec<u8>>, offset: u64) -> Request<()> {
        let bytes = bytes.into();
        self.open_file().change("write_all_at", move |open| write_all_at(open, &bytes, offset))
    }

    /// Writes all buffers, one after the other, at `offset`, by as many calls as it takes. As
    /// [`write_all_at`](Self::write_all_at) otherwise.
    ///
    /// # Errors
    /// Those of [`write_all_at`](Self::write_all_at).
    ///
    /// # Panics
    /// If this thread has no current loop.
    ///
    /// # Cancel safety
    /// Dropping the request changes nothing.
    #[track_caller]
    pub fn write_vectored_at(&self, buffers: Vec<Vec<u8>>, offset: u64) -> Request<()> {
        self.open_file().change("write_vectored_at", move |open| {
            let mut at = checked(offset)?;
            pieces::write_all(&buffers, sys::BUFFERS_PER_CALL_AT, |slices| {
                let written = sys::write_vectored_at(&open.file, slices, at)?;
                at = behind(at, written)?;
                Ok(written)
            })
        })
    }
}

fn write_all_at(open: &OpenFile, mut bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut at = checked(offset)?;
    while !bytes.is_empty() {
        let written = sys::write_at(&open.file, bytes, at)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        at = behind(at, written)?;
    }
    Ok(())
}
