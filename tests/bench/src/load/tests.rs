//! Servers that lie: none of them gets a figure.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::{Load, Server};

/// Lets `serve` do with each of its connections what it likes, and runs a load on it.
fn run(workload: &str, seconds: u64, serve: fn(TcpStream) -> Result<()>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let load = Load {
        port: listener.local_addr()?.port(),
        server: Server::new(std::process::id()),
        connections: 3,
        active: None,
        requests: 20,
        deadline: Instant::now() + Duration::from_secs(seconds),
    };
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    load.run(workload)
}

/// Answers the first `honest` messages as they are, and what follows as `lie` has it.
fn echo(mut stream: TcpStream, honest: usize, lie: fn(&mut Vec<u8>)) -> Result<()> {
    for count in 0.. {
        let mut message = vec![0; 64];
        stream.read_exact(&mut message)?;
        if count >= honest {
            lie(&mut message);
        }
        stream.write_all(&message)?;
    }
    Ok(())
}

fn expect_lie(outcome: Result<()>) {
    assert_eq!(outcome.expect_err("a lie passed").kind(), ErrorKind::Other);
}

#[test]
fn an_honest_echo_is_measured() {
    run("echo", 60, |stream| echo(stream, usize::MAX, |_| ())).unwrap();
}

#[test]
fn one_wrong_bit_is_found() {
    expect_lie(run("echo", 60, |stream| echo(stream, 2, |message| message[63] ^= 1)));
}

#[test]
fn an_answer_that_is_too_long_is_found() {
    expect_lie(run("echo", 60, |stream| echo(stream, 2, |message| message.push(0))));
}

#[test]
fn an_old_answer_is_found() {
    expect_lie(run("echo", 60, |mut stream| {
        let mut message = vec![0; 64];
        stream.read_exact(&mut message)?;
        loop {
            stream.write_all(&message)?;
            stream.read_exact(&mut [0; 64])?;
        }
    }));
}

#[test]
fn a_silent_server_is_given_up() {
    let outcome = run("echo", 1, |mut stream| stream.read_to_end(&mut Vec::new()).map(drop));
    assert_eq!(outcome.expect_err("silence passed").kind(), ErrorKind::TimedOut);
}

#[test]
fn a_sink_that_counts_wrong_is_found() {
    expect_lie(run("stream", 60, |mut stream| {
        let counted = stream.read_to_end(&mut Vec::new())? as u64;
        stream.write_all(&(counted - 1).to_le_bytes())
    }));
}

#[test]
fn a_server_that_talks_instead_of_closing_is_found() {
    expect_lie(run("accept", 60, |mut stream| stream.write_all(b"!")));
}
