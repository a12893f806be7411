//! Handles of all kinds, started, stopped, closed and dropped at random from random callbacks.
//!
//! It takes 3 seconds, or `SOAK_SECONDS`; the choices are those of a seed, which is printed, and may be
//! given as `SOAK_SEED`. What the system does meanwhile is not the seed's: a run is not repeated to the
//! letter, but its mixture is.
#![cfg(unix)]

mod tcp_support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::rc::Rc;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use behaviour::{Deadline, tell};
use runtime::handle::{
    Async, Check, FsEvent, FsEventOptions, FsPoll, Handle, Idle, Interest, Poll, Prepare, Signal,
    Timer,
};
use runtime::net::{
    Pipe, TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream,
};
use runtime::process::{Command, Stdio};
use runtime::{
    Loop, fs, ms, next_tick, queue_microtask, set_immediate, set_timeout, spawn, spawn_blocking,
};
use tcp_support::{Counted, assert_passed, child, child_argument, open_descriptors};

/// Handles that are kept at once; more may live on the loop alone.
const MOST: usize = 120;
/// Above this many on the loop every other one is closed.
const TOO_MANY: u64 = 400;
/// What is done between two turns of the driver, at most.
const STEPS: u32 = 300;

/// Bytes that are allocated.
static BYTES: AtomicIsize = AtomicIsize::new(0);

struct Counting;

// SAFETY: all is passed on to the system's allocator; the count neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size() as isize, Relaxed);
        // SAFETY: what is asked of us is asked of it.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Whether an operation succeeds depends on what was done before: both is well.
fn ignore<T>(_result: T) {}

/// Lends the base of a handle.
type With = Box<dyn Fn(&mut dyn FnMut(&Handle))>;
/// What is done to a handle besides what all handles have.
type Poke = Box<dyn Fn(&World)>;

struct Member {
    /// The handle, by its base.
    with: With,
    poke: Poke,
}

struct World {
    random: Cell<u64>,
    members: RefCell<Vec<Rc<Member>>>,
    /// Values that callbacks and tasks own.
    live: Rc<Cell<usize>>,
    is_over: Cell<bool>,
    /// Steps until the driver's next turn: a change may be told to many, each of whom makes another.
    steps_left: Cell<u32>,
    done: RefCell<BTreeMap<&'static str, u64>>,
    folder: PathBuf,
    names: Cell<u64>,
}

impl World {
    fn random(&self, below: u64) -> u64 {
        // xorshift64*
        let mut x = self.random.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.random.set(x);
        (x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    }

    fn note(&self, what: &'static str) {
        *self.done.borrow_mut().entry(what).or_default() += 1;
    }

    fn join<H: Clone + std::ops::Deref<Target = Handle> + 'static>(
        &self,
        handle: &H,
        poke: impl Fn(&H, &World) + 'static,
    ) {
        let (one, other) = (handle.clone(), handle.clone());
        let member = Member {
            with: Box::new(move |f| f(&one)),
            poke: Box::new(move |world| poke(&other, world)),
        };
        self.members.borrow_mut().push(Rc::new(member));
    }

    fn some_member(&self) -> Option<Rc<Member>> {
        let count = self.members.borrow().len() as u64;
        let at = if count == 0 { return None } else { self.random(count) as usize };
        self.members.borrow().get(at).cloned()
    }

    fn name(&self) -> PathBuf {
        // Used again, or a long soak would spend its time on a folder of a hundred thousand files.
        self.names.set((self.names.get() + 1) % 500);
        self.folder.join(self.names.get().to_string())
    }
}

/// What every callback does: a few things at random.
fn act(world: &Rc<World>) {
    if world.is_over.get() {
        return;
    }
    for _ in 0..=world.random(2) {
        let Some(left) = world.steps_left.get().checked_sub(1) else { return };
        world.steps_left.set(left);
        step(world);
    }
}

