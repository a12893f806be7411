//! What a child writes until its end, collected.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Output};
use std::task::Poll;

use super::Process;
use crate::net::Pipe;

/// Reads all of both streams, and waits for the end.
pub(super) async fn collect(process: &Process, limit: usize) -> io::Result<Output> {
    let (stdout, stderr) = (process.take_stdout(), process.take_stderr());
    let status = process.wait();
    // One after the other would let the child wait for the one that is not read.
    let (stdout, stderr) = both(
        read_all(stdout, "stdout", limit, process),
        read_all(stderr, "stderr", limit, process),
    )
    .await?;
    let status: ExitStatus = status.await?;
    Ok(Output { status, stdout, stderr })
}

/// What both give, or the first error: the other one is not waited for then, since it may take as long as
/// a grandchild has the stream.
async fn both<T>(
    one: impl Future<Output = io::Result<T>>,
    other: impl Future<Output = io::Result<T>>,
) -> io::Result<(T, T)> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    poll_fn(|cx| {
        if first.is_none()
            && let Poll::Ready(all) = one.as_mut().poll(cx)?
        {
            first = Some(all);
        }
        if second.is_none()
            && let Poll::Ready(all) = other.as_mut().poll(cx)?
        {
            second = Some(all);
        }
        match (first.take(), second.take()) {
            (Some(one), Some(other)) => Poll::Ready(Ok((one, other))),
            unfinished => {
                (first, second) = unfinished;
                Poll::Pending
            }
        }
    })
    .await
}

async fn read_all(
    pipe: Option<Pipe>,
    name: &str,
    limit: usize,
    process: &Process,
) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let Some(pipe) = pipe else { return Ok(all) };
    loop {
        let read = pipe
            .read_with(|bytes| {
                all.extend_from_slice(bytes);
                bytes.len()
            })
            .await?;
        if all.len() > limit {
            // It has no use any more; that it has ended by itself is as good.
            let _ = process.kill(crate::sys::SIGKILL);
            let message = format!("the child's {name} is over the limit of {limit} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        if read == 0 {
            return Ok(all);
        }
    }
}
