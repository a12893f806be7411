//! The example `tcp_proxy` between a client and a server of the test.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Proxy {
    process: Child,
    address: String,
    target: TcpListener,
}

impl Proxy {
    fn start() -> Self {
        let mut path = std::env::current_exe().expect("this test has a path");
        path.pop(); // deps
        path.pop();
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut process = Command::new(path.join("examples/tcp_proxy"))
            .args(["0", &target.local_addr().unwrap().to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("cargo builds the examples for the tests");
        let mut address = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        Self { process, address: address.trim().into(), target }
    }

    /// A client and the server's end, between which both directions have been used.
    fn connection(&self) -> (TcpStream, TcpStream) {
        let mut client = TcpStream::connect(&self.address).unwrap();
        let mut server = self.target.accept().unwrap().0;
        for end in [&client, &server] {
            // A read that hangs is an error, and the test fails.
            end.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        }
        pass(&mut client, &mut server);
        pass(&mut server, &mut client);
        (client, server)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn pass(from: &mut TcpStream, to: &mut TcpStream) {
    from.write_all(b"x").unwrap();
    to.read_exact(&mut [0]).unwrap();
}

/// Closes `end` with something unread in it, which resets the connection.
fn reset(end: TcpStream, peer: &mut TcpStream) {
    peer.write_all(b"unread").unwrap();
    end.peek(&mut [0]).unwrap();
    drop(end);
}

fn assert_over(mut end: TcpStream) {
    match end.read(&mut [0]) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[test]
fn each_direction_ends_by_itself() {
    let proxy = Proxy::start();
    let (mut client, mut server) = proxy.connection();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    pass(&mut server, &mut client);
    drop(server);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_connection_that_fails_on_one_side_ends_on_the_other_though_that_is_silent() {
    let proxy = Proxy::start();
    let (client, mut server) = proxy.connection();
    reset(client, &mut server);
    assert_over(server);
    let (mut client, server) = proxy.connection();
    reset(server, &mut client);
    assert_over(client);
}
