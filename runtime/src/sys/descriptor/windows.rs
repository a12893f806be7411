//! Standard streams on Windows, where only sockets can be waited for.

use std::io::{self, IsTerminal, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;

use socket2::Socket;

use super::FdKind;

/// What is read from standard input comes out of this socket: a thread of the process copies it there.
/// All streams share it, so what one leaves is the next one's.
pub(crate) fn pumped_stdin() -> io::Result<Socket> {
    static PUMPED: OnceLock<Result<TcpStream, io::ErrorKind>> = OnceLock::new();
    let begin = || {
        let (reader, writer) = socket_pair()?;
        reader.set_nonblocking(true)?;
        thread::Builder::new().name("stdin".into()).spawn(move || pump(writer))?;
        Ok(reader)
    };
    match PUMPED.get_or_init(|| begin().map_err(|error: io::Error| error.kind())) {
        Ok(reader) => Ok(reader.try_clone()?.into()),
        Err(kind) => Err((*kind).into()),
    }
}

/// Copies until the end, or until the process is gone; nobody waits for it.
fn pump(mut writer: TcpStream) {
    let mut buffer = [0; 4096];
    loop {
        match io::stdin().lock().read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The drop of the socket tells the end; an error looks like one.
            Ok(0) | Err(_) => return,
            Ok(read) => {
                if writer.write_all(&buffer[..read]).is_err() {
                    return;
                }
            }
        }
    }
}

/// Two ends of a connection. Another process may connect first: it is sent away.
fn socket_pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let reader = TcpStream::connect(listener.local_addr()?)?;
    loop {
        let (writer, from) = listener.accept()?;
        if from == reader.local_addr()? {
            return Ok((reader, writer));
        }
    }
}

/// Writes all of it to standard output (1) or error (2).
pub(crate) fn write_standard(number: usize, bytes: &[u8]) -> io::Result<()> {
    match number {
        1 => io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()),
        _ => io::stderr().write_all(bytes),
    }
}

/// What a standard stream is, as far as it is told without a call of Windows' own.
pub(crate) fn guess_standard(number: usize) -> FdKind {
    let is_terminal = match number {
        0 => io::stdin().is_terminal(),
        1 => io::stdout().is_terminal(),
        _ => io::stderr().is_terminal(),
    };
    if is_terminal { FdKind::Tty } else { FdKind::Unknown }
}
