//! Programs on a terminal, for `tests/tty.rs`: each makes it raw, says so, and ends by one of many ways
//! when a key is pressed.

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    unix::main()
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::process::ExitCode;

    use runtime::Loop;
    use runtime::io::{Tty, TtyMode};

    pub(super) fn main() -> ExitCode {
        behaviour::end_by_ctrl_c();
        let way = std::env::args().nth(1).unwrap_or_default();
        match way.as_str() {
            "resize" => resize(),
            "echo_key" => echo_key(),
            "reset" => reset(),
            "callback_panic" => callback_panic(),
            "leaked" => leaked(),
            _ => ends(),
        }
    }

    async fn raw() -> std::io::Result<Tty> {
        let tty = Tty::open(std::io::stdin())?;
        tty.set_mode(TtyMode::Raw)?;
        tty.write("raw\n").await?;
        Ok(tty)
    }

    #[runtime::main]
    async fn ends() -> runtime::Result {
        let tty = raw().await?;
        let way = std::env::args().nth(1).unwrap_or_default();
        if way == "two_names" {
            let again = Tty::open(File::open("/dev/tty")?)?;
            again.set_mode(TtyMode::Io)?;
            tty.close();
            again.read(&mut [0; 8]).await?;
            return Ok(());
        }
        tty.read(&mut [0; 8]).await?;
        match way.as_str() {
            "end" => Ok(()),
            "exit" => runtime::exit(3),
            "process_exit" => std::process::exit(4),
            "error" => Err("an error of main".into()),
            "panic" => panic!("of main"),
            "exit_while_panicking" => {
                let _exits = Exits;
                panic!("of main, too");
            }
            "handler" => {
                abort_with_a_handler();
                Ok(())
            }
            other => panic!("no such way: {other}"),
        }
    }

    struct Exits;

    impl Drop for Exits {
        fn drop(&mut self) {
            runtime::exit(5);
        }
    }

    /// What a handler of a fatal signal may do.
    fn abort_with_a_handler() {
        extern "C" fn restore(_: libc::c_int) {
            let _ = runtime::io::reset_terminal();
        }
        // SAFETY: the function is async-signal-safe, so it says.
        unsafe { libc::signal(libc::SIGABRT, restore as *const () as libc::sighandler_t) };
        std::process::abort();
    }

    #[runtime::main]
    fn callback_panic() -> runtime::Result {
        let tty = Tty::open(std::io::stdin())?;
        tty.set_mode(TtyMode::Raw)?;
        tty.write("raw\n");
        tty.read_start(|_, _| panic!("of a callback"));
        Ok(())
    }

    /// Nothing is dropped: only the exit itself is left to restore.
    fn leaked() -> ExitCode {
        let mut lp = Loop::new().expect("a loop");
        let tty = lp.block_on(async {
            let tty = raw().await.expect("a terminal");
            tty.read(&mut [0; 8]).await.expect("a key");
            tty
        });
        std::mem::forget((tty, lp));
        ExitCode::SUCCESS
    }

    #[runtime::main]
    async fn resize() -> std::io::Result<()> {
        let tty = Tty::open(std::io::stdin())?;
        let size = tty.window_size()?;
        let called = tty.clone();
        tty.on_resize(move |tty, size| {
            tty.write(format!("{}x{}\n", size.columns, size.rows));
            called.resize_stop();
        })?;
        let resized = tty.resized();
        tty.write(format!("{}x{}\n", size.columns, size.rows)).await?;
        resized.await?;
        // The callback may come after this.
        runtime::yield_now().await;
        tty.drained().await
    }

    #[runtime::main]
    async fn reset() -> std::io::Result<()> {
        let tty = raw().await?;
        tty.read(&mut [0; 8]).await?;
        runtime::io::reset_terminal()?;
        tty.write("reset\n").await?;
        tty.read(&mut [0; 64]).await?;
        tty.set_mode(TtyMode::Raw)?;
        tty.write("raw\n").await?;
        tty.read(&mut [0; 8]).await.map(drop)
    }

    #[runtime::main]
    async fn echo_key() -> std::io::Result<()> {
        let tty = raw().await?;
        let mut key = [0; 8];
        let read = tty.read(&mut key).await?;
        tty.write(format!("{:?}\n", &key[..read])).await?;
        tty.set_mode(TtyMode::Normal)?;
        tty.write("normal\n").await?;
        tty.read(&mut key).await.map(drop)
    }
}
