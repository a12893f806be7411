//! `sink`: read to the end, then say how much that was.

use std::io::Result;

use runtime::net::{TcpListener, TcpStream};
use runtime::spawn;

use super::serve::serve;
use crate::args::{Api, Args};

const BUFFER: usize = 64 * 1024;

pub(super) fn sink(args: &Args) -> Result<()> {
    match args.api()? {
        Api::Callback => serve(args, by_callback),
        Api::Future => serve(args, by_future),
    }
}

fn by_callback(listener: TcpListener) {
    listener.listen(|_, socket| -> runtime::Result {
        socket.set_nodelay(true)?;
        let mut total = 0;
        socket.read_start(move |socket, data| match data {
            Ok([]) => {
                socket.write(u64::to_le_bytes(total));
                socket.shutdown();
            }
            Ok(data) => total += data.len() as u64,
            Err(_) => {} // a reset: the socket closes by itself
        });
        Ok(())
    });
}

fn by_future(listener: TcpListener) {
    spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            spawn(read_to_the_end(socket));
        }
    });
}

async fn read_to_the_end(socket: TcpStream) -> Result<()> {
    socket.set_nodelay(true)?;
    let (mut buffer, mut total) = (vec![0; BUFFER], 0);
    loop {
        match socket.read(&mut buffer).await? {
            0 => return socket.write(u64::to_le_bytes(total)).await,
            read => total += read as u64,
        }
    }
}
