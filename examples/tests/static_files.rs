//! The example `static_files`, asked for what it has, what it has not, and parts of both.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What takes longer hangs.
const LIMIT: Duration = Duration::from_secs(30);

/// The example, and the directory it serves; both end with this.
struct Server {
    process: Child,
    address: String,
    root: PathBuf,
}

impl Server {
    fn start(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("static-{}-{name}", std::process::id()));
        fs::create_dir_all(root.join("dir with space")).unwrap();
        fs::write(root.join("digits.txt"), "0123456789").unwrap();
        fs::write(root.join("dir with space/index.html"), "<p>index").unwrap();
        fs::write(root.join("large.bin"), large()).unwrap();
        let mut example = std::env::current_exe().expect("this test has a path");
        example.pop(); // deps
        example.pop();
        let mut command = Command::new(example.join("examples/static_files"));
        let mut process = command.arg(&root).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { process, address: line.trim().to_owned(), root }
    }

    fn connect(&self) -> BufReader<TcpStream> {
        let socket = TcpStream::connect(&self.address).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        BufReader::new(socket)
    }

    /// One request on a connection of its own: the head and the body of the answer.
    fn ask(&self, request: &str, headers: &str) -> (String, Vec<u8>) {
        let mut socket = self.connect();
        let close = "Host: x\r\nConnection: close\r\n";
        // At once: what is refused may be answered, and the connection closed, before its end.
        let asked = format!("{request} HTTP/1.1\r\n{close}{headers}\r\n");
        socket.get_mut().write_all(asked.as_bytes()).unwrap();
        let head = head_of(&mut socket);
        let mut body = Vec::new();
        socket.read_to_end(&mut body).unwrap();
        (head, body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        fs::remove_dir_all(&self.root).ok();
    }
}

fn large() -> Vec<u8> {
    (0..3_000_000u32).map(|place| (place % 251) as u8).collect()
}

fn head_of(socket: &mut impl BufRead) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(socket.read_line(&mut head).unwrap(), 0, "it ends in a head: {head}");
    }
    head
}

#[test]
fn whole_files_and_parts_of_them() {
    let server = Server::start("parts");
    let (head, body) = server.ask("GET /digits.txt?query", "");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("Content-Length: 10\r\n") && head.contains("text/plain"), "{head}");
    assert_eq!(body, b"0123456789");
    assert_eq!(server.ask("GET /dir%20with%20space/", "").1, b"<p>index");
    assert!(server.ask("GET /large.bin", "").1 == large());

    for (range, of, bytes) in [
        ("2-4", "2-4", "234"),
        ("7-", "7-9", "789"),
        ("-2", "8-9", "89"),
        ("5-100", "5-9", "56789"),
        ("-99", "", "0123456789"),
        ("0-1,4-5", "", "0123456789"),
        ("4-2", "", "0123456789"),
        ("x-", "", "0123456789"),
    ] {
        let (head, body) = server.ask("GET /digits.txt", &format!("Range: bytes={range}\r\n"));
        assert_eq!(String::from_utf8(body).unwrap(), bytes, "{range}");
        let status = if of.is_empty() { "200" } else { "206" };
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{range}: {head}");
        assert_eq!(head.contains(&format!("Content-Range: bytes {of}/10\r\n")), !of.is_empty());
    }
    for range in ["10-", "99-100", "-0"] {
        let (head, body) = server.ask("GET /digits.txt", &format!("Range: bytes={range}\r\n"));
        assert!(head.starts_with("HTTP/1.1 416 ") && body.is_empty(), "{range}: {head}");
    }
}

#[test]
fn what_it_has_not_and_what_it_does_not_do() {
    let server = Server::start("refusals");
    for (request, status) in [
        ("GET /nothing", "404"),
        ("GET /digits.txt/below", "404"),
        ("GET /", "404"),
        ("GET /../Cargo.toml", "400"),
        ("GET /%2e%2e/x", "400"),
        ("GET /a/..%2fx", "400"),
        ("GET /%00", "400"),
        (&format!("GET /{}", "x".repeat(2_000)), "404"),
        ("GET digits.txt", "400"),
        ("POST /digits.txt", "405"),
    ] {
        let (head, body) = server.ask(request, "");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {head}");
        assert_eq!(body, b"");
    }
    let (head, _) = server.ask("GET /digits.txt", "Content-Length: 3\r\n");
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    let (head, _) = server.ask(&format!("GET /{}", "x".repeat(20_000)), "");
    assert!(head.starts_with("HTTP/1.1 431 "), "{head}");
}

#[test]
fn many_requests_on_one_connection_heads_and_conditions() {
    let server = Server::start("keep");
    let mut socket = server.connect();
    let get = "GET /digits.txt HTTP/1.1\r\n\r\n";
    write!(socket.get_mut(), "{get}HEAD /large.bin HTTP/1.1\r\n\r\n{get}").unwrap();
    let mut digits = [0; 10];
    let head = head_of(&mut socket);
    socket.read_exact(&mut digits).unwrap();
    assert!(head_of(&mut socket).contains("Content-Length: 3000000\r\n"));
    head_of(&mut socket);
    socket.read_exact(&mut digits).unwrap();
    assert_eq!(&digits, b"0123456789");

    let modified = head.lines().find_map(|line| line.strip_prefix("Last-Modified: ")).unwrap();
    let (head, body) = server.ask("GET /digits.txt", &format!("If-Modified-Since: {modified}\r\n"));
    assert!(head.starts_with("HTTP/1.1 304 ") && body.is_empty(), "{head}");
    let before = "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    assert_eq!(server.ask("GET /digits.txt", before).1, b"0123456789");
}
