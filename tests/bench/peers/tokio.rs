//! The workloads on tokio's current-thread runtime.

mod shared;

use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::io::{Error, Result};
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bench::args::Args;
use bench::delays::Delays;
use bench::report::{check_done, each, exit_code, percentiles, rate, start_up, unsupported};
use bench::{serve, spin};
use shared::{BATCH, BUFFER, FILE_LEN, POOL_THREADS, SMALL_BUFFER};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::process::Command;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, spawn_blocking, yield_now};
use tokio::time::{Sleep, sleep};
use tokio::{fs, spawn};

const NOWHERE: &str = "127.0.0.1:0";

fn main() -> ExitCode {
    exit_code(Args::from_env().and_then(|args| run(&args)))
}

fn run(args: &Args) -> Result<()> {
    let mut builder = Builder::new_current_thread();
    match args.workload() {
        "echo" => return serve_all(args, echo),
        "mem" => return serve_all(args, echo_without_buffer),
        "sink" => return serve_all(args, sink),
        "accept" => return serve_all(args, close),
        "udp" => return serve::udp(args, udp),
        "start" => return start(args),
        "pool" | "pool-spin" => _ = builder.max_blocking_threads(POOL_THREADS),
        // Each yield of the only task is then one iteration of the loop.
        "loop" | "many" => _ = builder.event_interval(1),
        _ => {}
    }
    builder.enable_all().build()?.block_on(work(args))
}

async fn work(args: &Args) -> Result<()> {
    match args.workload() {
        "timers-fire" => fire(args).await,
        "timers-churn" => churn(args).await,
        "timers-rearm" => rearm(args).await,
        "spawn" => spawn_and_run(args).await,
        "yield" => yield_in_turn(args).await,
        "chan" => send_to_and_fro(args).await,
        "loop" => iterate(args).await,
        "many" => many(args).await,
        "pool" => pool(args).await,
        "pool-spin" => pool_spin(args).await,
        "wake" => wake(args).await,
        "fs" => files(args).await,
        "proc" => processes(args).await,
        other => Err(unsupported(other)),
    }
}

fn serve_all<F>(
    args: &Args,
    connection: impl Fn(TcpStream) -> F + Copy + Send + 'static,
) -> Result<()>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    serve::tcp(args, move |listener| {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener)?;
            let accepting = spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await?;
                    stream.set_nodelay(true)?;
                    // An error is a reset, or the like: it ends this connection and nothing else.
                    spawn(connection(stream));
                }
            });
            accepting.await?
        })
    })
}

async fn echo(mut stream: TcpStream) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            len => stream.write_all(&buffer[..len]).await?,
        }
    }
}

async fn echo_without_buffer(mut stream: TcpStream) -> Result<()> {
    loop {
        stream.readable().await?;
        if let Some(rest) = echo_at_once(&stream)? {
            if rest.is_empty() {
                return Ok(());
            }
            stream.write_all(&rest).await?;
        }
    }
}

/// Echoes what is there, and returns what the system does not take; nothing of nothing at the end.
fn echo_at_once(stream: &TcpStream) -> Result<Option<Vec<u8>>> {
    let mut buffer = [0; SMALL_BUFFER];
    let bytes = match stream.try_read(&mut buffer) {
        Ok(len) => &buffer[..len],
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    let written = match stream.try_write(bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => 0,
        written => written?,
    };
    let is_done = written == bytes.len() && !bytes.is_empty();
    Ok((!is_done).then(|| bytes[written..].to_vec()))
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

fn udp(socket: std::net::UdpSocket) -> Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let socket = UdpSocket::from_std(socket)?;
        let answering = spawn(async move {
            let mut buffer = vec![0; BUFFER];
            loop {
                let (len, sender) = socket.recv_from(&mut buffer).await?;
                socket.send_to(&buffer[..len], sender).await?;
            }
        });
        answering.await?
    })
}

/// A timer with something to call is a task that sleeps.
async fn fire(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let mut delays = Delays::ms(1..=1000);
    let (started, fired) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));

    let start = Instant::now();
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (started, fired, delay) = (started.clone(), fired.clone(), delays.draw());
            spawn(async move {
                started.fetch_add(1, Relaxed);
                sleep(delay).await;
                fired.fetch_add(1, Relaxed);
            })
        })
        .collect();
    while started.load(Relaxed) < count {
        yield_now().await;
    }
    each("timers_insert", start, count, "timer");

    std::thread::sleep(Duration::from_millis(1100));
    let start = Instant::now();
    join(tasks).await?;
    each("timers_fire", start, count, "timer");
    check_done(fired.load(Relaxed), count)
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
        timers[turn % live].as_mut().reset(tokio::time::Instant::now() + DELAY);
    }
    each("timers_rearm", start, count, "rearm");
    Ok(())
}

