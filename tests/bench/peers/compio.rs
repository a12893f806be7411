//! The workloads on compio, over io_uring.

mod shared;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bench::args::Args;
use bench::delays::Delays;
use bench::file_work::{BLOCK, FileWork, Operation, SMALL};
use bench::report::{check_done, each, exit_code, percentiles, rate, ready, unsupported};
use bench::serve;
use compio::BufResult;
use compio::buf::{IntoInner, IoBuf};
use compio::driver::ProactorBuilder;
use compio::fs;
use compio::io::{AsyncRead, AsyncReadAt, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream, UdpSocket};
use compio::process::Command;
use compio::runtime::{JoinHandle, RuntimeBuilder, spawn, spawn_blocking};
use compio::time::sleep;
use local_channel::mpsc::{Receiver, Sender, channel};
use shared::{BATCH, BUFFER, Counter, FILE_LEN, POOL_THREADS, SMALL_BUFFER, yield_now};

/// Room for a submission of each connection.
const ENTRIES: u32 = 4096;

fn main() -> ExitCode {
    exit_code(Args::from_env().and_then(|args| run(&args)))
}

fn run(args: &Args) -> Result<()> {
    let mut proactor = ProactorBuilder::new();
    proactor.capacity(ENTRIES).thread_pool_limit(POOL_THREADS);
    let runtime = RuntimeBuilder::new().with_proactor(proactor).build().map_err(|error| {
        Error::new(ErrorKind::Unsupported, format!("the kernel refuses io_uring: {error}"))
    })?;
    runtime.block_on(work(args))
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
        "spawn" => spawn_and_run(args).await,
        "yield" => yield_in_turn(args).await,
        "chan" => send_to_and_fro(args).await,
        "pool" => pool(args).await,
        "fs" => files(args).await,
        "file" => file_work(args).await,
        "proc" => processes(args).await,
        other => Err(unsupported(other)),
    }
}

async fn serve_all<F: Future<Output = Result<()>> + 'static>(
    args: &Args,
    connection: impl Fn(TcpStream) -> F,
) -> Result<()> {
    let listener = TcpListener::from_std(serve::only_listener(args)?)?;
    ready()?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // An error is a reset, or the like: it ends this connection and nothing else.
        spawn(connection(stream)).detach();
    }
}

async fn echo(stream: TcpStream) -> Result<()> {
    echo_by(stream, Vec::with_capacity(BUFFER)).await
}

async fn echo_by_small_buffer(stream: TcpStream) -> Result<()> {
    echo_by(stream, Vec::with_capacity(SMALL_BUFFER)).await
}

async fn echo_by(mut stream: TcpStream, mut buffer: Vec<u8>) -> Result<()> {
    loop {
        buffer.clear();
        let BufResult(read, bytes) = stream.read(buffer).await;
        let len = read?;
        if len == 0 {
            return Ok(());
        }
        let BufResult(written, bytes) = stream.write_all(bytes.slice(..len)).await;
        written?;
        buffer = bytes.into_inner();
    }
}

async fn sink(mut stream: TcpStream) -> Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER);
    let mut total = 0;
    loop {
        let BufResult(read, bytes) = stream.read(buffer).await;
        match read? {
            0 => return stream.write_all(u64::to_le_bytes(total)).await.0,
            len => total += len as u64,
        }
        buffer = bytes;
        buffer.clear();
    }
}

async fn close(stream: TcpStream) -> Result<()> {
    drop(stream);
    Ok(())
}

