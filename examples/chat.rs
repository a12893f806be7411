//! A chat room: what one says, a line at a time, all others get.
//!
//! ```text
//! cargo run -p examples --example chat -- 7000
//! ```
//!
//! prints `127.0.0.1:7000` (without an argument, the address with a port that was free) and serves
//! until it is killed. Enter by `nc 127.0.0.1 7000`, twice; the first line you send is your name.
//!
//! ```text
//! $ nc 127.0.0.1 7000
//! your name?
//! ann
//! * bob is here
//! bob: hello
//! * bob is gone
//! ```

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use runtime::net::{TcpListener, TcpStream};

/// Whose line gets longer than this has to leave.
const LONGEST_LINE: usize = 4096;
/// And so has who reads so slowly that more than this waits for it.
const WAITING_BYTES: usize = 256 * 1024;

/// Names by connection (a handle is equal to its clones, and to nothing else).
///
/// All callbacks run on one thread, so there is no lock. And no call of the runtime runs a callback
/// from inside: nobody else can come by while one has borrowed this, though it writes to sockets.
#[derive(Clone, Default)]
struct Room(Rc<RefCell<HashMap<TcpStream, String>>>);

#[runtime::main]
fn main() -> runtime::Result {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse().map_err(|_| format!("{port:?} is no port"))?,
        None => 0,
    };
    let server = TcpListener::bind(("127.0.0.1", port))?;
    println!("{}", server.local_addr()?);

    let room = Room::default();
    server.listen(move |_, socket| welcome(room.clone(), &socket));
    Ok(())
}

fn welcome(room: Room, socket: &TcpStream) {
    // A write on top of that many bytes closes the socket, of which its read callback is told.
    socket.set_write_limit(WAITING_BYTES);
    socket.write("your name?\n");

    let mut typed = Vec::new();
    socket.read_start(move |me, data| match data {
        Ok([]) => {
            room.leave(me);
            me.shutdown();
        }
        Ok(data) => {
            // What comes in one piece may be half a line, or many.
            typed.extend_from_slice(data);
            let end = typed.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            for line in typed[..end].split_inclusive(|byte| *byte == b'\n') {
                room.hear(me, &printable(line));
            }
            typed.drain(..end);
            if typed.len() > LONGEST_LINE {
                room.leave(me);
                me.close();
            }
        }
        Err(_) => room.leave(me),
    });
}

impl Room {
    fn hear(&self, speaker: &TcpStream, line: &str) {
        let name = self.0.borrow().get(speaker).cloned();
        match name {
            Some(name) => self.tell_all_but(speaker, &format!("{name}: {line}\n")),
            None => {
                self.tell_all_but(speaker, &format!("* {line} is here\n"));
                self.0.borrow_mut().insert(speaker.clone(), line.to_owned());
            }
        }
    }

    fn leave(&self, socket: &TcpStream) {
        let name = self.0.borrow_mut().remove(socket);
        if let Some(name) = name {
            self.tell_all_but(socket, &format!("* {name} is gone\n"));
        }
    }

    fn tell_all_but(&self, speaker: &TcpStream, line: &str) {
        for peer in self.0.borrow().keys().filter(|peer| *peer != speaker) {
            peer.write(line);
        }
    }
}

/// Without control characters: nobody shall play with other people's terminals.
fn printable(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().filter(|char| !char.is_control()).collect()
}
