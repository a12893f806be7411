//! A client for counting: it goes in rounds, so that a server does the same in each run.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// For all that is waited for: a valgrind on a busy machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);

const MESSAGE: [u8; 64] = [7; 64];

/// Returns a port that nobody has.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Connections to an echo server.
pub(crate) struct Client {
    streams: Vec<TcpStream>,
}

impl Client {
    /// Connects, and has every connection accepted and used once.
    pub(crate) fn connect(port: u16, connections: u64) -> Self {
        let mut client = Self { streams: (0..connections).map(|_| connect(port)).collect() };
        client.talk(1);
        client
    }

    /// Has 64 bytes sent back on each connection, so often.
    ///
    /// All connections have a message under way all the time, and who is answered asks again at once:
    /// a server that a tool slows down finds them all ready each time it looks. Would they ask
    /// together, it would wake up for the first and look again for the others, or not, as it happens.
    pub(crate) fn talk(&mut self, rounds: u64) {
        for round in 0..=rounds {
            for stream in &mut self.streams {
                if round > 0 {
                    hear(stream);
                }
                if round < rounds {
                    stream.write_all(&MESSAGE).expect("the server reads");
                }
            }
        }
    }
}

/// Opens so many connections at once, so often, and waits each time until the server has closed them. The
/// first time is the server's start.
pub(crate) fn open_and_wait(port: u16, at_once: u64, rounds: u64) {
    for _ in 0..=rounds {
        let streams: Vec<_> = (0..at_once).map(|_| connect(port)).collect();
        for mut stream in streams {
            assert_eq!(stream.read(&mut [0]).expect("the server closes"), 0);
        }
    }
}

fn hear(stream: &mut TcpStream) {
    let mut answer = [0; MESSAGE.len()];
    stream.read_exact(&mut answer).expect("the server answers");
    assert_eq!(answer, MESSAGE);
}

/// Connects as soon as somebody listens.
fn connect(port: u16) -> TcpStream {
    let start = Instant::now();
    loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(stream) => {
                stream.set_nodelay(true).expect("an open socket has options");
                stream.set_read_timeout(Some(PATIENCE)).expect("it is not zero");
                return stream;
            }
            Err(error)
                if error.kind() == ErrorKind::ConnectionRefused && start.elapsed() < PATIENCE =>
            {
                sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    }
}