fn step(world: &Rc<World>) {
    let dice = world.random(100);
    let is_full = world.members.borrow().len() >= MOST;
    match dice {
        0..45 if !is_full => {
            // A limit of the system is no fault: what could not be made is not there.
            if let Err(error) = make(world) {
                world.note("failed");
                assert!(!error.to_string().is_empty());
            }
        }
        0..60 => {
            let gone = {
                let mut members = world.members.borrow_mut();
                let count = members.len() as u64;
                (count > 0).then(|| members.swap_remove(world.random(count) as usize))
            };
            world.note("dropped");
            drop(gone);
        }
        60..75 => {
            if let Some(member) = world.some_member() {
                world.note("closed");
                (member.with)(&mut |handle| handle.close());
            }
        }
        75..80 => {
            if let Some(member) = world.some_member() {
                (member.with)(&mut |handle| {
                    if handle.has_ref() { handle.unref() } else { handle.ref_() }
                });
            }
        }
        _ => {
            if let Some(member) = world.some_member() {
                world.note("poked");
                (member.poke)(world);
            }
        }
    }
}

/// A callback of one argument that acts.
fn actor<A>(world: &Rc<World>) -> impl FnMut(&A) + 'static {
    let (world, owned) = (world.clone(), Counted::new(&world.live));
    move |_| {
        owned.touch();
        act(&world);
    }
}

/// The same of two.
fn actor2<A, B>(world: &Rc<World>) -> impl FnMut(&A, B) + 'static {
    let (world, owned) = (world.clone(), Counted::new(&world.live));
    move |_, _| {
        owned.touch();
        act(&world);
    }
}

/// The same for a request, once.
fn once<A>(world: &Rc<World>) -> impl FnOnce(A) + 'static {
    let (world, owned) = (world.clone(), Counted::new(&world.live));
    move |_| {
        owned.touch();
        act(&world);
    }
}

fn make(world: &Rc<World>) -> io::Result<()> {
    match world.random(24) {
        0 | 1 => timer(world)?,
        2 => watchers(world)?,
        3 => asynchronous(world),
        4 => poll(world)?,
        5 | 6 => tcp(world)?,
        7 => tcp_server(world)?,
        8 | 9 => udp(world)?,
        10 | 11 => pipe(world)?,
        12 | 13 => local(world)?,
        14 => local_server(world)?,
        15 => local_datagram(world)?,
        16 => signal(world)?,
        17 => process(world)?,
        18 => files(world)?,
        _ => schedule(world),
    }
    world.note("made");
    Ok(())
}

fn timer(world: &Rc<World>) -> io::Result<()> {
    let timer = Timer::new();
    let repeat = (world.random(2) == 0).then(|| ms(world.random(5)));
    timer.start(ms(world.random(10)), repeat, actor(world))?;
    world.join(&timer, |timer, world| match world.random(3) {
        0 => timer.stop(),
        1 => ignore(timer.again()),
        _ => timer.set_repeat(ms(3)),
    });
    Ok(())
}

fn watchers(world: &Rc<World>) -> io::Result<()> {
    match world.random(3) {
        0 => {
            let idle = Idle::new();
            let mut left = world.random(20);
            let mut act = actor(world);
            idle.start(move |idle| {
                act(idle);
                left = left.saturating_sub(1);
                if left == 0 {
                    idle.stop();
                }
            })?;
            world.join(&idle, |idle, _| idle.stop());
        }
        1 => {
            let prepare = Prepare::new();
            prepare.start(actor(world))?;
            prepare.unref();
            world.join(&prepare, |prepare, _| prepare.stop());
        }
        _ => {
            let check = Check::new();
            check.start(actor(world))?;
            check.unref();
            world.join(&check, |check, _| check.stop());
        }
    }
    Ok(())
}

fn asynchronous(world: &Rc<World>) {
    let handle = Async::new(actor(world));
    let sender = handle.sender();
    if world.random(2) == 0 {
        let far = sender.clone();
        // The handle may be closed by then.
        spawn_blocking(move || (0..5).for_each(|_| ignore(far.send())));
    }
    world.join(&handle, move |_, _| ignore(sender.send()));
}

fn poll(world: &Rc<World>) -> io::Result<()> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let poll = Poll::new(ours.as_fd())?;
    let interest = if world.random(2) == 0 { Interest::READABLE } else { Interest::WRITABLE };
    let mut left = world.random(10);
    let mut act = actor2(world);
    poll.start(interest, move |poll, ready| {
        act(poll, ready);
        left = left.saturating_sub(1);
        if left == 0 {
            poll.stop();
        }
    });
    world.join(&poll, move |_, _| {
        let (_, theirs) = (&ours, &theirs);
        ignore(io::Write::write(&mut &*theirs, b"x"));
    });
    Ok(())
}

