//! Shows the keys that are pressed, and the size of the terminal when it changes.
//!
//! ```text
//! cargo run -p examples --example raw_keys
//! ```
//!
//! `q` or ctrl-c ends it, and the terminal is as it was before: also if the program panics. Where standard
//! input is no terminal it says so, and ends with code 2.

use std::process::ExitCode;

#[cfg(unix)]
#[runtime::main]
async fn main() -> runtime::Result<ExitCode> {
    use runtime::io::{Tty, TtyMode};

    let tty = match Tty::open(std::io::stdin()) {
        Ok(tty) => tty,
        Err(error) => {
            eprintln!("standard input: {error}");
            return Ok(ExitCode::from(2));
        }
    };
    tty.set_mode(TtyMode::Raw)?;
    tty.on_resize(|tty, size| {
        tty.write(format!("the window has {} columns, {} rows\n", size.columns, size.rows));
    })?;
    tty.write("press keys; q ends\n").await?;
    let mut keys = [0; 64];
    loop {
        let read = tty.read(&mut keys).await?;
        // What is typed or pasted quickly comes at once; no bytes are the end: the terminal is gone.
        match &keys[..read] {
            [] | [b'q'] => return Ok(ExitCode::SUCCESS),
            bytes if bytes.contains(&CTRL_C) => return Ok(ExitCode::SUCCESS),
            bytes => tty.write(format!("{bytes:02x?} {}\n", name(bytes))).await?,
        }
    }
}

#[cfg(unix)]
const CTRL_C: u8 = 3;

/// What most terminals send for a key. There is far more to it: a crate for keys knows.
#[cfg(unix)]
fn name(bytes: &[u8]) -> String {
    let name = match bytes {
        b"\x1b[A" => "up",
        b"\x1b[B" => "down",
        b"\x1b[C" => "right",
        b"\x1b[D" => "left",
        b"\r" => "enter",
        b"\x1b" => "escape",
        b"\x7f" => "backspace",
        [control @ 1..=26] => return format!("ctrl-{}", char::from(b'a' + control - 1)),
        text => return String::from_utf8_lossy(text).escape_debug().to_string(),
    };
    name.to_owned()
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("raw mode is for Unix");
    ExitCode::from(2)
}
