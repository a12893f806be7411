//! The workloads on mio: a poller and nothing more, so the loop is written here.
//!
//! ```text
//!   poll ─▶ for each event: the listener accepts until nobody waits, a connection reads until it is dry
//! ```
//!
//! mio reports edges. A short read has taken all there was, unless the event says that the peer has
//! closed; then the end is still to be read.

mod shared;

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use bench::args::Args;
use bench::report::{check_done, each, exit_code, rate, start_up, unsupported};
use bench::serve;
use mio::event::{Event, Source};
use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Events, Interest, Poll, Token, Waker};
use shared::BUFFER;

/// As many as libuv takes at a time.
const EVENTS: usize = 1024;
const LISTENER: Token = Token(usize::MAX);

fn main() -> ExitCode {
    exit_code(Args::from_env().and_then(|args| run(&args)))
}

fn run(args: &Args) -> Result<()> {
    match args.workload() {
        "echo" | "mem" => serve::tcp(args, |listener| run_server(listener, Service::Echo)),
        "sink" => serve::tcp(args, |listener| run_server(listener, Service::Sink)),
        "accept" => serve::tcp(args, |listener| run_server(listener, Service::Close)),
        "udp" => serve::udp(args, udp),
        "loop" => iterate("loop_nowait", args.value("n")?, &mut nobody()),
        "many" => many(args),
        "start" => start(args),
        "wake" => wake(args),
        other => Err(unsupported(other)),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Service {
    Echo,
    Sink,
    Close,
}

fn run_server(listener: std::net::TcpListener, service: Service) -> Result<()> {
    let mut listener = TcpListener::from_std(listener);
    let mut server = Server {
        poll: Poll::new()?,
        service,
        connections: Vec::new(),
        free: Vec::new(),
        buffer: vec![0; BUFFER],
    };
    server.poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(EVENTS);
    loop {
        wait(&mut server.poll, &mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => server.accept(&listener)?,
                Token(slot) => server.react(slot, event),
            }
        }
    }
}

fn wait(poll: &mut Poll, events: &mut Events, timeout: Option<Duration>) -> Result<()> {
    match poll.poll(events, timeout) {
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
        polled => polled,
    }
}

struct Server {
    poll: Poll,
    service: Service,
    /// By token.
    connections: Vec<Option<Connection>>,
    /// Those that are `None`.
    free: Vec<usize>,
    /// Of all reads: nobody keeps it.
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    /// What is still to be written; nothing is read until then.
    rest: Vec<u8>,
    total: u64,
}

impl Server {
    fn accept(&mut self, listener: &TcpListener) -> Result<()> {
        loop {
            match listener.accept() {
                Ok((stream, _)) => self.open(stream)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn open(&mut self, mut stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        if self.service == Service::Close {
            return Ok(());
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(slot), both)?;
        self.connections[slot] = Some(Connection { stream, rest: Vec::new(), total: 0 });
        Ok(())
    }

    fn react(&mut self, slot: usize, event: &Event) {
        let Some(connection) = &mut self.connections[slot] else { return };
        let is_open = match connection.flush() {
            // Reads that were put off have no event of their own.
            Ok(was_waiting) if was_waiting || event.is_readable() => {
                let is_dry_when_short = !event.is_read_closed() && !was_waiting;
                connection.read(self.service, &mut self.buffer, is_dry_when_short)
            }
            flushed => flushed.map(|_| true),
        };
        // An error is a reset, or the like: it ends this connection and nothing else.
        if !is_open.unwrap_or(false) {
            self.connections[slot] = None;
            self.free.push(slot);
        }
    }
}

impl Connection {
    /// Writes the rest; says whether there was one and it is gone.
    fn flush(&mut self) -> Result<bool> {
        if self.rest.is_empty() {
            return Ok(false);
        }
        let rest = std::mem::take(&mut self.rest);
        self.write(&rest)?;
        Ok(self.rest.is_empty())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let mut written = 0;
        while written < bytes.len() {
            match self.stream.write(&bytes[written..]) {
                Ok(len) => written += len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.rest = bytes[written..].to_vec();
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there; says whether more may come.
    fn read(
        &mut self,
        service: Service,
        buffer: &mut [u8],
        is_dry_when_short: bool,
    ) -> Result<bool> {
        while self.rest.is_empty() {
            let len = match self.stream.read(buffer) {
                Ok(0) => return self.end(service),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            };
            match service {
                Service::Echo => self.write(&buffer[..len])?,
                _ => self.total += len as u64,
            }
            if is_dry_when_short && len < buffer.len() {
                return Ok(true);
            }
        }
        Ok(true)
    }

    fn end(&mut self, service: Service) -> Result<bool> {
        if service == Service::Sink {
            self.stream.write_all(&self.total.to_le_bytes())?;
            self.stream.shutdown(Shutdown::Write)?;
        }
        Ok(false)
    }
}

fn udp(socket: std::net::UdpSocket) -> Result<()> {
    let mut socket = UdpSocket::from_std(socket);
    let mut poll = Poll::new()?;
    poll.registry().register(&mut socket, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(EVENTS);
    let mut buffer = vec![0; BUFFER];
    loop {
        wait(&mut poll, &mut events, None)?;
        match answer_all(&socket, &mut buffer) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}

/// Answers until nothing is there. A datagram that can't be sent is lost, as datagrams are.
fn answer_all(socket: &UdpSocket, buffer: &mut [u8]) -> Result<()> {
    loop {
        let (len, sender) = socket.recv_from(buffer)?;
        match socket.send_to(&buffer[..len], sender) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}

fn start(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let mut samples = Vec::new();
    for _ in 0..count {
        let start = Instant::now();
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(EVENTS);
        Waker::new(poll.registry(), LISTENER)?.wake()?;
        wait(&mut poll, &mut events, Some(Duration::ZERO))?;
        samples.push(start.elapsed());
    }
    start_up(samples, count)
}

/// Only sockets are something to a poller.
fn many(args: &Args) -> Result<()> {
    let (count, sockets): (u64, u64) = (args.value("n")?, args.value("sockets")?);
    iterate("many_none", count, &mut nobody())?;
    let udp = (0..sockets).map(|_| UdpSocket::bind(nowhere()));
    iterate("many_udp", count, &mut udp.collect::<Result<Vec<_>>>()?)?;
    let tcp = (0..sockets).map(|_| TcpListener::bind(nowhere()));
    iterate("many_tcp", count, &mut tcp.collect::<Result<Vec<_>>>()?)
}

fn nowhere() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn nobody() -> [TcpListener; 0] {
    []
}

/// Prints what an iteration takes beside these sockets.
fn iterate(name: &str, count: u64, idle: &mut [impl Source]) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(nowhere())?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    for socket in idle {
        poll.registry().register(socket, LISTENER, Interest::READABLE)?;
    }
    let mut events = Events::with_capacity(EVENTS);
    let start = Instant::now();
    for _ in 0..count {
        wait(&mut poll, &mut events, Some(Duration::ZERO))?;
    }
    each(name, start, count, "iteration");
    Ok(())
}

fn wake(args: &Args) -> Result<()> {
    latency(args.value("n")?)?;
    messages(args.value("msgs")?)
}

fn latency(count: u64) -> Result<()> {
    let mut poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), LISTENER)?;
    let (sending, sent) = mpsc::channel::<Instant>();
    let (telling, told) = mpsc::channel();
    let send = move |time| {
        sending.send(time).expect("the loop has the receiver");
        waker.wake().expect("the loop is there");
    };
    let other = shared::wake_often(count, send, move || told.recv().expect("the loop answers"));
    let mut events = Events::with_capacity(EVENTS);
    let mut samples = Vec::new();
    while samples.len() < count as usize {
        wait(&mut poll, &mut events, None)?;
        for sent in sent.try_iter() {
            samples.push(sent.elapsed());
            telling.send(()).expect("the other thread waits");
        }
    }
    other.join().expect("it does not panic");
    shared::wake_latency(samples, count)
}

fn messages(count: u64) -> Result<()> {
    let mut poll = Poll::new()?;
    // Kept until the end: a wake-up does not outlive its waker.
    let waker = Arc::new(Waker::new(poll.registry(), LISTENER)?);
    let queue = Arc::new(Mutex::new(Vec::<u64>::new()));
    let start = Instant::now();
    let other = {
        let (queue, waker) = (queue.clone(), waker.clone());
        std::thread::spawn(move || {
            for message in 0..count {
                queue.lock().unwrap_or_else(PoisonError::into_inner).push(message);
                waker.wake().expect("the loop is there");
            }
        })
    };
    let mut events = Events::with_capacity(EVENTS);
    let (mut taken, mut in_order) = (0, 0);
    while taken < count {
        wait(&mut poll, &mut events, None)?;
        let messages = std::mem::take(&mut *queue.lock().unwrap_or_else(PoisonError::into_inner));
        taken += messages.len() as u64;
        for message in messages {
            in_order += u64::from(message == in_order);
        }
    }
    rate("wake_msgs", start, count, "msgs");
    other.join().expect("it does not panic");
    check_done(in_order, count)
}