/// Returns a timer that runs: the first poll starts it.
async fn started_timer(delay: Duration) -> Pin<Box<Sleep>> {
    let mut timer = Box::pin(sleep(delay));
    poll_fn(|context| Poll::Ready(timer.as_mut().poll(context).is_ready())).await;
    timer
}

async fn spawn_and_run(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let done = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    for batch in (0..count).step_by(BATCH as usize) {
        let end = count.min(batch + BATCH);
        let task = || {
            let done = done.clone();
            async move { _ = done.fetch_add(1, Relaxed) }
        };
        (batch + 1..end).for_each(|_| drop(spawn(task())));
        // Who came first runs first: all have run when the last has, and one handle is awaited.
        spawn(task()).await?;
        check_done(done.load(Relaxed), end)?;
    }
    each("spawn", start, count, "task");
    Ok(())
}

async fn yield_in_turn(args: &Args) -> Result<()> {
    let (count, tasks): (u64, u64) = (args.value("n")?, args.value("tasks")?);
    let done = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let all = (0..tasks).map(|_| {
        let done = done.clone();
        spawn(async move {
            for _ in 0..count / tasks {
                yield_now().await;
                done.fetch_add(1, Relaxed);
            }
        })
    });
    join(all.collect()).await?;
    each("yield", start, count, "yield");
    check_done(done.load(Relaxed), count / tasks * tasks)
}

async fn send_to_and_fro(args: &Args) -> Result<()> {
    let count = args.value("n")?;
    let (asking, asked) = unbounded_channel();
    let (answering, answered) = unbounded_channel();
    let start = Instant::now();
    spawn(answer(asked, answering));
    let right = spawn(ask(count, asking, answered)).await?;
    each("chan_rtt", start, count, "roundtrip");
    check_done(right, count)
}

async fn ask(
    count: u64,
    asking: UnboundedSender<u64>,
    mut answered: UnboundedReceiver<u64>,
) -> u64 {
    let mut right = 0;
    for number in 0..count {
        if asking.send(number).is_err() {
            break;
        }
        right += u64::from(answered.recv().await == Some(number));
    }
    right
}

async fn answer(mut asked: UnboundedReceiver<u64>, answering: UnboundedSender<u64>) {
    while let Some(number) = asked.recv().await {
        if answering.send(number).is_err() {
            return;
        }
    }
}

fn start(args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let mut samples = Vec::new();
    for _ in 0..count {
        let start = Instant::now();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        samples.push(runtime.block_on(async { spawn(async move { start.elapsed() }).await })?);
    }
    start_up(samples, count)
}

async fn iterate(args: &Args) -> Result<()> {
    let listener = TcpListener::bind(NOWHERE).await?;
    spawn(async move { listener.accept().await.map(drop) });
    iterate_often("loop_nowait", args.value("n")?).await
}

async fn iterate_often(name: &str, count: u64) -> Result<()> {
    yield_now().await;
    let start = Instant::now();
    for _ in 0..count {
        yield_now().await;
    }
    each(name, start, count, "iteration");
    Ok(())
}

/// What is idle here is a task that waits: for nothing, or for a socket.
async fn many(args: &Args) -> Result<()> {
    let (count, idle, sockets) = (args.value("n")?, args.value("idle")?, args.value("sockets")?);
    iterate_often("many_none", count).await?;
    beside("many_tasks", count, idle, async || Ok(spawn(pending()))).await?;
    beside("many_udp", count, sockets, async || {
        let socket = UdpSocket::bind(NOWHERE).await?;
        Ok(spawn(async move { socket.readable().await.expect("an open socket") }))
    })
    .await?;
    beside("many_tcp", count, sockets, async || {
        let listener = TcpListener::bind(NOWHERE).await?;
        Ok(spawn(async move { listener.accept().await.map(drop).expect("an open socket") }))
    })
    .await
}

async fn beside(
    name: &str,
    count: u64,
    idle: u64,
    make: impl AsyncFn() -> Result<JoinHandle<()>>,
) -> Result<()> {
    let mut tasks = Vec::new();
    for _ in 0..idle {
        tasks.push(make().await?);
    }
    for _ in 0..idle {
        yield_now().await; // each begins in an iteration of its own
    }
    iterate_often(name, count).await?;
    tasks.iter().for_each(JoinHandle::abort);
    for task in tasks {
        // Aborted, and gone when this returns.
        let _ = task.await;
    }
    Ok(())
}

