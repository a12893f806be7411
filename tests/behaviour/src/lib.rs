//! What the tests share: a log of what happened in which order, and a deadline.

#[cfg(target_os = "linux")]
mod descriptors;

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Display;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

/// What happened, in order. Clones are one log.
#[derive(Clone, Debug, Default)]
pub struct EventLog(Rc<RefCell<Vec<String>>>);

impl EventLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that `event` happened.
    pub fn push(&self, event: impl Display) {
        self.0.borrow_mut().push(event.to_string());
    }

    /// A callback that notes `event`.
    pub fn mark(&self, event: impl Display + 'static) -> impl FnOnce() + 'static {
        let log = self.clone();
        move || log.push(event)
    }

    /// Empties the log and gives what was in it.
    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }

    /// Asserts that just `events` happened since the last look, in this order.
    #[track_caller]
    pub fn expect<const N: usize>(&self, events: [&str; N]) {
        assert_eq!(self.take(), events);
    }
}

/// Prints `message` with the name of the test, though the test may pass: past the harness, which
/// would keep it back.
pub fn tell(message: impl Display) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    // Without a stderr nobody is there to be told.
    let _ = writeln!(std::io::stderr(), "{name}: {message}");
}

/// Lets Ctrl-C end this program, as if it was started in the foreground: a shell without job control lets its
/// background jobs ignore it. To be called before there are other threads.
#[cfg(unix)]
#[allow(unsafe_code)]
pub fn end_by_ctrl_c() {
    // SAFETY: a call with two numbers.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
}

/// Keeps `value` until the thread ends, which is that of a test mostly.
pub fn keep(value: impl Any) {
    thread_local!(static KEPT: RefCell<Vec<Box<dyn Any>>> = RefCell::default());
    KEPT.with_borrow_mut(|kept| kept.push(Box::new(value)));
}

/// Ends the process if it lives too long: a test that hangs fails with a name.
#[derive(Debug)]
pub struct Deadline(Arc<AtomicBool>);

impl Deadline {
    /// Guards the test that runs now for `seconds`.
    #[must_use]
    pub fn secs(seconds: u64) -> Self {
        #[cfg(target_os = "linux")]
        descriptors::watch();
        let is_over = Arc::new(AtomicBool::new(false));
        let watched = is_over.clone();
        let name = std::thread::current().name().unwrap_or("a test").to_owned();
        std::thread::spawn(move || {
            // In steps, so that the thread does not outlive the test by much.
            for _ in 0..seconds * 10 {
                std::thread::sleep(Duration::from_millis(100));
                if watched.load(SeqCst) {
                    return;
                }
            }
            eprintln!("{name} hangs: not done in {seconds} s");
            std::process::abort();
        });
        Self(is_over)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}