/// Reads one end, lets the other be written to, and keeps both.
macro_rules! stream {
    ($world:expr, $reader:expr, $writer:expr) => {{
        let (world, reader, writer) = ($world, $reader, $writer);
        reader.read_start(actor2_ref(world));
        reader.closed().callback(once(world));
        world.join(&reader, |reader, world| match world.random(4) {
            0 => reader.pause(),
            1 => reader.resume(),
            2 => reader.read_stop(),
            _ => ignore(reader.shutdown()),
        });
        writer.on_drain(actor(world));
        let (again, owned) = (world.clone(), Counted::new(&world.live));
        world.join(&writer, move |writer, world| {
            owned.touch();
            poke_writer(writer, &again, world.random(5));
        });
    }};
}

/// A read callback: `actor2` for every lifetime of the data.
fn actor2_ref<A>(world: &Rc<World>) -> impl FnMut(&A, io::Result<&[u8]>) + 'static {
    let (world, owned) = (world.clone(), Counted::new(&world.live));
    move |_, _| {
        owned.touch();
        act(&world);
    }
}

trait Writer: Clone + 'static {
    fn send(&self, size: usize) -> runtime::Request<()>;
    fn finish(&self) -> runtime::Request<()>;
}

macro_rules! writer {
    ($($name:ident)*) => {$(
        impl Writer for $name {
            fn send(&self, size: usize) -> runtime::Request<()> {
                self.write(vec![7; size])
            }
            fn finish(&self) -> runtime::Request<()> {
                self.shutdown()
            }
        }
    )*};
}
writer!(TcpStream UnixStream Pipe);

fn poke_writer(writer: &impl Writer, world: &Rc<World>, dice: u64) {
    match dice {
        0 => ignore(writer.send(10)),
        1 => ignore(writer.send(300_000).callback(once(world))),
        2 => {
            let (request, owned) = (writer.send(1_000_000), Counted::new(&world.live));
            let world = world.clone();
            spawn(async move {
                ignore(request.await);
                owned.touch();
                act(&world);
            });
        }
        3 => ignore(writer.finish().callback(once(world))),
        _ => ignore(writer.send(1)),
    }
}

fn tcp(world: &Rc<World>) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let (serving, owned) = (world.clone(), Counted::new(&world.live));
    listener.listen(move |listener, socket| {
        owned.touch();
        socket.set_idle_timeout(ms(50));
        stream!(&serving, socket.clone(), socket);
        listener.close();
        act(&serving);
    });
    let (connecting, owned) = (world.clone(), Counted::new(&world.live));
    let id = TcpStream::connect(address).callback(move |connected| {
        owned.touch();
        if let Ok(socket) = connected {
            stream!(&connecting, socket.clone(), socket);
        }
        act(&connecting);
    });
    if world.random(8) == 0 {
        id.cancel();
    }
    world.join(&listener, |_, _| ());
    Ok(())
}

fn tcp_server(world: &Rc<World>) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (accepting, owned) = (listener.clone(), Counted::new(&world.live));
    let serving = world.clone();
    spawn(async move {
        owned.touch();
        while let Ok((socket, _)) = accepting.accept().await {
            act(&serving);
            let owned = Counted::new(&serving.live);
            spawn(async move {
                owned.touch();
                let mut buffer = [0; 1000];
                while let Ok(1..) = socket.read(&mut buffer).await {
                    socket.write("y");
                }
            });
        }
    });
    world.join(&listener, |listener, world| {
        // Nobody need ever read it.
        if let Ok(address) = listener.local_addr()
            && let Ok(mut peer) =
                std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1))
            && world.random(2) == 0
        {
            ignore(io::Write::write(&mut peer, b"hello"));
        }
    });
    Ok(())
}

fn udp(world: &Rc<World>) -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    if world.random(2) == 0 {
        let (world, owned) = (world.clone(), Counted::new(&world.live));
        socket.recv_start(move |_, _| {
            owned.touch();
            act(&world);
        });
    } else {
        let (socket, world) = (socket.clone(), world.clone());
        let owned = Counted::new(&world.live);
        spawn(async move {
            owned.touch();
            let mut buffer = [0; 100];
            while socket.recv_from(&mut buffer).await.is_ok() {
                act(&world);
            }
        });
    }
    let sending = world.clone();
    world.join(&socket, move |socket, world| {
        let data = vec![1; world.random(2000) as usize];
        ignore(socket.send_to(data, address).callback(once(&sending)));
        if world.random(8) == 0 {
            socket.recv_stop();
        }
    });
    Ok(())
}

