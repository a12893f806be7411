//! An HTTP/1.1 server that says hello, by callbacks: with keep-alive, pipelining, and bad clients.
//!
//! ```text
//! cargo run --release -p examples --example http_hello -- 7000
//! ```
//!
//! prints `127.0.0.1:7000` (without an argument, the address with a port that was free) and serves
//! until it is killed. Try `curl -i 127.0.0.1:7000` and `wrk -t1 -c50 -d5s http://127.0.0.1:7000/`.
//!
//! Bodies are skipped; chunked ones are refused (411), as are long heads (431) and nonsense (400).

use std::cell::RefCell;
use std::mem::{MaybeUninit, take};
use std::rc::Rc;

use httparse::{Error, Header, Request, Status};
use runtime::net::{TcpListener, TcpStream};
use runtime::secs;

const LONGEST_HEAD: usize = 16 * 1024;
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n";
const REFUSAL: &str = "Connection: close\r\nContent-Length: 0\r\n\r\n";
const HELLO: &str = "Hello, world!\n";

#[runtime::main]
fn main() -> runtime::Result {
    let port = match std::env::args().nth(1) {
        Some(port) => port.parse().map_err(|_| format!("{port:?} is no port"))?,
        None => 0,
    };
    let server = TcpListener::bind(("127.0.0.1", port))?;
    println!("{}", server.local_addr()?);

    // One buffer for all connections: all of this is one thread.
    let answers = Rc::<RefCell<Vec<u8>>>::default();
    server.listen(move |_, socket| serve(&socket, answers.clone()));
    Ok(())
}

fn serve(socket: &TcpStream, answers: Rc<RefCell<Vec<u8>>>) {
    socket.set_idle_timeout(secs(30));
    let mut connection = Connection::default();
    socket.read_start(move |socket, data| {
        // An error (a reset, or idle) closes the socket; after the last answer nothing counts.
        let (Ok(data), false) = (data, connection.is_over) else { return };
        let answers = &mut *answers.borrow_mut();
        connection.read(data, answers);
        if !answers.is_empty() {
            socket.write(&*answers); // one write for all that came in one piece
            answers.clear();
        }
        if connection.is_over {
            // Not `close`: with unread input that would be a reset, which can overtake the answer.
            // When the peer ends too the socket closes by itself.
            socket.shutdown();
            socket.set_idle_timeout(secs(2));
        } else if socket.is_full() {
            // A peer that sends requests and does not read the answers has to wait.
            socket.on_drain(|socket| socket.resume());
            socket.pause();
        }
    });
}

/// What has to be remembered from one piece of input to the next.
#[derive(Default)]
struct Connection {
    /// A part of a head. Mostly none: then requests are parsed right in the loop's buffer.
    partial: Vec<u8>,
    /// Bytes of a body that are still to come.
    body: u64,
    /// The last answer was given.
    is_over: bool,
}

impl Connection {
    fn read(&mut self, data: &[u8], answers: &mut Vec<u8>) {
        self.is_over = data.is_empty(); // the end
        let mut input = take(&mut self.partial);
        if input.is_empty() {
            self.partial = self.answer(data, answers).to_vec();
        } else {
            input.extend_from_slice(data);
            self.partial = self.answer(&input, answers).to_vec();
        }
    }

    /// Answers the requests in `input`; gives back what is not a whole one yet.
    fn answer<'a>(&mut self, mut input: &'a [u8], answers: &mut Vec<u8>) -> &'a [u8] {
        loop {
            let skipped = usize::try_from(self.body).unwrap_or(usize::MAX).min(input.len());
            self.body -= skipped as u64;
            input = &input[skipped..];
            if input.is_empty() || self.is_over {
                return &[];
            }
            let mut headers = [const { MaybeUninit::uninit() }; 64];
            let mut request = Request::new(&mut []);
            let head = match request.parse_with_uninit_headers(input, &mut headers) {
                Ok(Status::Partial) if input.len() < LONGEST_HEAD => return input,
                Ok(Status::Complete(head)) if head <= LONGEST_HEAD => Ok(head),
                Ok(_) | Err(Error::TooManyHeaders) => Err("431 Request Header Fields Too Large"),
                Err(_) => Err("400 Bad Request"),
            };
            let mut put = |text: &str| answers.extend_from_slice(text.as_bytes());
            match head.and_then(|head| Ok((head, Wish::of(&request)?))) {
                Ok((head, wish)) => {
                    put(if wish.waits_for_word { "HTTP/1.1 100 Continue\r\n\r\n" } else { "" });
                    put(OK);
                    put(if wish.is_last { "Connection: close\r\n\r\n" } else { "\r\n" });
                    put(if request.method == Some("HEAD") { "" } else { HELLO });
                    (self.body, self.is_over) = (wish.body, wish.is_last);
                    input = &input[head..];
                }
                Err(status) => {
                    put(&format!("HTTP/1.1 {status}\r\n{REFUSAL}"));
                    self.is_over = true;
                }
            }
        }
    }
}

/// What a head says of what comes next; if it makes sense, else why not.
struct Wish {
    body: u64,
    waits_for_word: bool,
    is_last: bool,
}

impl Wish {
    fn of(request: &Request<'_, '_>) -> Result<Self, &'static str> {
        let mut wish = Self { body: 0, waits_for_word: false, is_last: request.version == Some(0) };
        let mut has_length = false;
        for Header { name, value } in request.headers.iter() {
            if name.eq_ignore_ascii_case("connection") {
                let mut words = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
                wish.is_last |= words.any(|word| word.eq_ignore_ascii_case(b"close"));
            } else if name.eq_ignore_ascii_case("content-length") {
                // Strictly: what is a body here must not be a request to a server behind.
                let is_number = value.iter().all(u8::is_ascii_digit) && !has_length;
                let text = str::from_utf8(value).ok().filter(|_| is_number);
                wish.body = text.and_then(|text| text.parse().ok()).ok_or("400 Bad Request")?;
                has_length = true;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err("411 Length Required");
            } else if name.eq_ignore_ascii_case("expect") {
                wish.waits_for_word = request.version == Some(1);
            }
        }
        Ok(wish)
    }
}
