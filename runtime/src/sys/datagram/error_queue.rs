//! Linux keeps what the network says of datagrams in a queue of the socket, with their addresses, for
//! who asks for that.
//!
//! ```text
//!   an ICMP message ──▶ [ queue ]  ── recvmsg(MSG_ERRQUEUE) ──▶ errno, to whom, who says so
//!                    └▶ one errno  ── the next call of any kind fails with it
//! ```
//!
//! The poller reports an error as long as the queue is not empty; to take the last one out clears the
//! single errno too.

use std::io;
use std::mem;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use rustix::io::Errno;
use socket2::Socket;

use super::name::Name;
use super::undelivered::Undelivered;
use crate::sys::unix::retry;

/// Room for what comes with an entry: the error itself, and what else the socket was told to note.
#[repr(C, align(8))]
struct Control([u8; 512]);

/// Takes what the network said next of a datagram out of the queue. What it says of others is skipped:
/// an error of the own system was told to who sent, and notes such as time stamps are no errors.
pub(crate) fn take_error(socket: &Socket) -> Option<io::Error> {
    loop {
        let (mut name, mut control) = (Name::EMPTY, Control([0; 512]));
        // Nothing more is there, or nothing can be: then the next call that receives says why.
        let len = receive(socket, &mut name, &mut control).ok()?;
        let found = Messages(&control.0[..len.min(control.0.len())]).find_map(Message::code);
        if let (Some((code, reported_by)), Some(to)) = (found, name.address()) {
            return Some(Undelivered::error(to, reported_by, code));
        }
    }
}

/// Receives the next entry: to whom the datagram was sent, and the messages that tell of it. The result
/// is the length of these.
fn receive(socket: &Socket, name: &mut Name, control: &mut Control) -> io::Result<usize> {
    // SAFETY: plain numbers and pointers, for which zeros are a value.
    #[allow(unsafe_code)]
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = (&raw mut *name).cast();
    header.msg_namelen = Name::LEN as libc::socklen_t;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len() as _;
    retry(|| {
        // SAFETY: the header points to `name` and `control`, which outlive the call, with their
        // lengths; it has no buffer, so what is left of the datagram itself is dropped.
        #[allow(unsafe_code)]
        let received =
            unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_ERRQUEUE) };
        if received < 0 { Err(last_error()) } else { Ok(header.msg_controllen as usize) }
    })
}

/// The messages that came with an entry, each behind a header of its length, level and kind.
struct Messages<'a>(&'a [u8]);

struct Message<'a> {
    level: i32,
    kind: i32,
    bytes: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        const HEADER: usize = mem::size_of::<libc::cmsghdr>();
        let header = self.0.get(..HEADER)?;
        let number =
            |at: usize| i32::from_ne_bytes(header[at..at + 4].try_into().expect("4 bytes"));
        // The length is in the low half of a field that may be longer, and never as long as that.
        let low = mem::offset_of!(libc::cmsghdr, cmsg_len);
        let low = if cfg!(target_endian = "big") { low + mem::size_of::<usize>() - 4 } else { low };
        let len = usize::try_from(number(low)).ok()?;
        let message = Message {
            level: number(mem::offset_of!(libc::cmsghdr, cmsg_level)),
            kind: number(mem::offset_of!(libc::cmsghdr, cmsg_type)),
            bytes: self.0.get(HEADER..len)?,
        };
        self.0 = self.0.get(len.next_multiple_of(mem::size_of::<usize>())..).unwrap_or_default();
        Some(message)
    }
}

impl Message<'_> {
    /// The error that the network told, and who told it, if this is one.
    fn code(self) -> Option<(i32, Option<IpAddr>)> {
        const ENTRY: usize = mem::size_of::<libc::sock_extended_err>();
        let is_error = matches!(
            (self.level, self.kind),
            (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR)
        );
        if !is_error || self.bytes.len() < ENTRY {
            return None;
        }
        let (entry, offender) = self.bytes.split_at(ENTRY);
        let origin = entry[mem::offset_of!(libc::sock_extended_err, ee_origin)];
        if ![libc::SO_EE_ORIGIN_ICMP, libc::SO_EE_ORIGIN_ICMP6].contains(&origin) {
            return None;
        }
        let code = i32::from_ne_bytes(entry[..4].try_into().expect("4 bytes"));
        Some((code, Name::read(offender).address().map(|address| address.ip())))
    }
}

/// Lets the system keep in the queue what the network says of datagrams that `socket` sends.
pub(crate) fn queue_errors(socket: &Socket, is_v6: bool) -> io::Result<()> {
    let on: libc::c_int = 1;
    // A socket of IPv6 may send to addresses of IPv4 too.
    for (level, option) in OPTIONS.into_iter().take(if is_v6 { 2 } else { 1 }) {
        retry(|| {
            // SAFETY: the system reads a number, of the length that it is told, and keeps no pointer.
            #[allow(unsafe_code)]
            let done = unsafe {
                let len = mem::size_of_val(&on) as libc::socklen_t;
                let value = (&raw const on).cast();
                libc::setsockopt(socket.as_raw_fd(), level, option, value, len)
            };
            if done == 0 { Ok(()) } else { Err(last_error()) }
        })?;
    }
    Ok(())
}

/// Whether errors are kept in the queue.
pub(crate) fn queues_errors(socket: &Socket) -> bool {
    OPTIONS.into_iter().any(|(level, option)| {
        let mut on: libc::c_int = 0;
        let mut len = mem::size_of_val(&on) as libc::socklen_t;
        // SAFETY: the system writes a number of at most the length that it is told.
        #[allow(unsafe_code)]
        let done = unsafe {
            let value = (&raw mut on).cast();
            libc::getsockopt(socket.as_raw_fd(), level, option, value, &raw mut len)
        };
        // A socket of IPv4 knows nothing of the other's options.
        done == 0 && on != 0
    })
}

const OPTIONS: [(libc::c_int, libc::c_int); 2] =
    [(libc::IPPROTO_IP, libc::IP_RECVERR), (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)];

fn last_error() -> Errno {
    let code = io::Error::last_os_error().raw_os_error();
    Errno::from_raw_os_error(code.expect("the system's error has a number"))
}
