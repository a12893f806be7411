//! What to run, and how.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use super::Process;
use super::output::collect;
use crate::error::failed;
use crate::event_loop::current;
use crate::request::{Request, Unwanted, by_task};
use crate::sync::AbortSignal;
use crate::sys::{Inheritance, SIGTERM};

/// Bytes of one stream that `output` collects, unless it is said otherwise.
const OUTPUT_LIMIT: usize = 64 * 1024 * 1024;

/// A child process to be: the standard library's builder, whose [`Process`] lives on the loop.
///
/// A child inherits the standard streams, the environment and the working directory unless it is said
/// otherwise, and no other descriptor that was opened by Rust. Its signals are not blocked, and
/// `SIGPIPE` has its default action; what else is ignored here is ignored there.
///
/// # Platform notes
/// `arg0`, `uid`, `gid`, `process_group` and `fd` exist on Unix only: Windows has no such things for a
/// process. What only Windows has is set on a command of the standard library
/// (`raw_arg`, `creation_flags`), which becomes one of these by `into`.
///
/// # Examples
/// ```
/// # #[cfg(unix)]
/// use runtime::process::Command;
///
/// # #[cfg(unix)]
/// #[runtime::main]
/// async fn main() -> std::io::Result<()> {
///     let output = Command::new("echo").arg("hello").output().await?;
///     assert_eq!(output.stdout, b"hello\n");
///     Ok(())
/// }
/// # #[cfg(not(unix))]
/// # fn main() {}
/// ```
pub struct Command {
    pub(super) std: std::process::Command,
    /// Standard streams that were said: `output` captures the others.
    is_said: [bool; 3],
    pub(super) inheritance: Inheritance,
    output_limit: usize,
    kill_on_drop: bool,
    abort_on: Option<AbortSignal>,
    kill_signal: i32,
}

