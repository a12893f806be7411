//! The workloads on glommio, over io_uring.

mod shared;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::{FromRawFd, IntoRawFd};
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bench::args::Args;
use bench::delays::Delays;
use bench::report::{check_done, each, exit_code, percentiles, rate, ready, unsupported};
use bench::serve;
use futures_lite::io::{AsyncReadExt, AsyncWriteExt};
use glommio::channels::local_channel::{LocalReceiver, LocalSender, new_unbounded};
use glommio::io::BufferedFile;
use glommio::net::{TcpListener, TcpStream, UdpSocket};
use glommio::timer::Timer;
use glommio::{LocalExecutorBuilder, Placement, PoolPlacement, Task, executor, spawn_local};
use shared::{BATCH, BUFFER, Counter, FILE_LEN, POOL_THREADS, SMALL_BUFFER};

fn main() -> ExitCode {
    exit_code(Args::from_env().and_then(|args| run(&args)))
}

fn run(args: &Args) -> Result<()> {
    let builder = LocalExecutorBuilder::new(Placement::Unbound)
        .blocking_thread_pool_placement(PoolPlacement::Unbound(POOL_THREADS));
    let executor = builder.make().map_err(|error| {
        Error::new(ErrorKind::Unsupported, format!("the kernel refuses io_uring: {error}"))
    })?;
    executor.run(work(args))
}

async fn work(args: &Args) -> Result<()> {
    match args.workload() {
        "echo" => serve_all(args, echo).await,
        "mem" => serve_all(args, echo_by_small_buffer).await,
        "sink" => serve_all(args, sink).await,
        "accept" => serve_all(args, close).await,
        "udp" => udp(args).await,
        "timers-fire" => fire(args).await,
        "timers-churn" => churn(args).await,
        "timers-rearm" => rearm(args).await,
        "spawn" => spawn_and_run(args).await,
        "yield" => yield_in_turn(args).await,
        "chan" => send_to_and_fro(args).await,
        "pool" => pool(args).await,
        "fs" => files(args).await,
        other => Err(unsupported(other)),
    }
}

async fn serve_all<F: Future<Output = Result<()>> + 'static>(
    args: &Args,
    connection: impl Fn(TcpStream) -> F,
) -> Result<()> {
    let listener = serve::only_listener(args)?.into_raw_fd();
    // SAFETY: the descriptor is a listening socket, and has no other owner.
    let listener = unsafe { TcpListener::from_raw_fd(listener) };
    ready()?;
    loop {
        let stream = listener.accept().await?;
        stream.set_nodelay(true)?;
        // An error is a reset, or the like: it ends this connection and nothing else.
        spawn_local(connection(stream)).detach();
    }
}

async fn echo(stream: TcpStream) -> Result<()> {
    echo_by(stream, vec![0; BUFFER]).await
}

async fn echo_by_small_buffer(stream: TcpStream) -> Result<()> {
    echo_by(stream, vec![0; SMALL_BUFFER]).await
}

async fn echo_by(mut stream: TcpStream, mut buffer: Vec<u8>) -> Result<()> {
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            len => stream.write_all(&buffer[..len]).await?,
        }
    }
}

async fn sink(mut stream: TcpStream) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut total = 0;
    loop {
        match stream.read(&mut buffer).await? {
            0 => return stream.write_all(&u64::to_le_bytes(total)).await,
            len => total += len as u64,
        }
    }
}

async fn close(stream: TcpStream) -> Result<()> {
    drop(stream);
    Ok(())
}

async fn udp(args: &Args) -> Result<()> {
    let socket = serve::only_udp_socket(args)?.into_raw_fd();
    // SAFETY: the descriptor is a bound socket, and has no other owner.
    let socket = unsafe { UdpSocket::from_raw_fd(socket) };
    ready()?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let (len, sender) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..len], sender).await?;
    }
}

/// A timer with something to call is a task that sleeps.
async fn fire(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let mut delays = Delays::ms(1..=1000);
    let (started, fired) = (Counter::default(), Counter::default());

    let start = Instant::now();
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (started, fired, delay) = (started.clone(), fired.clone(), delays.draw());
            spawn_local(async move {
                started.count();
                Timer::new(delay).await;
                fired.count();
            })
        })
        .collect();
    while started.get() < count {
        // Behind all tasks in the queue: they have started when it is done.
        spawn_local(async {}).await;
    }
    each("timers_insert", start, count, "timer");

    std::thread::sleep(Duration::from_millis(1100));
    let start = Instant::now();
    join(tasks).await;
    each("timers_fire", start, count, "timer");
    check_done(fired.get(), count)
}

async fn churn(args: &Args) -> Result<()> {
    let (count, live): (u64, usize) = (args.value("n")?, args.value("live")?);
    let mut delays = Delays::ms(1_000..=61_000);
    let mut timers = VecDeque::with_capacity(live + 1);
    for _ in 0..live {
        timers.push_back(started_timer(delays.draw()).await);
    }
    let start = Instant::now();
    for _ in 0..count {
        timers.pop_front();
        timers.push_back(started_timer(delays.draw()).await);
    }
    each("timers_churn", start, count, "insert+cancel");
    check_done(timers.len() as u64, live as u64)
}

