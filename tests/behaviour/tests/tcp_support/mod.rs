//! What the tests of TCP share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Output};
use std::rc::Rc;

use runtime::Loop;
use runtime::net::TcpStream;
use socket2::{Domain, Socket, Type};

/// A connection of the standard library with itself.
pub fn std_pair() -> (std::net::TcpStream, std::net::TcpStream) {
    pair_of(None)
}

fn pair_of(buffers: Option<usize>) -> (std::net::TcpStream, std::net::TcpStream) {
    let [listener, client] = [(); 2].map(|()| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        if let Some(size) = buffers {
            socket.set_send_buffer_size(size).unwrap();
            socket.set_recv_buffer_size(size).unwrap();
        }
        socket
    });
    let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    listener.bind(&any.into()).unwrap();
    listener.listen(1).unwrap();
    client.connect(&listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0.into(), client.into())
}

/// A stream of the current loop, and its peer, which blocks.
pub fn pair() -> (TcpStream, std::net::TcpStream) {
    let (ours, peer) = std_pair();
    (TcpStream::from_std(ours).unwrap(), peer)
}

/// As `pair`, but the system buffers little: what is not read soon waits in the stream's own queue.
pub fn narrow_pair() -> (TcpStream, std::net::TcpStream) {
    let (ours, peer) = pair_of(Some(16 * 1024));
    (TcpStream::from_std(ours).unwrap(), peer)
}

/// As `pair`, but the system buffers a few reads' worth in either direction.
pub fn wide_pair() -> (TcpStream, std::net::TcpStream) {
    let (ours, peer) = pair_of(Some(1024 * 1024));
    (TcpStream::from_std(ours).unwrap(), peer)
}

/// Two streams of the current loop that are connected.
pub fn two() -> (TcpStream, TcpStream) {
    let (one, other) = std_pair();
    (TcpStream::from_std(one).unwrap(), TcpStream::from_std(other).unwrap())
}

/// As `two`, with little buffers.
pub fn narrow_two() -> (TcpStream, TcpStream) {
    let (one, other) = pair_of(Some(16 * 1024));
    (TcpStream::from_std(one).unwrap(), TcpStream::from_std(other).unwrap())
}

/// Closes a connection with RST.
pub fn reset(peer: std::net::TcpStream) {
    Socket::from(peer).set_linger(Some(std::time::Duration::ZERO)).unwrap();
}

/// An address at which nobody listens, nor will while the test runs: the port is taken.
pub fn nobody() -> SocketAddr {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
    socket.bind(&any.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    behaviour::keep(socket);
    address
}

/// Runs the loop, an iteration at a time, until `done`.
#[track_caller]
pub fn run_until(lp: &mut Loop, done: impl Fn() -> bool) {
    // What is queued already may bring it; only then wait.
    lp.run_nowait().unwrap();
    while !done() {
        lp.run_once().unwrap();
    }
}

/// Bytes of which each place is known.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

pub const EALREADY: i32 = if cfg!(target_os = "linux") {
    114
} else if cfg!(windows) {
    10037
} else {
    37
};

/// Whether this is the errno of a second reader.
pub fn is_already(error: &io::Error) -> bool {
    error.raw_os_error() == Some(EALREADY)
}

/// Counts the values that live: capture one in each callback and task.
#[derive(Debug)]
pub struct Counted(Rc<Cell<usize>>);

impl Counted {
    pub fn new(live: &Rc<Cell<usize>>) -> Self {
        live.set(live.get() + 1);
        Self(live.clone())
    }

    /// Does nothing, but makes a closure capture it.
    pub fn touch(&self) {}
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Descriptors this process has open.
pub fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

const CHILD: &str = "BEHAVIOUR_CHILD";

/// What the parent told the child; `None` in the parent.
pub fn child_argument() -> Option<String> {
    std::env::var(CHILD).ok()
}

/// Runs the test `name` of this binary in a process of its own, begun by the shell's `prefix`
/// (`exec` or `ulimit -n 40 && exec`), and tells it `argument`.
pub fn child(prefix: &str, name: &str, argument: &str) -> Output {
    let script = format!("{prefix} \"$0\" \"$@\"");
    Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, argument)
        .output()
        .unwrap()
}

/// Asserts that the child ran the one test, and that it passed.
#[track_caller]
pub fn assert_passed(output: &Output) {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success() && out.contains("1 passed"), "the child failed:\n{out}\n{err}");
}

/// A listener that answers no more connects: what it lets wait is full, and nobody accepts. Linux drops
/// what comes then, so a connect to it neither succeeds nor fails.
pub struct BlackHole {
    pub address: SocketAddr,
    _sockets: Vec<Socket>,
}

impl BlackHole {
    pub fn new() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap())
    }

    pub fn at(address: SocketAddr) -> Self {
        let listener = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        listener.bind(&address.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let fill = |_| {
            let socket = Socket::new(address.domain(), Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            drop(socket.connect(&address));
            socket
        };
        // On loopback a connect is answered before the call returns.
        let mut sockets: Vec<_> = (0..3).map(fill).collect();
        let last = sockets.last().unwrap();
        assert!(last.peer_addr().is_err(), "a listener with a full queue took a connection");
        sockets.push(listener);
        Self { address: address.as_socket().unwrap(), _sockets: sockets }
    }
}

/// Handles of the loop that are not closed.
pub fn handles(lp: &Loop) -> usize {
    let count = Rc::new(Cell::new(0));
    lp.walk(|_| count.set(count.get() + 1));
    count.get()
}
