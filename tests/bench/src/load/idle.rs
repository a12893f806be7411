//! Idle connections: the memory that a server keeps for each.

use std::io::{Error, Result};

use bench::report::figure;

use super::conversation::Conversations;
use super::{Load, echo};

/// So many come first, unmeasured: what a server sets up once is not a connection's.
const WARM: usize = 1000;

pub(super) fn run(load: &Load) -> Result<()> {
    let mut conversations = Conversations::new(load)?;
    connect(&mut conversations, load, WARM)?;
    let before = load.server.resident_bytes()?;
    connect(&mut conversations, load, load.connections)?;
    let after = load.server.resident_bytes()?;
    if after <= before {
        return Err(Error::other("too few connections: the server's memory did not grow"));
    }
    figure("memory_per_connection", (after - before) as f64 / load.connections as f64, "bytes");
    Ok(())
}

/// Opens connections, in groups that fit into the backlog, each of which is answered once.
fn connect(conversations: &mut Conversations<'_>, load: &Load, mut count: usize) -> Result<()> {
    const GROUP: usize = 1000;
    while count > 0 {
        let (first, group) = (conversations.len(), count.min(GROUP));
        for _ in 0..group {
            conversations.add(echo::tcp_socket(load)?)?;
        }
        conversations.ask(first, group as u64)?;
        count -= group;
    }
    Ok(())
}
