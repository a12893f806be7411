//! Pipes a file, or standard input, into another file, with progress; ctrl-c ends it half-way.
//!
//! ```text
//! cargo run --release -p examples --example file_pipe -- FROM TO
//! seq 1000000 | cargo run --release -p examples --example file_pipe -- - TO
//! ```
//!
//! prints `12 of 100 MiB` on one line that changes, and at last `104857600 bytes`. Without arguments it copies
//! its own program into the directory for temporary files, and removes the copy.
//!
//! An error of one side, a full disk say, closes the other, and so does the abort; half a file stays.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runtime::io::{Pipeline, stdin};
use runtime::sync::{AbortController, Aborted};
use runtime::{fs, signal};

const MIB: u64 = 1024 * 1024;

#[runtime::main]
async fn main() -> io::Result<ExitCode> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    match &arguments[..] {
        [from, to] => copy(from, to).await,
        [] => {
            let to = env::temp_dir().join(format!("file_pipe-{}", std::process::id()));
            let code = copy(&env::current_exe()?, &to).await?;
            fs::remove_file(&to).await?;
            Ok(code)
        }
        _ => {
            eprintln!("file_pipe FROM TO, where FROM may be - for standard input");
            Ok(ExitCode::from(2))
        }
    }
}

async fn copy(from: &Path, to: &Path) -> io::Result<ExitCode> {
    let controller = AbortController::new();
    let signal = controller.signal();
    // It does not keep the program alive.
    signal::ctrl_c().callback(move |_| controller.abort());

    let writer = fs::write_stream(to);
    let copied = if from == Path::new("-") {
        Pipeline::new(stdin(), writer).on_progress(progress(None)).run()
    } else {
        let length = fs::metadata(from).await?.len();
        Pipeline::new(fs::read_stream(from), writer).on_progress(progress(Some(length))).run()
    };
    match copied.abort_on(&signal).await {
        Ok(bytes) => println!("\r{bytes} bytes          "),
        Err(error) if Aborted::is_in(&error) => {
            println!("\nstopped: {} is not complete", to.display());
            return Ok(ExitCode::from(130));
        }
        Err(error) => return Err(error),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints each mebibyte once.
fn progress(length: Option<u64>) -> impl FnMut(u64) -> runtime::Result {
    let mut told = 0;
    move |bytes| {
        if bytes / MIB > told {
            told = bytes / MIB;
            let of = length.map(|length| format!(" of {}", length / MIB)).unwrap_or_default();
            print!("\r{told}{of} MiB");
            io::stdout().flush()?;
        }
        Ok(())
    }
}
