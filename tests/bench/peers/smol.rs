//! The workloads on smol: its `LocalExecutor` on one thread.

mod shared;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::{Error, ErrorKind, Result};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::mpsc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bench::args::Args;
use bench::delays::Delays;
use bench::report::{check_done, each, exit_code, percentiles, rate, ready, unsupported};
use bench::serve;
use shared::{BATCH, BUFFER, Counter, FILE_LEN, POOL_THREADS, SMALL_BUFFER};
use smol::channel::{Receiver, Sender, unbounded};
use smol::future::yield_now;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::process::Command;
use smol::{Async, LocalExecutor, Task, Timer, fs, unblock};

type Executor = Rc<LocalExecutor<'static>>;

fn main() -> ExitCode {
    exit_code(Args::from_env().and_then(|args| run(&args)))
}

fn run(args: &Args) -> Result<()> {
    if args.workload() == "pool" {
        // SAFETY: no other thread is there yet to read the environment.
        unsafe { std::env::set_var("BLOCKING_MAX_THREADS", POOL_THREADS.to_string()) };
    }
    let executor = Executor::default();
    smol::block_on(executor.run(work(&executor, args)))
}

async fn work(executor: &Executor, args: &Args) -> Result<()> {
    match args.workload() {
        "echo" => serve_all(executor, args, echo).await,
        "mem" => serve_all(executor, args, echo_without_buffer).await,
        "sink" => serve_all(executor, args, sink).await,
        "accept" => serve_all(executor, args, close).await,
        "udp" => udp(args).await,
        "timers-fire" => fire(executor, args).await,
        "timers-churn" => churn(args).await,
        "timers-rearm" => rearm(args).await,
        "spawn" => spawn_and_run(executor, args).await,
        "yield" => yield_in_turn(executor, args).await,
        "chan" => send_to_and_fro(executor, args).await,
        "pool" => pool(executor, args).await,
        "wake" => wake(args).await,
        "fs" => files(executor, args).await,
        "proc" => processes(executor, args).await,
        other => Err(unsupported(other)),
    }
}

type Stream = Async<TcpStream>;

async fn serve_all<F: Future<Output = Result<()>> + 'static>(
    executor: &Executor,
    args: &Args,
    connection: impl Fn(Stream) -> F,
) -> Result<()> {
    let listener: Async<TcpListener> = Async::new(serve::only_listener(args)?)?;
    ready()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.get_ref().set_nodelay(true)?;
        // An error is a reset, or the like: it ends this connection and nothing else.
        executor.spawn(connection(stream)).detach();
    }
}

async fn echo(mut stream: Stream) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            len => stream.write_all(&buffer[..len]).await?,
        }
    }
}

async fn echo_without_buffer(mut stream: Stream) -> Result<()> {
    loop {
        stream.readable().await?;
        // What the system does not take at once is copied: the buffer is not held across the wait.
        let rest = {
            let mut buffer = [0; SMALL_BUFFER];
            let len = match std::io::Read::read(&mut stream.get_ref(), &mut buffer) {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                len => len?,
            };
            // An error comes back from `write_all`.
            let written = std::io::Write::write(&mut stream.get_ref(), &buffer[..len]);
            buffer[written.unwrap_or(0)..len].to_vec()
        };
        stream.write_all(&rest).await?;
    }
}

async fn sink(mut stream: Stream) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut total = 0;
    loop {
        match stream.read(&mut buffer).await? {
            0 => return stream.write_all(&u64::to_le_bytes(total)).await,
            len => total += len as u64,
        }
    }
}

async fn close(stream: Stream) -> Result<()> {
    drop(stream);
    Ok(())
}

async fn udp(args: &Args) -> Result<()> {
    let socket: Async<UdpSocket> = Async::new(serve::only_udp_socket(args)?)?;
    ready()?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let (len, sender) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..len], sender).await?;
    }
}

/// A timer with something to call is a task that sleeps.
async fn fire(executor: &Executor, args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let mut delays = Delays::ms(1..=1000);
    let (started, fired) = (Counter::default(), Counter::default());

    let start = Instant::now();
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let (started, fired, delay) = (started.clone(), fired.clone(), delays.draw());
            executor.spawn(async move {
                started.count();
                Timer::after(delay).await;
                fired.count();
            })
        })
        .collect();
    while started.get() < count {
        yield_now().await;
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
        timers[turn % live].set_after(DELAY);
    }
    each("timers_rearm", start, count, "rearm");
    Ok(())
}

/// Returns a timer that runs: the first poll starts it.
async fn started_timer(delay: Duration) -> Timer {
    let mut timer = Timer::after(delay);
    poll_fn(|context| Poll::Ready(std::pin::Pin::new(&mut timer).poll(context).is_ready())).await;
    timer
}

async fn spawn_and_run(executor: &Executor, args: &Args) -> Result<()> {
    let count: u64 = args.value("n")?;
    let done = Counter::default();
    let start = Instant::now();
    for batch in (0..count).step_by(BATCH as usize) {
        let end = count.min(batch + BATCH);
        let task = || {
            let done = done.clone();
            async move { _ = done.count() }
        };
        (batch + 1..end).for_each(|_| executor.spawn(task()).detach());
        // Who came first runs first: all have run when the last has, and one handle is awaited.
        executor.spawn(task()).await;
        check_done(done.get(), end)?;
    }
    each("spawn", start, count, "task");
    Ok(())
}

