//! The files of a directory over HTTP/1.1: ranges, conditions, `HEAD`, keep-alive; sent by `sendfile`.
//!
//! ```text
//! cargo run --release -p examples --example static_files -- DIRECTORY [PORT]
//! ```
//!
//! prints `127.0.0.1:7000` (without a port, the address with one that was free) and serves until it is
//! killed. Try `curl -i -r 0-99 127.0.0.1:7000/Cargo.toml`.
//!
//! A file is opened and asked for its length by one job of the pool. What the system has in memory is
//! then sent from there; for the rest the pool waits for the disk, and nobody else does. Links are
//! followed, wherever they lead; a directory is its `index.html`.

use std::fs::Metadata;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use httparse::{EMPTY_HEADER, Request, Status};
use runtime::fs::File;
use runtime::net::{TcpListener, TcpStream};
use runtime::{secs, spawn, spawn_blocking};

const LONGEST_HEAD: usize = 16 * 1024;

#[runtime::main]
async fn main() -> runtime::Result {
    let mut arguments = std::env::args_os().skip(1);
    let root = arguments.next().ok_or("usage: static_files DIRECTORY [PORT]")?;
    let port = match arguments.next() {
        Some(port) => {
            let number = port.to_str().and_then(|port| port.parse().ok());
            number.ok_or_else(|| format!("{port:?} is no port"))?
        }
        None => 0,
    };
    let root: Rc<Path> = runtime::fs::canonicalize(&root).await?.into();
    let server = TcpListener::bind(("127.0.0.1", port))?;
    println!("{}", server.local_addr()?);
    loop {
        let (socket, _) = server.accept().await?;
        // A connection that breaks is its own affair.
        spawn(serve(socket, root.clone()));
    }
}

/// Answers one request after the other.
async fn serve(socket: TcpStream, root: Rc<Path>) -> io::Result<()> {
    socket.set_idle_timeout(secs(30));
    let mut input = Vec::new();
    loop {
        match Wish::parse(&input) {
            Ok(Some((head, wish))) => {
                input.drain(..head);
                answer(&socket, &wish, &root).await?;
                if wish.is_last {
                    return socket.shutdown().await;
                }
            }
            Ok(None) => {
                let read = |data: &[u8]| {
                    input.extend_from_slice(data);
                    data.is_empty()
                };
                if socket.read_with(read).await? {
                    return Ok(());
                }
            }
            Err(status) => {
                refuse(&socket, status, true).await?;
                return socket.shutdown().await;
            }
        }
    }
}

async fn refuse(socket: &TcpStream, status: &str, is_last: bool) -> io::Result<()> {
    let connection = if is_last { "Connection: close\r\n" } else { "" };
    socket.write(format!("HTTP/1.1 {status}\r\n{connection}Content-Length: 0\r\n\r\n")).await
}

async fn answer(socket: &TcpStream, wish: &Wish, root: &Path) -> io::Result<()> {
    let path = root.join(&wish.path);
    let (file, metadata) = match spawn_blocking(move || open(path)).await? {
        Ok((file, metadata)) => (File::from_std(file, &wish.path), metadata),
        Err(error) => return refuse(socket, status_of(&error), wish.is_last).await,
    };
    let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    if wish.since.is_some_and(|since| modified < since + Duration::from_secs(1)) {
        return refuse(socket, "304 Not Modified", wish.is_last).await;
    }
    let length = metadata.len();
    let Ok(range) = wish.range_within(length) else {
        return refuse(socket, "416 Range Not Satisfiable", wish.is_last).await;
    };
    let (status, of_what) = if range == (0..length) {
        ("200 OK", String::new())
    } else {
        let Range { start, end } = range;
        ("206 Partial Content", format!("Content-Range: bytes {start}-{}/{length}\r\n", end - 1))
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{of_what}\
         Accept-Ranges: bytes\r\nLast-Modified: {}\r\n{}\r\n",
        type_of(&wish.path),
        range.end - range.start,
        httpdate::fmt_http_date(modified),
        if wish.is_last { "Connection: close\r\n" } else { "" },
    );
    if wish.is_head {
        socket.write(head).await
    } else {
        socket.send_file_with(head, &file, range).await
    }
}