impl Command {
    /// Runs `program`, which is looked up in `PATH` unless it has a slash.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        std::process::Command::new(program).into()
    }

    /// Adds an argument; no shell looks at it.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.std.arg(arg);
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Self {
        self.std.args(args);
        self
    }

    /// Sets a variable of its environment.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.std.env(key, value);
        self
    }

    /// Sets variables of its environment.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> &mut Self {
        self.std.envs(variables);
        self
    }

    /// Removes a variable from its environment.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Self {
        self.std.env_remove(key);
        self
    }

    /// Lets it inherit no variable, and forgets those that were set.
    pub fn env_clear(&mut self) -> &mut Self {
        self.std.env_clear();
        self
    }

    /// Its working directory. Whether a relative program is looked for here or there is the system's
    /// affair: give an absolute one.
    pub fn current_dir(&mut self, folder: impl AsRef<Path>) -> &mut Self {
        self.std.current_dir(folder);
        self
    }

    /// Lets it lead a session of its own, without our terminal: `setsid`. It still keeps the loop alive;
    /// [`unref`](crate::handle::Handle::unref) the process for one that is to outlive us. On Windows it has
    /// no console and is a process group of its own, and `creation_flags` that were set before are
    /// replaced.
    pub fn detached(&mut self, detached: bool) -> &mut Self {
        self.inheritance.detached = detached;
        self
    }

    /// Its standard input: inherited, nothing ([`Stdio::null`]), a pipe, or what becomes a `Stdio`, as a
    /// `File` or an `OwnedFd` does.
    pub fn stdin(&mut self, stdin: impl Into<Stdio>) -> &mut Self {
        self.std.stdin(stdin);
        self.is_said[0] = true;
        self
    }

    /// Its standard output.
    pub fn stdout(&mut self, stdout: impl Into<Stdio>) -> &mut Self {
        self.std.stdout(stdout);
        self.is_said[1] = true;
        self
    }

    /// Its standard error.
    pub fn stderr(&mut self, stderr: impl Into<Stdio>) -> &mut Self {
        self.std.stderr(stderr);
        self.is_said[2] = true;
        self
    }

    /// Kills the child with `SIGKILL` when its last [`Process`] is dropped or closed, or the request for
    /// its output or status is. Default: it goes on.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.kill_on_drop = kill;
        self
    }

    /// Ends the child when `signal` is aborted, as Node's option `signal` does: it is sent the
    /// [`kill_signal`](Self::kill_signal), from inside of the abort.
    ///
    /// [`output`](Self::output) and [`status`](Self::status) end with [`Aborted`](crate::sync::Aborted) at once;
    /// [`Process::wait`] tells how the child has ended. A child that takes its time to end, or does not
    /// heed the signal, keeps the loop alive until it has; it leaves no zombie. If `signal` is aborted already
    /// nothing is started, and the error is `Aborted`. A child that has ended leaves nothing with the signal.
    ///
    /// So it does more than [`Request::abort_on`], which ends the wait alone.
    ///
    /// # Errors
    /// What keeps the signal from being sent is thrown by the listener, unless it is that the child has ended.
    ///
    /// # Examples
    /// ```
    /// # #[cfg(unix)]
    /// use runtime::{ms, process::Command, sync::{AbortSignal, Aborted}};
    ///
    /// # #[cfg(unix)]
    /// #[runtime::main]
    /// async fn main() {
    ///     let in_time = AbortSignal::timeout(ms(50));
    ///     let slept = Command::new("sleep").arg("100").abort_on(&in_time).status().await;
    ///     assert!(Aborted::is_in(&slept.unwrap_err()));
    /// }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    pub fn abort_on(&mut self, signal: &AbortSignal) -> &mut Self {
        self.abort_on = Some(signal.clone());
        self
    }

    /// What [`abort_on`](Self::abort_on) sends, as [`Process::kill`] does; default `SIGTERM`.
    pub fn kill_signal(&mut self, signum: i32) -> &mut Self {
        self.kill_signal = signum;
        self
    }

    /// Bytes of one stream that [`output`](Self::output) collects; default 64 MiB. A child that writes
    /// more is killed.
    pub fn output_limit(&mut self, bytes: usize) -> &mut Self {
        self.output_limit = bytes;
        self
    }

    /// Starts it, before this returns.
    ///
    /// # Errors
    /// Those of the start, the program's name in them: `NotFound`, `PermissionDenied`, the working
    /// directory's; `InvalidInput` for two descriptors of one number, or one below 3 or near the limit of
    /// open files, or one that came after the first spawn; [`Aborted`](crate::sync::Aborted).
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Process> {
        let lp = current();
        lp.check_open()?;
        self.abort_on.as_ref().map_or(Ok(()), AbortSignal::check)?;
        let child = self.start().map_err(|error| self.cannot_run(error))?;
        let process = Process::of_child(&lp, child, self.kill_on_drop)?;
        if let Some(signal) = &self.abort_on {
            process.kill_on_abort(signal, self.kill_signal);
        }
        Ok(process)
    }

    /// Starts it and waits for its end. Dropping the request lets it go on, unless
    /// [`kill_on_drop`](Self::kill_on_drop) is set.
    ///
    /// # Ordering
    /// A callback is called in the pending phase; [`Process::wait`] calls back in poll.
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn) and [`Process::wait`].
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn status(&mut self) -> Request<ExitStatus> {
        let process = match self.spawn() {
            Ok(process) => process,
            Err(error) => return Request::done(Err(error)),
        };
        self.carry_out(async move { process.wait().await })
    }

    /// Starts it, collects what it writes to stdout and stderr, and waits for its end. Streams that
    /// were said are left as they are; otherwise stdin is nothing.
    ///
    /// Dropping the request lets it go on, unless [`kill_on_drop`](Self::kill_on_drop) is set.
    ///
    /// # Ordering
    /// A callback is called in the pending phase.
    ///
    /// # Errors
    /// Those of [`spawn`](Self::spawn) and [`Process::wait`]; `FileTooLarge` for a child that writes
    /// more than [`output_limit`](Self::output_limit), which is killed.
    ///
    /// # Panics
    /// If this thread has no current loop.
    #[track_caller]
    pub fn output(&mut self) -> Request<Output> {
        let process = match self.spawn_captured() {
            Ok(process) => process,
            Err(error) => return Request::done(Err(error)),
        };
        let limit = self.output_limit;
        self.carry_out(async move { collect(&process, limit).await })
    }

    #[track_caller]
    fn spawn_captured(&mut self) -> io::Result<Process> {
        self.set_unsaid([Stdio::null, Stdio::piped, Stdio::piped]);
        let process = self.spawn();
        self.set_unsaid([Stdio::inherit; 3]);
        process
    }

    /// Sets the standard streams that were not said.
    fn set_unsaid(&mut self, [stdin, stdout, stderr]: [fn() -> Stdio; 3]) {
        let [stdin_is_said, stdout_is_said, stderr_is_said] = self.is_said;
        if !stdin_is_said {
            self.std.stdin(stdin());
        }
        if !stdout_is_said {
            self.std.stdout(stdout());
        }
        if !stderr_is_said {
            self.std.stderr(stderr());
        }
    }

    /// The request for what `steps` learn of a child that was started.
    #[track_caller]
    fn carry_out<T>(&self, steps: impl Future<Output = io::Result<T>> + 'static) -> Request<T> {
        let unwanted = if self.kill_on_drop { Unwanted::Ends } else { Unwanted::GoesOn };
        let request = by_task(&current(), unwanted, steps);
        match &self.abort_on {
            Some(signal) => request.abort_on(signal),
            None => request,
        }
    }

    fn start(&mut self) -> io::Result<std::process::Child> {
        let _reserved = self.inheritance.prepare(&mut self.std)?;
        self.std.spawn()
    }

    /// An error that says what could not be run.
    fn cannot_run(&self, error: io::Error) -> io::Error {
        failed(format!("cannot run {:?}", self.std.get_program()), error)
    }
}

impl From<std::process::Command> for Command {
    /// Standard streams that were said before are not known of here: `output` captures them.
    fn from(std: std::process::Command) -> Self {
        Self {
            std,
            is_said: [false; 3],
            inheritance: Inheritance::default(),
            output_limit: OUTPUT_LIMIT,
            kill_on_drop: false,
            abort_on: None,
            kill_signal: SIGTERM,
        }
    }
}

impl fmt::Debug for Command {
    /// The program and its arguments, as a shell would be given them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.std.fmt(f)
    }
}
