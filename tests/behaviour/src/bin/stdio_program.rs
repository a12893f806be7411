//! Programs that use their standard streams, for `tests/stdio.rs`.

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    unix::main()
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod unix {
    use std::cell::Cell;
    use std::process::{Command, ExitCode};
    use std::rc::Rc;

    use runtime::io::{stderr, stdin, stdout};
    use runtime::{ms, on_uncaught, set_interval, set_timeout, spawn};

    /// More than any pipe holds.
    const MUCH: usize = 10 * 1024 * 1024;

    pub(super) fn main() -> ExitCode {
        let way = std::env::args().nth(1).unwrap_or_default();
        match way.as_str() {
            "cat" => cat(),
            "cat_callback" => cat_callback(),
            "cat_readable" => cat_readable(),
            "both" => both(),
            "kinds" => kinds(),
            "pending" => pending(),
            "pending_exit" => pending_exit(),
            "pending_main" => pending_main(),
            "stops" => stops(),
            "much" => much(),
            "much_main" => much_main(),
            "slow" => slow(),
            "until_gone" => until_gone(),
            "line_then_child" => line_then_child(),
            "in_order" => in_order(),
            "closed_now" => closed_now(),
            "close_and_again" => close_and_again(),
            other => panic!("no such way: {other}"),
        }
    }

    #[runtime::main]
    async fn cat() -> std::io::Result<()> {
        let mut buffer = [0; 1000];
        loop {
            match stdin().read(&mut buffer).await? {
                0 => return Ok(()),
                n => stdout().write(&buffer[..n]).await?,
            }
        }
    }

    #[runtime::main]
    fn cat_callback() {
        stdin().pipe_to(&stdout()).callback(|copied| -> runtime::Result {
            stderr().write(format!("{} bytes\n", copied?));
            Ok(())
        });
    }

    #[runtime::main]
    async fn cat_readable() -> std::io::Result<()> {
        let (input, output) = (stdin(), stdout());
        let mut buffer = [0; 100];
        loop {
            input.readable().await?;
            match input.try_read(&mut buffer)? {
                0 => return Ok(()),
                n => output.write(&buffer[..n]).await?,
            }
        }
    }

    #[runtime::main]
    async fn both() -> std::io::Result<()> {
        stdout().write("out\n").await?;
        stderr().write("err\n").await
    }

    #[runtime::main]
    async fn kinds() -> std::io::Result<()> {
        let kinds = [stdin(), stdout(), stderr()].map(|stream| stream.fd_kind());
        let line = format!("{kinds:?} {}\n", stdin().is_terminal());
        let args: Vec<_> = std::env::args().collect();
        std::fs::write(&args[2], line)
    }

    /// A read waits, and nobody waits for it.
    #[runtime::main]
    fn pending() {
        let input = stdin();
        input.unref();
        input.read_start(|_, data| {
            let length = data.map_or(0, <[u8]>::len);
            stdout().write(format!("{length}"));
        });
        set_timeout(ms(2), || drop(stdout().write("done")));
    }

    #[runtime::main]
    fn pending_exit() {
        drop(spawn(async { stdin().read(&mut [0; 8]).await }));
        stdout().write("done");
        set_timeout(ms(2), || runtime::exit(3));
    }

    #[runtime::main(exit = "main")]
    async fn pending_main() {
        drop(spawn(async { stdin().read(&mut [0; 8]).await }));
        stdout().write("done").await.ok();
    }

    /// A read keeps the program alive, and only while it is wanted.
    #[runtime::main]
    fn stops() {
        stdin().read_start(|input, data| {
            stdout().write(data.unwrap_or_default());
            input.read_stop();
        });
    }

    fn data() -> Vec<u8> {
        let period: Vec<u8> = (0..251).collect();
        let mut all = period.repeat(MUCH / period.len() + 1);
        all.truncate(MUCH);
        all
    }

    #[runtime::main]
    fn much() {
        stdout().write(data());
        match std::env::args().nth(2).as_deref() {
            Some("exit") => runtime::exit(3),
            Some("panic") => panic!("while much is queued"),
            Some("timer_exit") => drop(set_timeout(ms(1), || runtime::exit(3))),
            _ => {}
        }
    }

    #[runtime::main(exit = "main")]
    async fn much_main() {
        drop(stdout().write(data()));
    }

    /// The loop goes on while the reader is slow.
    #[runtime::main]
    async fn slow() -> std::io::Result<()> {
        let output = stdout();
        let written = output.write(data());
        let turns = Rc::new(Cell::new(0));
        let counted = turns.clone();
        let timer = set_interval(ms(1), move |_| counted.set(counted.get() + 1));
        while turns.get() < 20 {
            runtime::time::sleep(ms(1)).await;
        }
        assert!(output.is_full() && output.write_queue_size() > 0);
        stderr().write("turning\n").await?;
        timer.clear();
        written.await
    }

    #[runtime::main]
    async fn until_gone() -> ExitCode {
        on_uncaught(|error| eprintln!("uncaught: {error}"));
        loop {
            if let Err(error) = stdout().write(vec![b'y'; 4096]).await {
                stderr().write(format!("{:?}\n", error.kind())).await.ok();
                let again = stdout().write("y").await.map_err(|error| error.kind());
                stderr().write(format!("{again:?}\n")).await.ok();
                return ExitCode::from(7);
            }
        }
    }

    /// Reads a line, and leaves the rest to a child.
    #[runtime::main]
    async fn line_then_child() -> runtime::Result {
        let mut line = [0; 4];
        let read = stdin().read(&mut line).await?;
        stdout().write(&line[..read]).await?;
        stdin().close();
        Command::new("cat").status()?;
        stdout().write("end\n").await?;
        Ok(())
    }

    /// Through several handles, of which some are dropped at once.
    #[runtime::main]
    fn in_order() {
        for n in 0..20_000 {
            stdout().write(format!("{n}\n"));
        }
    }

    /// Closed by the program itself.
    #[runtime::main]
    async fn closed_now() -> std::io::Result<()> {
        // SAFETY: nothing else of this program uses them.
        unsafe { [libc::close(0), libc::close(1)] };
        let read = stdin().read(&mut [0; 8]).await.unwrap_err();
        let told = Rc::new(Cell::new(None));
        let tell = told.clone();
        stdin().read_start(move |_, data| tell.set(data.err()));
        let written = stdout().write("x").await.unwrap_err();
        let slices = [std::io::IoSlice::new(b"x")];
        let vectored = stdout().write_vectored(&slices).await.unwrap_err();
        runtime::yield_now().await;
        let all = [Some(read), told.take(), Some(written), Some(vectored)];
        let all = all.map(|error| error.and_then(|error| error.raw_os_error()));
        stderr().write(format!("{all:?} {:?}\n", stdin().fd_kind())).await
    }

    #[runtime::main]
    async fn close_and_again() -> std::io::Result<()> {
        let output = stdout();
        assert_eq!(output, stdout());
        output.write("one\n").await?;
        output.shutdown().await?;
        let refused = output.write("lost\n").await;
        assert!(refused.is_err(), "{refused:?}");
        stdout().write("two\n").await?;
        stdout().close();
        stdout().write("three\n").await?;
        // A direction that it does not have.
        assert!(stdout().read(&mut [0; 1]).await.is_err());
        assert!(stdin().write("x").await.is_err());
        stdout().write("four\n").await
    }
}