async fn yield_in_turn(executor: &Executor, args: &Args) -> Result<()> {
    let (count, tasks): (u64, u64) = (args.value("n")?, args.value("tasks")?);
    let done = Counter::default();
    let start = Instant::now();
    let all = (0..tasks).map(|_| {
        let done = done.clone();
        executor.spawn(async move {
            for _ in 0..count / tasks {
                yield_now().await;
                done.count();
            }
        })
    });
    join(all.collect()).await;
    each("yield", start, count, "yield");
    check_done(done.get(), count / tasks * tasks)
}

async fn send_to_and_fro(executor: &Executor, args: &Args) -> Result<()> {
    let count = args.value("n")?;
    let (asking, asked) = unbounded();
    let (answering, answered) = unbounded();
    let start = Instant::now();
    executor.spawn(answer(asked, answering)).detach();
    let right = executor.spawn(ask(count, asking, answered)).await;
    each("chan_rtt", start, count, "roundtrip");
    check_done(right, count)
}

async fn ask(count: u64, asking: Sender<u64>, answered: Receiver<u64>) -> u64 {
    let mut right = 0;
    for number in 0..count {
        if asking.send(number).await.is_err() {
            break;
        }
        right += u64::from(answered.recv().await == Ok(number));
    }
    right
}

async fn answer(asked: Receiver<u64>, answering: Sender<u64>) {
    while let Ok(number) = asked.recv().await {
        if answering.send(number).await.is_err() {
            return;
        }
    }
}

async fn pool(executor: &Executor, args: &Args) -> Result<()> {
    let (count, width) = (args.value("n")?, args.value("inflight")?);
    let job = async |_| {
        unblock(|| ()).await;
        Ok(())
    };
    flight(executor, 1000.min(count), width, job).await?; // the threads start
    let start = Instant::now();
    flight(executor, count, width, job).await?;
    rate("pool_throughput", start, count, "ops");

    let mut samples = Vec::new();
    for _ in 0..args.value::<u64>("lat")? {
        let start = Instant::now();
        unblock(|| ()).await;
        samples.push(start.elapsed());
    }
    percentiles("pool_rtt", samples);
    Ok(())
}

async fn wake(args: &Args) -> Result<()> {
    let count = args.value("n")?;
    let (sender, receiver) = unbounded::<Instant>();
    let (telling, told) = mpsc::channel();
    let send = move |time| sender.try_send(time).expect("the loop has the receiver");
    let other = shared::wake_often(count, send, move || told.recv().expect("the loop answers"));
    let mut samples = Vec::new();
    while let Ok(sent) = receiver.recv().await {
        samples.push(sent.elapsed());
        telling.send(()).map_err(Error::other)?;
    }
    other.join().expect("it does not panic");
    shared::wake_latency(samples, count)?;

    let count: u64 = args.value("msgs")?;
    let (sender, receiver) = unbounded::<u64>();
    let start = Instant::now();
    let other = std::thread::spawn(move || (0..count).try_for_each(|n| sender.try_send(n)));
    let mut in_order = 0;
    while let Ok(number) = receiver.recv().await {
        in_order += u64::from(number == in_order);
    }
    rate("wake_msgs", start, count, "msgs");
    other.join().expect("it does not panic").map_err(Error::other)?;
    check_done(in_order, count)
}

async fn files(executor: &Executor, args: &Args) -> Result<()> {
    let (count, paths) = (args.value("n")?, Rc::new(shared::files(args)?));
    for width in [1, 64] {
        let (paths, start) = (paths.clone(), Instant::now());
        let read = async move |number| {
            let bytes = fs::read(&paths[number as usize % paths.len()]).await?;
            check_done(bytes.len() as u64, FILE_LEN)
        };
        flight(executor, count, width, read).await?;
        rate(&format!("fs_open_read_close_c{width}"), start, count, "files");
    }
    for width in [1, 64] {
        let (paths, start) = (paths.clone(), Instant::now());
        let stat = async move |number| {
            let found = fs::metadata(&paths[number as usize % paths.len()]).await?;
            check_done(found.len(), FILE_LEN)
        };
        flight(executor, count, width, stat).await?;
        rate(&format!("fs_stat_c{width}"), start, count, "ops");
    }
    Ok(())
}

async fn processes(executor: &Executor, args: &Args) -> Result<()> {
    let count = args.value("n")?;
    for width in [1, 8] {
        let start = Instant::now();
        let run = async |_| {
            let status = Command::new("/bin/true").env_clear().status().await?;
            check_done(u64::from(status.success()), 1)
        };
        flight(executor, count, width, run).await?;
        rate(&format!("proc_spawn_c{width}"), start, count, "procs");
    }
    Ok(())
}

/// Does `count` operations, `width` at a time.
async fn flight(
    executor: &Executor,
    count: u64,
    width: u64,
    operate: impl AsyncFn(u64) -> Result<()> + Clone + 'static,
) -> Result<()> {
    let (next, done) = (Counter::default(), Counter::default());
    let worker = |_| {
        let (next, done, operate) = (next.clone(), done.clone(), operate.clone());
        executor.spawn(async move {
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
