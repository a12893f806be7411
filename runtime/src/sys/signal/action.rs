//! The action of a signal: what the process does when it comes.

#![allow(unsafe_code)] // sigaction, errno and the handler itself: rustix has no safe form of them

use std::io;
use std::mem;
use std::ptr;

use libc::c_int;

use super::post;

/// An action that was replaced, and comes back.
pub(super) struct Former(libc::sigaction);

/// Lets the process catch `signum`; gives what it did before.
pub(super) fn catch(signum: i32) -> io::Result<Former> {
    // SAFETY: a C struct of integers, sets of bits and pointers that may be null.
    let mut ours: libc::sigaction = unsafe { mem::zeroed() };
    ours.sa_sigaction = address_of_handler();
    // Calls that were interrupted go on. A thread that has a stack for signals uses it: threads of Go
    // and the like have little room on the other.
    ours.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: the set is ours. With all signals blocked no handler interrupts this one.
    unsafe { libc::sigfillset(&mut ours.sa_mask) };
    exchange(signum, Some(&ours)).map(Former)
}

/// Puts the former action back, unless somebody took the signal over meanwhile.
pub(super) fn restore(signum: i32, former: &Former) {
    // Neither can fail for a signal that was caught.
    if exchange(signum, None).is_ok_and(|now| now.sa_sigaction == address_of_handler()) {
        let _ = exchange(signum, Some(&former.0));
    }
}

fn address_of_handler() -> libc::sighandler_t {
    handler as extern "C" fn(c_int) as libc::sighandler_t
}

/// Asks for the action of `signum`, and replaces it by `action` if there is one.
fn exchange(signum: i32, action: Option<&libc::sigaction>) -> io::Result<libc::sigaction> {
    // SAFETY: as in `catch`.
    let mut former: libc::sigaction = unsafe { mem::zeroed() };
    let action = action.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: null or an action that lives until the call returns, and room for one. Its handler is
    // ours, which does nothing but what a handler may do, or one that the system had before.
    match unsafe { libc::sigaction(signum, action, &mut former) } {
        0 => Ok(former),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Runs whenever a signal that is watched comes, on any thread, between any two instructions. So it
/// takes no lock, allocates nothing, can't panic, and leaves `errno` as it was.
extern "C" fn handler(signum: c_int) {
    let errno = errno();
    // SAFETY: `errno` of this thread, which is always there.
    let before = unsafe { *errno };
    post::tell_all(signum);
    // SAFETY: as above.
    unsafe { *errno = before };
}

fn errno() -> *mut c_int {
    // SAFETY: gives an address and does nothing else.
    unsafe {
        #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
        return libc::__error();
        #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
        return libc::__errno();
        #[cfg(any(target_os = "solaris", target_os = "illumos"))]
        return libc::___errno();
        #[cfg(not(any(
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "android",
            target_os = "netbsd",
            target_os = "openbsd",
            target_os = "solaris",
            target_os = "illumos",
        )))]
        return libc::__errno_location();
    }
}