async fn udp(args: &Args) -> Result<()> {
    let socket = UdpSocket::from_std(serve::only_udp_socket(args)?)?;
    ready()?;
    let mut buffer = Vec::with_capacity(BUFFER);
    loop {
        let BufResult(received, bytes) = socket.recv_from(buffer).await;
        let (len, sender) = received?;
        let BufResult(sent, bytes) = socket.send_to(bytes.slice(..len), sender).await;
        sent?;
        buffer = bytes.into_inner();
        buffer.clear();
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
            spawn(async move {
                started.count();
                sleep(delay).await;
                fired.count();
            })
        })
        .collect();
    while started.get() < count {
        // Behind all tasks in the queue: they have started when it is done.
        spawn(async {}).await.expect("it does not panic");
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

/// Returns a timer that runs: the first poll starts it.
async fn started_timer(delay: Duration) -> Pin<Box<dyn Future<Output = ()>>> {
    let mut timer: Pin<Box<dyn Future<Output = ()>>> = Box::pin(sleep(delay));
    poll_fn(|context| Poll::Ready(timer.as_mut().poll(context).is_ready())).await;
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
        (batch + 1..end).for_each(|_| spawn(task()).detach());
        // Who came first runs first: all have run when the last has, and one handle is awaited.
        spawn(task()).await.expect("it does not panic");
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
        spawn(async move {
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

async fn send_to_and_fro(args: &Args) -> Result<()> {
    let count = args.value("n")?;
    let (asking, asked) = channel();
    let (answering, answered) = channel();
    let start = Instant::now();
    spawn(answer(asked, answering)).detach();
    let right = spawn(ask(count, asking, answered)).await.expect("it does not panic");
    each("chan_rtt", start, count, "roundtrip");
    check_done(right, count)
}

async fn ask(count: u64, asking: Sender<u64>, mut answered: Receiver<u64>) -> u64 {
    let mut right = 0;
    for number in 0..count {
        if asking.send(number).is_err() {
            break;
        }
        right += u64::from(answered.recv().await == Some(number));
    }
    right
}

async fn answer(mut asked: Receiver<u64>, answering: Sender<u64>) {
    while let Some(number) = asked.recv().await {
        if answering.send(number).is_err() {
            return;
        }
    }
}

async fn pool(args: &Args) -> Result<()> {
    let (count, width) = (args.value("n")?, args.value("inflight")?);
    let job = async |_| spawn_blocking(|| ()).await.map_err(|_| Error::other("the job is lost"));
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
            let bytes = fs::read(&paths[number as usize % paths.len()]).await?;
            check_done(bytes.len() as u64, FILE_LEN)
        };
        flight(count, width, read).await?;
        rate(&format!("fs_open_read_close_c{width}"), start, count, "files");
    }
    for width in [1, 64] {
        let (paths, start) = (paths.clone(), Instant::now());
        let stat = async move |number| {
            let found = fs::metadata(&paths[number as usize % paths.len()]).await?;
            check_done(found.len(), FILE_LEN)
        };
        flight(count, width, stat).await?;
        rate(&format!("fs_stat_c{width}"), start, count, "ops");
    }
    Ok(())
}

async fn file_work(args: &Args) -> Result<()> {
    let work = Rc::new(FileWork::from_args(args)?);
    if work.operation == Operation::Block {
        return blocks(work).await;
    }
    let operate = {
        let work = work.clone();
        async move |number| {
            let path = work.path(number);
            let len = match work.operation {
                Operation::Read | Operation::Large => fs::read(path).await?.len(),
                Operation::Stat => fs::metadata(path).await?.len() as usize,
                Operation::Write => fs::write(path, vec![b'y'; SMALL]).await.0.map(|()| SMALL)?,
                Operation::Block => unreachable!("that has a way of its own"),
            };
            work.check(len)
        }
    };
    let watch = work.watch();
    flight(work.count, work.width, operate).await?;
    watch.stop();
    Ok(())
}

/// In files that are open, into buffers that are used again.
async fn blocks(work: Rc<FileWork>) -> Result<()> {
    let mut places = Vec::new();
    for place in 0..work.width {
        places.push((fs::File::open(work.path(place)).await?, vec![1; BLOCK]));
    }
    let free = Rc::new(RefCell::new(places));
    let operate = {
        let work = work.clone();
        async move |number| {
            let (file, buffer) = free.borrow_mut().pop().expect("there are enough");
            let BufResult(read, buffer) = file.read_at(buffer, work.offset(number)).await;
            free.borrow_mut().push((file, buffer));
            work.check(read?)
        }
    };
    let watch = work.watch();
    flight(work.count, work.width, operate).await?;
    watch.stop();
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
async fn flight(
    count: u64,
    width: u64,
    operate: impl AsyncFn(u64) -> Result<()> + Clone + 'static,
) -> Result<()> {
    let (next, done) = (Counter::default(), Counter::default());
    let worker = |_| {
        let (next, done, operate) = (next.clone(), done.clone(), operate.clone());
        spawn(async move {
            while next.get() < count {
                operate(next.count()).await?;
                done.count();
            }
            Ok(())
        })
    };
    let workers: Vec<JoinHandle<Result<()>>> = (0..width).map(worker).collect();
    for worker in workers {
        worker.await.expect("it does not panic")?;
    }
    check_done(done.get(), count)
}

async fn join<T>(tasks: Vec<JoinHandle<T>>) {
    for task in tasks {
        task.await.expect("it does not panic");
    }
}
