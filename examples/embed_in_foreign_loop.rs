//! A program that has a loop already, and runs ours inside of it.
//!
//! ```text
//! cargo run -p examples --example embed_in_foreign_loop
//! ```
//!
//! The outer loop is what a toolkit's main loop is at heart: `poll` on some descriptors, until the next
//! frame is to be drawn. Ours brings it one descriptor more, and a time by which it wants to be run. An
//! echo server and its client run in ours, on the same thread, while the outer loop draws. Both end when
//! the client is done.

#[cfg(unix)]
fn main() -> runtime::Result {
    outer::run()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("there is no descriptor of a loop on this system");
}

#[cfg(unix)]
mod outer {
    use std::io;
    use std::time::{Duration, Instant};

    use runtime::net::{TcpListener, TcpStream};
    use runtime::time::sleep;
    use runtime::{Loop, ms, spawn};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    const FRAME: Duration = Duration::from_millis(20);

    /// The outer loop. It goes on as long as ours has something to do.
    pub(super) fn run() -> runtime::Result {
        let mut ours = Loop::new()?;
        {
            // What is made here belongs to ours.
            let _here = ours.enter();
            begin()?;
        }
        let mut next_frame = Instant::now();
        let (mut frames, mut turns) = (0, 0);
        // One iteration of ours, which does not block: whatever is ready and due.
        while ours.run_nowait()? {
            turns += 1;
            if Instant::now() >= next_frame {
                next_frame += FRAME;
                frames += 1;
                println!("frame {frames}");
            }
            let left = next_frame.saturating_duration_since(Instant::now());
            // Asked right before each wait: zero if there is something to do at once, `None` if nothing
            // but an event will come.
            let wait = ours.backend_timeout().map_or(left, |ours| ours.min(left));
            wait_for(&ours, wait)?;
        }
        println!("{}", if turns < 1_000 { "few turns" } else { "it spins" });
        Ok(())
    }

    /// Waits until ours is ready, `timeout` at most. A toolkit would have its own descriptors in the list.
    fn wait_for(ours: &Loop, timeout: Duration) -> io::Result<()> {
        let timeout = Timespec::try_from(timeout).map_err(io::Error::other)?;
        let descriptor = ours.backend_fd();
        match poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], Some(&timeout)) {
            // A signal: the next turn asks again.
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What the program does in our loop.
    fn begin() -> io::Result<()> {
        let server = TcpListener::bind("127.0.0.1:0")?;
        let address = server.local_addr()?;
        server.listen(|_, stream| {
            stream.read_start(|stream, data| {
                if let Ok(data @ [_, ..]) = data {
                    stream.write(data);
                }
            });
        });
        spawn(async move {
            let client = TcpStream::connect(address).await?;
            for word in ["one", "two", "three"] {
                sleep(ms(50)).await;
                client.write(word).await?;
                let mut buffer = [0; 16];
                let len = client.read(&mut buffer).await?;
                println!("echo: {}", String::from_utf8_lossy(&buffer[..len]));
            }
            server.close();
            io::Result::Ok(())
        })
        .detach();
        Ok(())
    }
}
