//! Programs that are sent signals, for `tests/signal_programs.rs`.

#![expect(clippy::print_stdout, reason = "its output is what the test reads")]

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    unix::main()
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod unix {
    use std::cell::Cell;
    use std::process::ExitCode;
    use std::rc::Rc;
    use std::time::Duration;

    use runtime::handle::Signal;
    use runtime::signal::{self, SIGTERM, SIGUSR1};
    use runtime::time::sleep;
    use runtime::{Loop, ms, secs};

    const FOREVER: Duration = Duration::from_secs(3600);

    pub(super) fn main() -> ExitCode {
        behaviour::end_by_ctrl_c();
        let way = std::env::args().nth(1).unwrap_or_default();
        match &*way {
            "await" => awaits(),
            "awaits_nothing_else" => awaits_nothing_else(),
            "second" => second(),
            "dropped" => dropped(),
            "callback" => callback(),
            "unref" => unref(),
            "fork" => fork(),
            _ => panic!("no such way: {way:?}"),
        }
    }

    fn ready() {
        println!("ready");
    }

    #[runtime::main]
    async fn awaits() -> std::io::Result<()> {
        let signal = signal::ctrl_c();
        ready();
        signal.await?;
        println!("caught");
        Ok(())
    }

    /// The wait is the last line of main, and nothing else is alive.
    #[runtime::main]
    async fn awaits_nothing_else() -> std::io::Result<()> {
        let signal = signal::terminate();
        ready();
        signal.await
    }

    /// The graceful end takes too long.
    #[runtime::main]
    async fn second() -> std::io::Result<()> {
        let signal = signal::ctrl_c();
        ready();
        signal.await?;
        println!("caught");
        sleep(FOREVER).await;
        Ok(())
    }

    #[runtime::main]
    async fn dropped() {
        drop(signal::ctrl_c());
        ready();
        sleep(FOREVER).await;
    }

    #[runtime::main]
    fn callback() {
        runtime::set_timeout(secs(3600), || ());
        signal::once(SIGTERM).callback(|signum| {
            println!("caught {}", signum.unwrap());
            runtime::exit(7)
        });
        ready();
    }

    /// A signal alone keeps nothing alive.
    #[runtime::main]
    fn unref() -> std::io::Result<()> {
        Signal::new().start(SIGTERM, |_, _| ())
    }

    /// What a child catches is not told to the parent.
    #[allow(unsafe_code)]
    fn fork() -> ExitCode {
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        let count = Rc::new(Cell::new(0));
        let counted = count.clone();
        let handle = Signal::new();
        handle.start(SIGUSR1, move |_, _| counted.set(counted.get() + 1)).unwrap();
        // SAFETY: this program has one thread. The child calls what a handler may, and ends.
        let child = unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::raise(SIGUSR1);
                libc::_exit(0);
            }
            child
        };
        let mut status = 0;
        // SAFETY: `status` is there until the call returns.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        runtime::set_timeout(ms(1), || ());
        lp.run().unwrap();
        println!("child {status}, told {}", count.get());
        ExitCode::SUCCESS
    }
}
