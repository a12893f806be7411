//! `accept`: connections that are closed as soon as they are there.

use std::io::Result;

use runtime::net::TcpListener;
use runtime::spawn;

use super::serve::serve;
use crate::args::{Api, Args};

pub(super) fn accept(args: &Args) -> Result<()> {
    match args.api()? {
        Api::Callback => serve(args, by_callback),
        Api::Future => serve(args, by_future),
    }
}

fn by_callback(listener: TcpListener) {
    listener.listen(|_, socket| -> runtime::Result {
        socket.set_nodelay(true)?;
        socket.close();
        Ok(())
    });
}

fn by_future(listener: TcpListener) {
    spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            socket.set_nodelay(true).expect("an open socket has options");
            socket.close();
        }
    });
}
