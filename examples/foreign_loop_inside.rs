//! A library that brings a loop of its own, run inside of ours.
//!
//! ```text
//! cargo run -p examples --example foreign_loop_inside
//! ```
//!
//! Such libraries (libcurl's multi interface, c-ares, many that speak QUIC) offer three things: a
//! descriptor to wait for, a time by which they want to be called, and a call that does what can be done
//! now. A `Poll` watches the one, a `Timer` counts the other. The library here is a small one over `mio`.
//! It pings an echo server of ours five times, and the program ends when it is done.

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    inside::main()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("mio has no descriptor on this system");
}

#[cfg(unix)]
mod inside {
    use std::cell::RefCell;
    use std::io;
    use std::rc::Rc;
    use std::time::Duration;

    use runtime::handle::{Interest, Poll, Timer};
    use runtime::net::UdpSocket;

    use super::library::Pings;

    #[runtime::main]
    pub(super) fn main() -> runtime::Result {
        let server = UdpSocket::bind("127.0.0.1:0")?;
        server.recv_start(|server, datagram| {
            if let Ok((bytes, from)) = datagram {
                drop(server.send_to(bytes, from));
            }
        });
        // It serves as long as somebody else keeps the loop alive.
        server.unref();
        embed(Pings::new(server.local_addr()?)?)?;
        Ok(())
    }

    /// Lets our loop run the library until it is done.
    fn embed(library: Pings) -> io::Result<()> {
        let poll = Poll::new(library.descriptor())?;
        let timer = Timer::new();
        let wait = library.timeout();
        let library = Rc::new(RefCell::new(library));
        poll.start(Interest::READABLE, {
            let (library, timer) = (library.clone(), timer.clone());
            move |poll, ready| {
                ready?;
                step(&library, poll, &timer)
            }
        });
        timer.start(wait, Duration::MAX, {
            // The callback belongs to the timer, and the other one has the timer: a weak end would do as
            // well as closing both, which `step` does.
            let poll = poll.clone();
            move |timer| step(&library, &poll, timer)
        })
    }

    /// One call of the library; then it may want to be called at another time.
    fn step(library: &RefCell<Pings>, poll: &Poll, timer: &Timer) -> runtime::Result {
        let mut library = library.borrow_mut();
        if library.step()? {
            println!("{} answers", library.answers());
            poll.close();
            timer.close();
            return Ok(());
        }
        // `again` keeps the callback and counts from now.
        timer.set_repeat(library.timeout().max(Duration::from_millis(1)));
        timer.again()?;
        Ok(())
    }
}

/// Somebody else's code: it knows nothing of our loop.
#[cfg(unix)]
mod library {
    use std::io;
    use std::net::SocketAddr;
    use std::time::{Duration, Instant};

    use mio::net::UdpSocket;
    use mio::{Events, Interest, Poll, Registry, Token};

    const EVERY: Duration = Duration::from_millis(10);
    const PINGS: usize = 5;

    pub(super) struct Pings {
        poll: Poll,
        events: Events,
        socket: UdpSocket,
        next: Instant,
        sent: usize,
        answers: usize,
    }

    impl Pings {
        pub(super) fn new(server: SocketAddr) -> io::Result<Self> {
            let (poll, events) = (Poll::new()?, Events::with_capacity(16));
            let mut socket = UdpSocket::bind(([127, 0, 0, 1], 0).into())?;
            socket.connect(server)?;
            poll.registry().register(&mut socket, Token(0), Interest::READABLE)?;
            Ok(Self { poll, events, socket, next: Instant::now(), sent: 0, answers: 0 })
        }

        pub(super) fn descriptor(&self) -> &Registry {
            self.poll.registry()
        }

        pub(super) fn timeout(&self) -> Duration {
            self.next.saturating_duration_since(Instant::now())
        }

        pub(super) fn answers(&self) -> usize {
            self.answers
        }

        /// Does what can be done now. True: it is done.
        pub(super) fn step(&mut self) -> io::Result<bool> {
            self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
            if !self.events.is_empty() {
                while self.socket.recv(&mut [0; 16]).is_ok() {
                    self.answers += 1;
                    println!("an answer");
                }
            }
            if self.sent < PINGS && Instant::now() >= self.next {
                self.socket.send(b"ping")?;
                self.sent += 1;
                self.next = Instant::now() + EVERY;
            }
            Ok(self.answers == PINGS)
        }
    }
}
