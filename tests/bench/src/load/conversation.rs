//! Conversations: many sockets, one message under way on each.
//!
//! ```text
//!    ask ──▶ 64 bytes ──▶ server ──▶ 64 bytes, compared ──▶ ask again, while there is more to ask
//! ```
//!
//! One thread and one epoll, as small as the server's own: on two cores there is no room for more.

use std::io::{Error, ErrorKind, Result};
use std::os::fd::OwnedFd;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;

use super::Load;
use super::message::{LEN, message};

/// Sockets in conversation with one server.
pub(super) struct Conversations<'a> {
    load: &'a Load,
    epoll: OwnedFd,
    all: Vec<Conversation>,
}

impl<'a> Conversations<'a> {
    pub(super) fn new(load: &'a Load) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { load, epoll, all: Vec::new() })
    }

    /// Adds a connected, non-blocking socket.
    pub(super) fn add(&mut self, socket: OwnedFd) -> Result<()> {
        let number = self.all.len() as u64;
        let key = epoll::EventData::new_u64(number);
        epoll::add(&self.epoll, &socket, key, epoll::EventFlags::IN)?;
        self.all.push(Conversation {
            socket,
            number,
            asked: 0,
            sent: [0; LEN],
            heard: LEN,
            answers: 0,
        });
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Asks `requests` times, the sockets from number `first` on, and returns when all are answered.
    ///
    /// Who is answered is asked again, so that the sockets take as many turns as the server gives them.
    pub(super) fn ask(&mut self, first: usize, requests: u64) -> Result<()> {
        let (mut to_ask, mut to_hear) = (requests, requests);
        for conversation in self.all[first..].iter_mut().take(requests as usize) {
            conversation.ask()?;
            to_ask -= 1;
        }
        let mut events = Vec::with_capacity(1024);
        while to_hear > 0 {
            wait(&self.epoll, &mut events, self.load)?;
            for event in &events {
                let conversation = &mut self.all[event.data.u64() as usize];
                if !conversation.hear()? {
                    continue;
                }
                to_hear -= 1;
                if to_ask > 0 {
                    conversation.ask()?;
                    to_ask -= 1;
                }
            }
        }
        Ok(())
    }

    /// The same with `active` sockets at a time, each of which has its turn.
    pub(super) fn ask_in_turn(&mut self, active: usize, requests: u64) -> Result<()> {
        if active >= self.all.len() {
            return self.ask(0, requests);
        }
        // As many turns as there are active ones; in each, those that are answered pass it on.
        let (mut to_ask, mut to_hear, mut next) = (requests, requests, 0);
        let mut events = Vec::with_capacity(1024);
        let mut turns = active;
        while to_hear > 0 {
            for _ in 0..turns.min(to_ask as usize) {
                next = self.next_silent(next);
                self.all[next].ask()?;
                to_ask -= 1;
            }
            turns = 0;
            wait(&self.epoll, &mut events, self.load)?;
            for event in &events {
                if self.all[event.data.u64() as usize].hear()? {
                    to_hear -= 1;
                    turns += 1;
                }
            }
        }
        Ok(())
    }

    /// Returns who comes behind `number` and has nothing under way.
    fn next_silent(&self, number: usize) -> usize {
        let behind = (number + 1..self.all.len()).chain(0..=number);
        let mut silent = behind.filter(|next| self.all[*next].heard == LEN);
        silent.next().expect("fewer are active than there are")
    }

    pub(super) fn forget_counts(&mut self) {
        self.all.iter_mut().for_each(|conversation| conversation.answers = 0);
    }

    /// Returns the answers that the worst served socket got, as a share of the mean.
    pub(super) fn share_of_the_slowest(&self) -> f64 {
        let answers = || self.all.iter().map(|conversation| conversation.answers);
        let mean = answers().sum::<u64>() as f64 / self.all.len() as f64;
        answers().min().unwrap_or(0) as f64 / mean
    }
}

/// Waits until something is ready, and puts it into `events`.
fn wait(epoll: &OwnedFd, events: &mut Vec<epoll::Event>, load: &Load) -> Result<()> {
    events.clear();
    while events.is_empty() {
        let timeout = Timespec::try_from(load.time_left()?).map_err(Error::other)?;
        match epoll::wait(epoll, spare_capacity(events), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

struct Conversation {
    socket: OwnedFd,
    number: u64,
    asked: u64,
    /// What was asked last.
    sent: [u8; LEN],
    /// How much of it came back; all of it where nothing is under way.
    heard: usize,
    /// Since the measurement began.
    answers: u64,
}

impl Conversation {
    fn ask(&mut self) -> Result<()> {
        self.sent = message(self.number, self.asked);
        self.asked += 1;
        self.heard = 0;
        if rustix::io::write(&self.socket, &self.sent)? < LEN {
            return Err(Error::other("the socket has no room for one message"));
        }
        Ok(())
    }

    /// Takes what has come; says whether it completes the answer.
    fn hear(&mut self) -> Result<bool> {
        // Room for more than is right, so that a server that says too much is found out.
        let mut bytes = [0; 2 * LEN];
        let len = match rustix::io::read(&self.socket, &mut bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(len) => len,
            Err(Errno::AGAIN) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if !self.sent[self.heard..].starts_with(&bytes[..len]) {
            return Err(Error::other(format!("connection {}: a wrong answer", self.number)));
        }
        self.heard += len;
        let is_whole = self.heard == LEN;
        self.answers += u64::from(is_whole);
        Ok(is_whole)
    }
}
