//! The lines of a file.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::File;
use crate::fs::text::text;

/// The lines of a file, from its position on: [`File::lines`].
#[derive(Debug)]
pub struct Lines {
    file: File,
    /// What is here of the next line.
    begun: Vec<u8>,
}

impl File {
    /// The lines from the position on, without their ends: `\n` or `\r\n`.
    ///
    /// The position is always that behind the last line that was given out.
    ///
    /// # Examples
    /// ```
    /// use runtime::fs::File;
    ///
    /// #[runtime::main]
    /// async fn main() -> std::io::Result<()> {
    ///     let mut lines = File::open("Cargo.toml").await?.lines();
    ///     assert_eq!(lines.next_line().await?.as_deref(), Some("[package]"));
    ///     Ok(())
    /// }
    /// ```
    pub fn lines(&self) -> Lines {
        Lines { file: self.clone(), begun: Vec::new() }
    }
}

impl Lines {
    /// The next line; `None` at the end of the file.
    ///
    /// # Errors
    /// Those of the system; `InvalidData` if the line is not UTF-8, and the next call gives the one behind it.
    ///
    /// # Panics
    /// If polled where there is no current loop.
    ///
    /// # Cancel safety
    /// Nothing is lost: the part of a line that was read is kept in here.
    pub async fn next_line(&mut self) -> io::Result<Option<String>> {
        poll_fn(|cx| self.poll_next_line(cx)).await
    }

    fn poll_next_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<String>>> {
        let Self { file, begun } = self;
        let has_one = std::task::ready!(file.open_file().poll_by(cx, |buffers| {
            let take = |ahead: &[u8]| {
                let end = ahead.iter().position(|byte| *byte == b'\n');
                let length = end.map_or(ahead.len(), |at| at + 1);
                begun.extend_from_slice(&ahead[..length]);
                (length, end.map(|_| true))
            };
            buffers.read(0, take, || false)
        }))?;
        let line = std::mem::take(begun);
        if !has_one && line.is_empty() {
            return Poll::Ready(Ok(None));
        }
        Poll::Ready(file.open_file().named("read", |_| line_of(line)).map(Some))
    }
}

fn line_of(mut line: Vec<u8>) -> io::Result<String> {
    if line.ends_with(b"\n") {
        line.pop();
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    text(line)
}

/// As [`next_line`](Lines::next_line).
impl Stream for Lines {
    type Item = io::Result<String>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<String>>> {
        self.poll_next_line(cx).map(Result::transpose)
    }
}
