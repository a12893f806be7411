//! A counter that other programs ask over a named pipe, and a client that does: Windows' local sockets.
//!
//! ```text
//! cargo run --release -p examples --example named_pipe
//! ```
//!
//! prints
//!
//! ```text
//! you are number 1
//! you are number 2
//! you are number 3
//! ```
//!
//! The server is made of callbacks, the clients of a task. In Node this is `net.createServer().listen(path)`
//! and `net.connect(path)`, in libuv `uv_pipe_bind` and `uv_pipe_connect`. Unix has `UnixListener` and
//! `UnixStream` for it.

#[cfg(windows)]
#[runtime::main]
async fn main() -> std::io::Result<()> {
    use runtime::net::{Pipe, PipeListener};

    let name = format!(r"\\.\pipe\counter-{}", std::process::id());
    let server = PipeListener::bind(&name)?;
    let mut clients = 0;
    server.listen(move |_, client| {
        clients += 1;
        // It is closed when all of that was written.
        client.write(format!("you are number {clients}\n"));
    });
    server.on_error(|_, error| eprintln!("a client was lost: {error}"));

    for _ in 0..3 {
        let client = Pipe::connect(&name).await?;
        while client.read_with(print).await? > 0 {}
    }
    server.close();
    Ok(())
}

/// Prints what was read; gives its length.
#[cfg(windows)]
fn print(bytes: &[u8]) -> usize {
    print!("{}", String::from_utf8_lossy(bytes));
    bytes.len()
}

#[cfg(not(windows))]
fn main() {
    println!("Named pipes are Windows' own.");
}
