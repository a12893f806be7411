//! Runs a command for some milliseconds at most, or until ctrl-c: what is `timeout` in a shell.
//!
//! ```text
//! cargo run -p examples --example time_limit -- 500 sleep 10
//! ```
//!
//! prints `sleep: ended after 500 ms, or by ctrl-c` and ends with the code 124; a command that is done in
//! time gives its own. The command is asked to end by `SIGTERM`, and nobody waits for it then.

use std::env::args_os;

use runtime::process::Command;
use runtime::sync::{AbortController, AbortSignal, Aborted};
use runtime::{exit, ms, signal, spawn};

#[runtime::main]
async fn main() -> runtime::Result {
    let mut args = args_os().skip(1);
    let limit = args.next().and_then(|limit| limit.to_str()?.parse().ok());
    let (Some(limit), Some(program)) = (limit, args.next()) else {
        return Err("usage: time_limit MILLISECONDS PROGRAM [ARGUMENT]..".into());
    };

    let interrupted = AbortController::new();
    let end = AbortSignal::any([&interrupted.signal(), &AbortSignal::timeout(ms(limit))]);
    spawn(async move {
        signal::ctrl_c().await?;
        interrupted.abort();
        Ok::<_, std::io::Error>(())
    })
    .detach();

    match Command::new(&program).args(args).abort_on(&end).status().await {
        Ok(status) => exit(status.code().unwrap_or(1)),
        Err(error) if Aborted::is_in(&error) => {
            eprintln!("{}: ended after {limit} ms, or by ctrl-c", program.display());
            exit(124);
        }
        Err(error) => Err(error.into()),
    }
}