/// In the pool. What is no file is asked for before it is opened: a FIFO would be waited for.
fn open(mut path: PathBuf) -> io::Result<(std::fs::File, Metadata)> {
    if path.is_dir() {
        path.push("index.html");
    }
    if !std::fs::metadata(&path)?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let file = std::fs::File::open(path)?;
    // Not what was asked for before: the file may be another one by now.
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn status_of(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "403 Forbidden",
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename => {
            "404 Not Found"
        }
        _ => "500 Internal Server Error",
    }
}

fn type_of(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or("html") {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css",
        "js" => "text/javascript",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "md" | "rs" | "toml" | "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// What a request asks for.
struct Wish {
    is_head: bool,
    path: PathBuf,
    /// The first and the last byte; without a first one, how many at the end.
    range: Option<(Option<u64>, Option<u64>)>,
    since: Option<SystemTime>,
    is_last: bool,
}

impl Wish {
    /// The first request of `input` and the length of its head; `None` if that is not all there yet.
    fn parse(input: &[u8]) -> Result<Option<(usize, Self)>, &'static str> {
        let mut headers = [EMPTY_HEADER; 64];
        let mut request = Request::new(&mut headers);
        let head = match request.parse(input) {
            Ok(Status::Partial) if input.len() < LONGEST_HEAD => return Ok(None),
            Ok(Status::Complete(head)) if head <= LONGEST_HEAD => head,
            Ok(_) => return Err("431 Request Header Fields Too Large"),
            Err(_) => return Err("400 Bad Request"),
        };
        let mut wish = Self {
            is_head: match request.method {
                Some("GET") => false,
                Some("HEAD") => true,
                _ => return Err("405 Method Not Allowed"),
            },
            path: path_of(request.path.unwrap_or_default()).ok_or("400 Bad Request")?,
            range: None,
            since: None,
            is_last: request.version == Some(0),
        };
        for header in request.headers.iter() {
            let value = str::from_utf8(header.value).unwrap_or_default().trim();
            match header.name.to_ascii_lowercase().as_str() {
                "range" => wish.range = range_of(value),
                "if-modified-since" => wish.since = httpdate::parse_http_date(value).ok(),
                "connection" => wish.is_last |= value.eq_ignore_ascii_case("close"),
                // A body would be taken for the next request.
                "content-length" if value == "0" => {}
                "content-length" | "transfer-encoding" => return Err("413 Content Too Large"),
                _ => {}
            }
        }
        Ok(Some((head, wish)))
    }

    /// Which bytes of a file of `length` are wanted; an error if it has none of them.
    fn range_within(&self, length: u64) -> Result<Range<u64>, ()> {
        let range = match self.range {
            None => return Ok(0..length),
            Some((Some(first), last)) => {
                first..last.map_or(length, |last| last.saturating_add(1).min(length))
            }
            Some((None, last)) => length - last.unwrap_or(0).min(length)..length,
        };
        if range.is_empty() { Err(()) } else { Ok(range) }
    }
}

/// One range: of several the whole file is sent, which is allowed.
fn range_of(value: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let number =
        |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
    match (number(first)?, number(last)?) {
        (None, None) => None,
        (Some(first), Some(last)) if last < first => None,
        range => Some(range),
    }
}

/// The path below the root; `None` if it would lead out of it.
fn path_of(target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.strip_prefix('/')?;
    let path = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    let is_plain = |part: &str| part != ".." && !part.contains(['\\', ':', '\0']);
    path.split('/').all(is_plain).then(|| path.trim_start_matches('/').into())
}
