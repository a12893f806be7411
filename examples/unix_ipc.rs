//! A parent that accepts TCP connections and passes each to one of its worker processes, which answers it.
//!
//! ```text
//! cargo run -p examples --example unix_ipc
//! ```
//!
//! The workers are this program once more, with the path of the parent's local socket as an argument. The
//! parent connects to itself eight times, prints what each connection was told and how many each worker
//! had, and ends:
//!
//! ```text
//! connection 0: answered by a worker
//! ...
//! worker 1 had 4 connections: exit status: 0
//! ```
//!
//! The parent never reads from nor writes to a connection that it has passed on. For Unix.

#[cfg(unix)]
#[runtime::main]
async fn main() -> runtime::Result {
    match std::env::args().nth(1) {
        Some(path) => ipc::work(&path).await?,
        None => ipc::serve().await?,
    }
    Ok(())
}

#[cfg(not(unix))]
fn main() {
    eprintln!("descriptors are passed on Unix only");
}

#[cfg(unix)]
mod ipc {
    use std::io;
    use std::path::Path;

    use futures_lite::future::or;
    use runtime::net::{TcpListener, TcpStream, UnixListener, UnixOptions, UnixStream};
    use runtime::process::{Command, Process};
    use runtime::spawn;

    const WORKERS: usize = 2;
    const CONNECTIONS: usize = 8;

    pub(super) async fn serve() -> runtime::Result {
        let path = std::env::temp_dir().join(format!("unix-ipc-{}", std::process::id()));
        // Only processes of this user may be workers.
        let hub = UnixOptions::default().mode(0o600).bind(&path)?;
        let mut workers = Vec::new();
        for _ in 0..WORKERS {
            workers.push(begin_worker(&hub, &path).await?);
        }
        hub.close(); // the file is gone, the connections to the workers stay

        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let clients = spawn(async move {
            let mut answers = Vec::new();
            for n in 0..CONNECTIONS {
                let socket = TcpStream::connect(address).await?;
                socket.write(format!("connection {n}")).await?;
                let mut buffer = [0; 64];
                let len = socket.read(&mut buffer).await?;
                answers.push(String::from_utf8_lossy(&buffer[..len]).into_owned());
            }
            io::Result::Ok(answers)
        });
        let mut passed = [0; WORKERS];
        for n in 0..CONNECTIONS {
            let (socket, _) = listener.accept().await?;
            let worker = n % WORKERS;
            // The socket leaves this loop, and goes with the byte; it is closed here then.
            workers[worker].0.write_with_fds("c", [socket.into_std()?.into()]).await?;
            passed[worker] += 1;
        }
        for answer in clients.await?? {
            println!("{answer}");
        }
        for (n, (channel, child)) in workers.into_iter().enumerate() {
            // The end of the channel is the end of the worker.
            channel.shutdown().await?;
            let status = child.wait().await?;
            println!("worker {n} had {} connections: {status}", passed[n]);
        }
        Ok(())
    }

    /// A worker, when it has connected.
    async fn begin_worker(hub: &UnixListener, path: &Path) -> io::Result<(UnixStream, Process)> {
        let child = Command::new(std::env::current_exe()?).arg(path).spawn()?;
        let ended = async {
            let status = child.wait().await?;
            Err(io::Error::other(format!("a worker ended before it connected: {status}")))
        };
        let (channel, _) = or(hub.accept(), ended).await?;
        Ok((channel, child))
    }

    /// Answers the connections that come, until the parent ends.
    pub(super) async fn work(path: &str) -> io::Result<()> {
        let parent = UnixStream::connect(path).await?;
        let mut buffer = [0; 64];
        loop {
            let (len, received) = parent.read_with_fds(&mut buffer, 16).await?;
            if len == 0 {
                return Ok(());
            }
            for fd in received.fds {
                spawn(answer(TcpStream::from_std(fd.into())?));
            }
        }
    }

    async fn answer(socket: TcpStream) -> io::Result<()> {
        let mut buffer = [0; 64];
        let len = socket.read(&mut buffer).await?;
        let question = String::from_utf8_lossy(&buffer[..len]).into_owned();
        socket.write(format!("{question}: answered by a worker")).await
    }
}
