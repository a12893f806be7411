//! A child process that does as its arguments say, on any system: what a shell does for the tests on Unix.

use std::io::{Read, Write, copy, stderr, stdin, stdout};
use std::process::exit;

use runtime::Loop;
use runtime::net::Pipe;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["exit", code] => exit(number(code)),
        ["say", text] => stdout().write_all(text.as_bytes()),
        ["echo by pipe"] => echo_by_pipe(),
        ["echo"] => copy(&mut stdin(), &mut stdout()).map(drop),
        // Ends by being killed, or when nobody is left to write to it.
        ["stay"] => stdin().read_to_end(&mut Vec::new()).map(drop),
        ["both", bytes] => both(&vec![b'x'; number(bytes) as usize]),
        ["variable", name] => {
            let value = std::env::var(name).unwrap_or_else(|_| "none".into());
            stdout().write_all(value.as_bytes())
        }
        ["folder"] => {
            let folder = std::env::current_dir()?;
            stdout().write_all(folder.to_string_lossy().as_bytes())
        }
        _ => {
            eprintln!("what is {words:?}?");
            exit(100)
        }
    }
}

fn number(text: &str) -> i32 {
    text.parse().expect("a number")
}

/// Fills both streams, one after the other.
fn both(bytes: &[u8]) -> std::io::Result<()> {
    stdout().write_all(bytes)?;
    stderr().write_all(bytes)
}

/// Echoes by the loop, over the standard streams as pipes.
fn echo_by_pipe() -> std::io::Result<()> {
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    let (input, output) = (Pipe::from_std(own(stdin())?)?, Pipe::from_std(own(stdout())?)?);
    input.read_start(move |_, data| -> runtime::Result {
        output.write(data?);
        Ok(())
    });
    lp.run().map(drop)
}

#[cfg(unix)]
fn own(stream: impl std::os::fd::AsFd) -> std::io::Result<std::os::fd::OwnedFd> {
    stream.as_fd().try_clone_to_owned()
}

#[cfg(windows)]
fn own(
    stream: impl std::os::windows::io::AsHandle,
) -> std::io::Result<std::os::windows::io::OwnedHandle> {
    stream.as_handle().try_clone_to_owned()
}
