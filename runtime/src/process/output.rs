//! What a child writes until its end, collected.

use std::io;
use std::process::{ExitStatus, Output};

use super::Process;
use crate::net::Pipe;

/// Reads all of both streams, and waits for the end.
pub(super) async fn collect(process: &Process, limit: usize) -> io::Result<Output> {
    let (stdout, stderr) = (process.take_stdout(), process.take_stderr());
    let status = process.wait();
    // One after the other would let the child wait for the one that is not read.
    let stderr = crate::spawn(read_all(stderr, "stderr", limit, process.clone())).abort_on_drop();
    let stdout = read_all(stdout, "stdout", limit, process.clone()).await?;
    let stderr = stderr.await.map_err(io::Error::from)??;
    let status: ExitStatus = status.await?;
    Ok(Output { status, stdout, stderr })
}

async fn read_all(
    pipe: Option<Pipe>,
    name: &str,
    limit: usize,
    process: Process,
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
