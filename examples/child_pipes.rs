//! A shell pipeline without a shell: `printf .. | sort | uniq -c`, with this program between its parts.
//!
//! ```text
//! cargo run --release -p examples --example child_pipes
//! cargo run --release -p examples --example child_pipes -- /etc/services
//! ```
//!
//! counts equal lines of a file, or of a few words of its own, and prints the most frequent:
//!
//! ```text
//!       3 loop
//!       2 tick
//!       1 check
//! 6 lines went in, 3 came out; sort: exit status: 0, uniq: exit status: 0
//! ```
//!
//! Each child is a [`Process`] whose pipes are byte streams: what `sort` writes is piped on to `uniq`,
//! which pauses the one when the other is full. In Node this is `child_process.spawn` and `stream.pipe`,
//! in libuv `uv_spawn` with `UV_CREATE_PIPE`.

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use runtime::io::stdout;
use runtime::net::Pipe;
use runtime::process::{Command, Process, Stdio};
use runtime::{fs, spawn};

const WORDS: &str = "tick\nloop\ncheck\nloop\ntick\nloop\n";

#[runtime::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("child_pipes: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> io::Result<()> {
    let text = match std::env::args_os().nth(1) {
        Some(path) => {
            let read = fs::read(&path).await;
            read.map_err(|error| io::Error::new(error.kind(), format!("{path:?}: {error}")))?
        }
        None => WORDS.as_bytes().to_vec(),
    };
    let lines = text.iter().filter(|byte| **byte == b'\n').count();

    let (sort, sort_in, sort_out) = start(Command::new("sort").env("LC_ALL", "C"))?;
    let (uniq, uniq_in, uniq_out) = start(Command::new("uniq").arg("-c"))?;

    // Written behind our back, as fast as `sort` reads it.
    sort_in.write(text);
    sort_in.shutdown();
    // What comes out goes on, and so does its end.
    let moved = sort_out.pipe_to(&uniq_in);
    let counted = spawn(read_lines(uniq_out));

    moved.await?;
    let mut counted = counted.await??;
    counted.sort_by(|one, other| other.cmp(one)); // uniq aligns its numbers
    // Not by `println!`, which panics when what reads it has seen enough, as `head` has.
    let out = stdout();
    for line in counted.iter().take(10) {
        out.write(format!("{line}\n")).await?;
    }
    let (sorted, unified) = (sort.wait().await?, uniq.wait().await?);
    let summary = format!("{lines} lines went in, {} came out", counted.len());
    out.write(format!("{summary}; sort: {sorted}, uniq: {unified}\n")).await
}

/// A child, and the ends of its pipes that are ours.
fn start(command: &mut Command) -> io::Result<(Process, Pipe, Pipe)> {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (input, output) = (child.take_stdin(), child.take_stdout());
    let missing = || io::Error::new(ErrorKind::NotFound, "the pipe was not made");
    Ok((child, input.ok_or_else(missing)?, output.ok_or_else(missing)?))
}

async fn read_lines(pipe: Pipe) -> io::Result<Vec<String>> {
    let mut text = Vec::new();
    while pipe
        .read_with(|bytes| {
            text.extend_from_slice(bytes);
            bytes.len()
        })
        .await?
        > 0
    {}
    Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
}