fn pipe(world: &Rc<World>) -> io::Result<()> {
    let (reader, writer) = Pipe::pair()?;
    stream!(world, reader, writer);
    Ok(())
}

fn local(world: &Rc<World>) -> io::Result<()> {
    let (one, other) = UnixStream::pair()?;
    if world.random(4) == 0 {
        // Descriptors travel too.
        let null = std::fs::File::open("/dev/null")?;
        ignore(one.write_with_fds("fd", vec![null.into()]));
    }
    stream!(world, one.clone(), one);
    stream!(world, other.clone(), other);
    Ok(())
}

fn local_server(world: &Rc<World>) -> io::Result<()> {
    let path = world.name();
    let listener = UnixListener::bind(&path)?;
    let (serving, owned) = (world.clone(), Counted::new(&world.live));
    listener.listen(move |_, socket| {
        owned.touch();
        stream!(&serving, socket.clone(), socket);
        act(&serving);
    });
    let connecting = world.clone();
    world.join(&listener, move |_, _| {
        ignore(UnixStream::connect(&path).callback(once(&connecting)));
    });
    Ok(())
}

fn local_datagram(world: &Rc<World>) -> io::Result<()> {
    let (one, other) = UnixDatagram::pair()?;
    let (acting, owned) = (world.clone(), Counted::new(&world.live));
    one.recv_start(move |_, _| {
        owned.touch();
        act(&acting);
    });
    world.join(&one, |one, _| one.recv_stop());
    let sending = world.clone();
    world.join(&other, move |other, _| ignore(other.send("hello").callback(once(&sending))));
    Ok(())
}

fn signal(world: &Rc<World>) -> io::Result<()> {
    let signal = Signal::new();
    if world.random(2) == 0 {
        signal.start(libc::SIGUSR1, actor2(world))?;
    } else {
        signal.start_once(libc::SIGUSR1, actor2(world))?;
    }
    world.join(&signal, |signal, world| {
        if signal.is_active() && world.random(2) == 0 {
            // It is watched, so that it does not end us. To this thread, which has caught it before this
            // returns: what another thread is still to catch would meet the default after a stop.
            // SAFETY: it is given a number.
            unsafe { libc::raise(libc::SIGUSR1) };
        } else {
            signal.stop();
        }
    });
    Ok(())
}

fn process(world: &Rc<World>) -> io::Result<()> {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(world.random(2) == 0);
    let child = command.spawn()?;
    let (input, output) = (child.take_stdin(), child.take_stdout());
    child.wait().callback(once(world));
    stream!(world, output.expect("it is piped"), input.expect("it is piped"));
    world.join(&child, |child, world| match world.random(3) {
        0 => ignore(child.kill(9)),
        1 => ignore(child.kill(0)),
        _ => ignore(child.wait()),
    });
    Ok(())
}

fn files(world: &Rc<World>) -> io::Result<()> {
    let path = world.name();
    std::fs::write(&path, "x")?;
    if world.random(2) == 0 {
        let watcher = FsEvent::new();
        // Each change of the folder is told to all who watch it, and each of them may make another.
        let watched = if world.random(10) == 0 { &world.folder } else { &path };
        watcher.start(watched, FsEventOptions::new(), actor2(world))?;
        world.join(&watcher, move |watcher, world| poke_file(world, &path, || watcher.stop()));
    } else {
        let watcher = FsPoll::new();
        watcher.start(&path, ms(1), actor2(world))?;
        world.join(&watcher, move |watcher, world| poke_file(world, &path, || watcher.stop()));
    }
    Ok(())
}

fn poke_file(world: &World, path: &Path, stop: impl FnOnce()) {
    match world.random(4) {
        0 => stop(),
        1 => ignore(std::fs::remove_file(path)),
        2 => ignore(std::fs::write(path, "y")),
        _ => (),
    }
}

fn schedule(world: &Rc<World>) {
    let (acting, owned) = (world.clone(), Counted::new(&world.live));
    let run = move || {
        owned.touch();
        act(&acting);
    };
    match world.random(7) {
        0 => ignore(set_timeout(ms(world.random(5)), run)),
        1 => ignore(set_immediate(run)),
        2 => next_tick(run),
        3 => queue_microtask(run),
        4 => ignore(spawn(async move { run() })),
        5 => spawn_blocking(|| ()).callback(move |_| run()),
        _ => ignore(fs::metadata("/").callback(move |_| run())),
    }
}