async fn pool_spin(args: &Args) -> Result<()> {
    let (count, width, turns) = (args.value("n")?, args.value("inflight")?, args.value("turns")?);
    let run = move |turns| {
        move |_| async move { spawn_blocking(move || spin::spin(turns)).await.map_err(Error::other) }
    };
    flight(1000.min(count), width, run(0)).await?; // the threads start
    let start = Instant::now();
    flight(count, width, run(turns)).await?;
    rate("pool_spin", start, count, "ops");
    Ok(())
}

async fn pool(args: &Args) -> Result<()> {
    let (count, width) = (args.value("n")?, args.value("inflight")?);
    let job = async |_| spawn_blocking(|| ()).await.map_err(Error::other);
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

async fn wake(args: &Args) -> Result<()> {
    let count = args.value("n")?;
    let (sender, mut receiver) = unbounded_channel::<Instant>();
    let (telling, told) = mpsc::channel();
    let send = move |time| sender.send(time).expect("the loop has the receiver");
    let other = shared::wake_often(count, send, move || told.recv().expect("the loop answers"));
    let mut samples = Vec::new();
    while let Some(sent) = receiver.recv().await {
        samples.push(sent.elapsed());
        telling.send(()).map_err(Error::other)?;
    }
    other.join().expect("it does not panic");
    shared::wake_latency(samples, count)?;

    let count: u64 = args.value("msgs")?;
    let (sender, mut receiver) = unbounded_channel::<u64>();
    let start = Instant::now();
    let other = std::thread::spawn(move || (0..count).try_for_each(|number| sender.send(number)));
    let mut in_order = 0;
    while let Some(number) = receiver.recv().await {
        in_order += u64::from(number == in_order);
    }
    rate("wake_msgs", start, count, "msgs");
    other.join().expect("it does not panic").map_err(Error::other)?;
    check_done(in_order, count)
}

async fn files(args: &Args) -> Result<()> {
    let (count, paths) = (args.value("n")?, Arc::new(shared::files(args)?));
    for width in [1, 64] {
        let start = Instant::now();
        let paths = paths.clone();
        let read = move |number| {
            let paths = paths.clone();
            async move {
                let bytes = fs::read(&paths[number as usize % paths.len()]).await?;
                check_done(bytes.len() as u64, FILE_LEN)
            }
        };
        flight(count, width, read).await?;
        rate(&format!("fs_open_read_close_c{width}"), start, count, "files");
    }
    for width in [1, 64] {
        let start = Instant::now();
        let paths = paths.clone();
        let stat = move |number| {
            let paths = paths.clone();
            async move {
                let found = fs::metadata(&paths[number as usize % paths.len()]).await?;
                check_done(found.len(), FILE_LEN)
            }
        };
        flight(count, width, stat).await?;
        rate(&format!("fs_stat_c{width}"), start, count, "ops");
    }
    Ok(())
}

async fn processes(args: &Args) -> Result<()> {
    let count = args.value("n")?;
    for width in [1, 8] {
        let start = Instant::now();
        let run = async |_| {
            let status = Command::new("/bin/true").env_clear().status().await?;
            check_done(u64::from(status.success()), 1)
        };
        flight(count, width, run).await?;
        rate(&format!("proc_spawn_c{width}"), start, count, "procs");
    }
    Ok(())
}

/// Does `count` operations, `width` at a time.
async fn flight<F>(
    count: u64,
    width: u64,
    operate: impl Fn(u64) -> F + Clone + Send + 'static,
) -> Result<()>
where
    F: Future<Output = Result<()>> + Send,
{
    let (next, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let worker = |_| {
        let (next, done, operate) = (next.clone(), done.clone(), operate.clone());
        spawn(async move {
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= count {
                    return Ok(());
                }
                operate(number).await?;
                done.fetch_add(1, Relaxed);
            }
        })
    };
    let workers: Vec<JoinHandle<Result<()>>> = (0..width).map(worker).collect();
    for worker in workers {
        worker.await??;
    }
    check_done(done.load(Relaxed), count)
}

async fn join<T>(tasks: Vec<JoinHandle<T>>) -> Result<()> {
    for task in tasks {
        task.await?;
    }
    Ok(())
}
