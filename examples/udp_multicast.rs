//! Members of a group find one another by multicast: each announces itself, answers whom it hears
//! first, and leaves when it knows the others.
//!
//! ```text
//! cargo run -p examples --example udp_multicast
//! ```
//!
//! needs no network: three members meet on the loopback interface, and the program ends.
//!
//! ```text
//! ann hears bob, cat
//! bob hears ann, cat
//! cat hears ann, bob
//! ```
//!
//! With the address of an interface of this machine (`-- 192.168.1.7`) they stay there for two seconds,
//! and hear the members on other machines too, wherever it runs just then.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use runtime::net::UdpSocket;
use runtime::time::{Instant, timeout};
use runtime::{Loop, ms, spawn};

/// A group that is free for use within a site.
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 70, 7);
/// Where machines meet. On loopback it is a port that is free, so that two runs do not meet.
const PORT: u16 = 7077;
const MEMBERS: [&str; 3] = ["ann", "bob", "cat"];
/// A datagram may be lost: what is said is said again.
const AGAIN: Duration = ms(200);
const LONGEST_STAY: Duration = ms(2_000);

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let interface = match &arguments[..] {
        [] => Ok(Ipv4Addr::LOCALHOST),
        [address] => address.parse(),
        _ => "".parse(),
    };
    let Ok(interface) = interface else {
        eprintln!("usage: udp_multicast [IPv4 address of an interface], not {arguments:?}");
        return ExitCode::from(2);
    };
    match meet(interface) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("no multicast at {interface}: {error}");
            // Not each machine has it on loopback. An interface that was asked for is another matter.
            ExitCode::from(u8::from(!interface.is_loopback()))
        }
    }
}

/// All members in one loop, each with a socket and a task of its own.
fn meet(interface: Ipv4Addr) -> runtime::Result {
    let mut lp = Loop::new()?;
    lp.block_on(async {
        let mut port = if interface.is_loopback() { 0 } else { PORT };
        let mut tasks = Vec::new();
        for name in MEMBERS {
            let socket = join(interface, port)?;
            port = socket.local_addr()?.port();
            let member = Member::new(name, socket, port, interface);
            tasks.push((name, spawn(member.stay())));
        }
        for (name, task) in tasks {
            let heard = task.await??;
            let heard: Vec<_> = heard.into_iter().collect();
            let all = if heard.is_empty() { "nobody".to_owned() } else { heard.join(", ") };
            println!("{name} hears {all}");
        }
        Ok(())
    })
}

fn join(interface: Ipv4Addr, port: u16) -> io::Result<UdpSocket> {
    // All of them have one port: what comes to the group comes to each.
    let socket = UdpSocket::options().reuse_address(true).bind(("0.0.0.0", port))?;
    socket.join_multicast(GROUP, interface)?;
    socket.set_multicast_interface(interface)?;
    // Not further than the local network, nor off this machine if it need not go.
    socket.set_multicast_ttl(if interface.is_loopback() { 0 } else { 1 })?;
    Ok(socket)
}

struct Member {
    /// What the others know it by: `ann`, or `ann@4711` where other processes have an `ann` too.
    name: String,
    socket: UdpSocket,
    group: SocketAddr,
    interface: Ipv4Addr,
    heard: BTreeSet<String>,
}

impl Member {
    fn new(name: &str, socket: UdpSocket, port: u16, interface: Ipv4Addr) -> Self {
        let name = match interface.is_loopback() {
            true => name.to_owned(),
            false => format!("{name}@{}", std::process::id()),
        };
        Self { name, socket, group: (GROUP, port).into(), interface, heard: BTreeSet::new() }
    }

    /// Whether it knows all there are, which can be known on loopback only.
    fn is_done(&self) -> bool {
        self.interface.is_loopback() && self.heard.len() == MEMBERS.len() - 1
    }

    /// From announcing itself to leaving; the result is who was heard.
    async fn stay(mut self) -> io::Result<BTreeSet<String>> {
        let end = Instant::now() + LONGEST_STAY;
        while !self.is_done() && Instant::now() < end {
            self.say("hello").await?;
            // The time is up: the announcement may have been lost.
            if let Ok(failed) = timeout(AGAIN, self.listen()).await {
                failed?;
            }
        }
        self.socket.leave_multicast(GROUP, self.interface)?;
        Ok(self.heard)
    }

    async fn say(&self, word: &str) -> io::Result<()> {
        self.socket.send_to(format!("{word} {}", self.name), self.group).await?;
        Ok(())
    }

    async fn listen(&mut self) -> io::Result<()> {
        let mut buffer = [0; 128];
        while !self.is_done() {
            let (len, _) = self.socket.recv_from(&mut buffer).await?;
            // Anybody can send to a group: what is no greeting is not for us.
            let Ok(text) = std::str::from_utf8(&buffer[..len]) else { continue };
            match text.split_once(' ') {
                // What it says itself comes back too.
                Some((_, name)) if name == self.name => {}
                Some(("hello", name)) => {
                    self.heard.insert(name.to_owned());
                    // Who says hello may have come after ours.
                    self.say("here").await?;
                }
                Some(("here", name)) => drop(self.heard.insert(name.to_owned())),
                _ => {}
            }
        }
        Ok(())
    }
}
