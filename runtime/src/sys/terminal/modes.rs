//! What was changed, and what it was before.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use parking_lot::{Mutex, MutexGuard};
use rustix::fs::{Stat, fstat};
use rustix::process::getsid;
use rustix::termios::{
    ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, SpecialCodeIndex, Termios,
    tcgetattr, tcgetsid, tcgetwinsize, tcsetattr,
};

use super::at_exit::restore_at_exit;

/// What a terminal does with what is typed: libuv's `uv_tty_mode_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TtyMode {
    /// As it was before the program changed it: mostly whole lines, which the terminal echoes and lets
    /// its user edit, and signals for ctrl-c and ctrl-z.
    Normal,
    /// Each key as it is pressed, ctrl-c included, and no echo. A line feed that is written still goes to
    /// the start of the line.
    Raw,
    /// Bytes as they are, in both directions: for what speaks a protocol over the line.
    Io,
}

/// The size of a terminal, in characters. 0 is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowSize {
    /// How wide it is.
    pub columns: u16,
    /// How high it is.
    pub rows: u16,
}

/// How large the terminal is now.
pub(crate) fn window_size(fd: impl AsFd) -> io::Result<WindowSize> {
    let size = tcgetwinsize(fd)?;
    Ok(WindowSize { columns: size.ws_col, rows: size.ws_row })
}

/// A terminal that somebody of this process changed.
struct Changed {
    terminal: Identity,
    /// A descriptor of its own: who changed it may have closed his.
    fd: OwnedFd,
    saved: Termios,
    /// How many handles have changed it, and are still there.
    users: usize,
}

impl Changed {
    fn restore(&self) -> io::Result<()> {
        Ok(tcsetattr(&self.fd, OptionalActions::Now, &self.saved)?)
    }
}

/// What is the same for two descriptors of one terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// The one that controls this session, by whichever name: `/dev/tty` has a number of its own.
    Controlling,
    /// Another one, by the number of its device.
    Device(u64),
}

impl Identity {
    fn of(fd: impl AsFd) -> io::Result<Self> {
        let fd = fd.as_fd();
        if tcgetsid(fd).is_ok_and(|session| getsid(None) == Ok(session)) {
            return Ok(Self::Controlling);
        }
        // The type of these numbers differs from one system to the next.
        #[allow(clippy::unnecessary_cast)]
        let device = terminal_behind(fd)?.st_rdev as u64;
        Ok(Self::Device(device))
    }
}

/// What is known of the terminal: of a pseudo-terminal's master, that of the other end, which has the mode.
/// All masters have one number.
fn terminal_behind(fd: BorrowedFd<'_>) -> io::Result<Stat> {
    #[cfg(target_os = "linux")]
    if crate::sys::is_pty_master(fd) {
        return Ok(rustix::fs::stat(rustix::pty::ptsname(fd, Vec::new())?)?);
    }
    Ok(fstat(fd)?)
}

static CHANGED: Mutex<Vec<Changed>> = Mutex::new(Vec::new());

/// Nobody ever sleeps for the lock, so that to give it back wakes nobody: a signal handler may.
fn lock() -> MutexGuard<'static, Vec<Changed>> {
    loop {
        if let Some(changed) = CHANGED.try_lock() {
            return changed;
        }
        std::thread::yield_now();
    }
}

/// Puts all terminals whose mode was changed back into the mode they had before: libuv's
/// `uv_tty_reset_mode`.
///
/// The crate does this by itself when the last [`Tty`](crate::io::Tty) that changed a terminal is closed
/// or dropped, at the end of the loop, and when the process exits, after a panic too. What is left is
/// the end by a signal or an abort: a handler of `SIGSEGV` or `SIGTERM`, a panic hook of a program that
/// aborts.
///
/// # Errors
/// `ResourceBusy` if the mode is changed at this very moment, perhaps by what a signal interrupted; else
/// the system's, of the last terminal that refused.
///
/// # Platform notes
/// It is async-signal-safe: it waits for no lock and allocates nothing. On Linux it leaves `errno` alone.
pub fn reset_terminal() -> io::Result<()> {
    let Some(changed) = CHANGED.try_lock() else {
        return Err(io::ErrorKind::ResourceBusy.into());
    };
    let mut result = Ok(());
    // The latest first: should one terminal be here under two names, the first mode that was saved wins.
    for one in changed.iter().rev() {
        result = one.restore().and(result);
    }
    result
}

/// One handle's part in the mode of its terminal. Its drop takes back what it changed.
#[derive(Debug)]
pub(crate) struct Terminal {
    identity: Identity,
    has_changed: Cell<bool>,
}

impl Terminal {
    pub(crate) fn of(fd: impl AsFd) -> io::Result<Self> {
        Ok(Self { identity: Identity::of(fd)?, has_changed: Cell::new(false) })
    }

    /// Changes the mode at once: nothing is waited for, and what was typed is kept.
    pub(crate) fn set(&self, fd: impl AsFd, mode: TtyMode) -> io::Result<()> {
        let fd = fd.as_fd();
        let mut changed = lock();
        let place = changed.iter().position(|one| one.terminal == self.identity);
        if mode == TtyMode::Normal {
            place.map_or(Ok(()), |place| changed[place].restore())?;
            self.leave(&mut changed);
            return Ok(());
        }
        let saved = match place {
            Some(place) => changed[place].saved.clone(),
            None => tcgetattr(fd)?,
        };
        let spare = fd.try_clone_to_owned()?;
        // At the exit before it is changed, so that there is no gap.
        restore_at_exit();
        tcsetattr(fd, OptionalActions::Now, &changed_to(mode, saved.clone()))?;
        let place = place.unwrap_or_else(|| {
            changed.push(Changed { terminal: self.identity, fd: spare, saved, users: 0 });
            changed.len() - 1
        });
        if !self.has_changed.replace(true) {
            changed[place].users += 1;
        }
        Ok(())
    }

    /// It has no part in the mode any more.
    fn leave(&self, changed: &mut Vec<Changed>) {
        if !self.has_changed.replace(false) {
            return;
        }
        let Some(place) = changed.iter().position(|one| one.terminal == self.identity) else {
            return;
        };
        changed[place].users -= 1;
        if changed[place].users == 0 {
            // It fails if the terminal is gone, and then there is nothing to restore.
            let _ = changed.remove(place).restore();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.has_changed.get() {
            self.leave(&mut lock());
        }
    }
}

/// The flags are libuv's.
fn changed_to(mode: TtyMode, mut termios: Termios) -> Termios {
    if mode == TtyMode::Io {
        termios.make_raw();
        return termios;
    }
    termios.input_modes -= InputModes::BRKINT
        | InputModes::ICRNL
        | InputModes::INPCK
        | InputModes::ISTRIP
        | InputModes::IXON;
    termios.output_modes |= OutputModes::ONLCR;
    termios.control_modes |= ControlModes::CS8;
    termios.local_modes -=
        LocalModes::ECHO | LocalModes::ICANON | LocalModes::IEXTEN | LocalModes::ISIG;
    termios.special_codes[SpecialCodeIndex::VMIN] = 1;
    termios.special_codes[SpecialCodeIndex::VTIME] = 0;
    termios
}