/// What was dropped while it was active lives on.
fn thin_out(world: &World) {
    let lp = runtime::current();
    if lp.metrics().handles as u64 > TOO_MANY {
        // But for the driver, which was made first.
        let mut is_driver = true;
        lp.walk(|handle| {
            if !std::mem::take(&mut is_driver) && world.random(2) == 0 {
                handle.close();
            }
        });
    }
}

/// One round on a loop of its own; gives what was done, and how often.
fn round(seed: u64, lasts: Duration) -> BTreeMap<&'static str, u64> {
    let folder = std::env::temp_dir().join(format!("runtime-soak-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let live = Rc::new(Cell::new(0));
    let outside = open_descriptors();
    let world = Rc::new(World {
        random: Cell::new(seed | 1),
        members: RefCell::default(),
        live: live.clone(),
        is_over: Cell::new(false),
        steps_left: Cell::new(STEPS),
        done: RefCell::default(),
        folder: folder.clone(),
        names: Cell::new(0),
    });
    {
        let mut lp = Loop::new().unwrap();
        let _here = lp.enter();
        let (driving, end) = (world.clone(), Instant::now() + lasts);
        let driver = Timer::new();
        driver
            .start(ms(1), ms(1), move |driver| {
                driving.steps_left.set(STEPS);
                thin_out(&driving);
                act(&driving);
                if Instant::now() > end {
                    driving.is_over.set(true);
                    driver.close();
                    runtime::current().stop();
                }
            })
            .unwrap();
        while !world.is_over.get() {
            lp.run().unwrap();
        }
        world.members.borrow_mut().clear();
        // What lives on the loop alone.
        lp.walk(|handle| handle.close());
        assert!(!lp.run().unwrap(), "{:?}", lp.active_resources());
        assert_eq!(tcp_support::handles(&lp), 0, "handles");
        assert_eq!(live.get(), 0, "values that callbacks and tasks owned");
        assert_eq!(lp.metrics().tasks, 0, "tasks");
    }
    assert_eq!(Rc::strong_count(&world), 1);
    // A lookup that nobody wants any more has files open, and a thread of the pool has the descriptor of
    // its last loop until it sleeps.
    let patience = Instant::now() + Duration::from_secs(60);
    while open_descriptors() != outside && Instant::now() < patience {
        std::thread::yield_now();
    }
    assert_eq!(open_descriptors(), outside, "descriptors");
    std::fs::remove_dir_all(&folder).unwrap();
    no_children_left();
    world.done.take()
}

/// Waits until the last child that was killed or let go is waited for.
fn no_children_left() {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let ask = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while !matches!(waitid(WaitId::All, ask), Err(rustix::io::Errno::CHILD)) {
        std::thread::yield_now();
    }
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn mixed_handles_end_clean() {
    let seconds: u64 = setting("SOAK_SECONDS").unwrap_or(3);
    let seed = setting("SOAK_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_nanos() as u64
    });
    // In a process of its own: nobody else opens descriptors or has children.
    if child_argument().is_none() {
        tell(format!("{seconds} s with SOAK_SEED={seed}"));
        // SAFETY: no other thread of this process reads the environment: this is its only test.
        unsafe { std::env::set_var("SOAK_SEED", seed.to_string()) };
        let output: Output = child("exec", "mixed_handles_end_clean", "yes");
        let said = String::from_utf8_lossy(&output.stderr);
        said.lines().filter(|line| line.contains("done:")).for_each(tell);
        return assert_passed(&output);
    }
    let _guard = Deadline::secs(seconds + 120);
    // The first round makes what is kept for ever: threads, buffers, lists.
    round(seed ^ 0x5555, Duration::from_millis(500));
    let before = BYTES.load(Relaxed);
    let done = round(seed, Duration::from_secs(seconds));
    let grown = BYTES.load(Relaxed) - before;
    eprintln!("done: {done:?}; {grown} bytes more");
    assert!(done["made"] > 100 && done["closed"] > 10, "{done:?}");
    assert!(grown < 256 * 1024, "{grown} bytes more than before");
}