async fn rearm(args: &Args) -> Result<()> {
    const DELAY: Duration = Duration::from_secs(30);
    let (count, live): (u64, usize) = (args.value("n")?, args.value("live")?);
    let mut timers = Vec::new();
    for _ in 0..live {
        timers.push(started_timer(DELAY).await);
    }
    let start = Instant::now();
    for turn in 0..count as usize {
        timers[turn % live].reset(DELAY);
    }
    each("timers_rearm", start, count, "rearm");
    Ok(())
}

/// Returns a timer that runs: the first poll starts it.
async fn started_timer(delay: Duration) -> Timer {
    let mut timer = Timer::new(delay);
    poll_fn(|context| Poll::Ready(Pin::new(&mut timer).poll(context).is_ready())).await;
    timer
}

async fn spawn_and_run(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let done = Counter::default();
    let start = Instant::now();
    for batch in (0..count).step_by(BATCH as usize) {
        let end = count.min(batch + BATCH);
        let task = || {
            let done = done.clone();
            async move { _ = done.count() }
        };
        (batch + 1..end).for_each(|_| _ = spawn_local(task()).detach());
        // Who came first runs first: all have run when the last has, and one handle is awaited.
        spawn_local(task()).await;
        check_done(done.get(), end)?;
    }
    each("spawn", start, count, "task");
    Ok(())
}

async fn yield_in_turn(args: &Args) -> Result<()> {
    let (count, tasks): (u64, u64) = (args.value("n")?, args.value("tasks")?);
    let done = Counter::default();
    let start = Instant::now();
    let all = (0..tasks).map(|_| {
        let done = done.clone();
        spawn_local(async move {
            for _ in 0..count / tasks {
                executor().yield_now().await;
                done.count();
            }
        })
    });
    join(all.collect()).await;
    each("yield", start, count, "yield");
    check_done(done.get(), count / tasks * tasks)
}

async fn send_to_and_fro(args: &Args) -> Result<()> {
    let count = args.value("n")?;
    let (asking, asked) = new_unbounded();
    let (answering, answered) = new_unbounded();
    let start = Instant::now();
    spawn_local(answer(asked, answering)).detach();
    let right = spawn_local(ask(count, asking, answered)).await;
    each("chan_rtt", start, count, "roundtrip");
    check_done(right, count)
}

async fn ask(count: u64, asking: LocalSender<u64>, answered: LocalReceiver<u64>) -> u64 {
    let mut right = 0;
    for number in 0..count {
        if asking.try_send(number).is_err() {
            break;
        }
        right += u64::from(answered.recv().await == Some(number));
    }
    right
}

async fn answer(asked: LocalReceiver<u64>, answering: LocalSender<u64>) {
    while let Some(number) = asked.recv().await {
        if answering.try_send(number).is_err() {
            return;
        }
    }
}

async fn pool(args: &Args) -> Result<()> {
    let (count, width) = (args.value("n")?, args.value("inflight")?);
    let job = async |_| {
        executor().spawn_blocking(|| ()).await;
        Ok(())
    };
    flight(1000.min(count), width, job).await?; // the threads start
    let start = Instant::now();
    flight(count, width, job).await?;
    rate("pool_throughput", start, count, "ops");

    let mut samples = Vec::new();
    for _ in 0..args.value::<u64>("lat")? {
        let start = Instant::now();
        job(0).await?;
        samples.push(start.elapsed());
    }
    percentiles("pool_rtt", samples);
    Ok(())
}

async fn files(args: &Args) -> Result<()> {
    let (count, paths) = (args.value("n")?, Rc::new(shared::files(args)?));
    for width in [1, 64] {
        let (paths, start) = (paths.clone(), Instant::now());
        let read = async move |number| {
            let file = BufferedFile::open(&paths[number as usize % paths.len()]).await?;
            let bytes = file.read_at(0, FILE_LEN as usize).await?;
            file.close().await?;
            check_done(bytes.len() as u64, FILE_LEN)
        };
        flight(count, width, read).await?;
        rate(&format!("fs_open_read_close_c{width}"), start, count, "files");
    }
    Ok(())
}

/// Does `count` operations, `width` at a time.
async fn flight(
    count: u64,
    width: u64,
    operate: impl AsyncFn(u64) -> Result<()> + Clone + 'static,
) -> Result<()> {
    let (next, done) = (Counter::default(), Counter::default());
    let worker = |_| {
        let (next, done, operate) = (next.clone(), done.clone(), operate.clone());
        spawn_local(async move {
            while next.get() < count {
                operate(next.count()).await?;
                done.count();
            }
            Ok(())
        })
    };
    let workers: Vec<Task<Result<()>>> = (0..width).map(worker).collect();
    for worker in workers {
        worker.await?;
    }
    check_done(done.get(), count)
}

async fn join<T>(tasks: Vec<Task<T>>) {
    for task in tasks {
        task.await;
    }
}
