//! What all contenders promise one another: names and units of what they print, exit codes, flags.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use behaviour::Deadline;

const CONTENDERS: [&str; 2] = [env!("CARGO_BIN_EXE_contender"), env!("CARGO_BIN_EXE_floor")];
const OURS: &str = CONTENDERS[0];
const UNSUPPORTED: i32 = 3;

/// Command lines, with what is printed: names and units, and nothing else.
const IN_PROCESS: &[(&str, &[&str])] = &[
    ("timers-fire --n 500", &["timers_insert ns/timer", "timers_fire ns/timer"]),
    ("timers-churn --n 500 --live 100", &["timers_churn ns/insert+cancel"]),
    ("timers-rearm --n 500 --live 100", &["timers_rearm ns/rearm"]),
    ("spawn --n 2500", &["spawn ns/task"]),
    ("yield --n 500 --tasks 10", &["yield ns/yield"]),
    ("chan --n 500", &["chan_rtt ns/roundtrip"]),
    (
        "ticks --n 2500",
        &[
            "nexttick_chain ns/tick",
            "nexttick_batch ns/tick",
            "microtask_chain ns/tick",
            "immediate_chain ns/iteration",
            "immediate_batch ns/immediate",
        ],
    ),
    ("queue --n 500 --length 7", &["queue_tick ns/tick", "queue_microtask ns/microtask"]),
    ("loop --n 500", &["loop_nowait ns/iteration"]),
    ("start --n 5", &["start_first us", "start_p50 us", "start_p99 us"]),
    (
        "pool --n 500 --inflight 50 --lat 50",
        &["pool_throughput ops/s", "pool_rtt_p50 us", "pool_rtt_p99 us"],
    ),
    ("pool-spin --n 50 --inflight 5 --turns 100", &["pool_spin ops/s"]),
    ("wake --n 20 --msgs 500", &["wake_latency_p50 us", "wake_latency_p99 us", "wake_msgs msgs/s"]),
    (
        "fs --n 100",
        &[
            "fs_open_read_close_c1 files/s",
            "fs_open_read_close_c64 files/s",
            "fs_stat_c1 ops/s",
            "fs_stat_c64 ops/s",
        ],
    ),
    ("file --op read --n 50 --width 64", FILE_WORK),
    ("file --op stat --n 50 --width 1", FILE_WORK),
    ("file --op write --n 50 --width 64", FILE_WORK),
    ("file --op large --n 1 --width 1", FILE_WORK),
    ("file --op block --n 50 --width 1", FILE_WORK),
];

const FILE_WORK: &[&str] = &["rate ops/s", "loop_thread ns/operation"];

fn run(program: &str, line: &str) -> Output {
    let run = Command::new(program).args(line.split_whitespace()).output();
    run.expect("it is built")
}

/// Returns the names and units that were printed; each value is a number above zero.
fn printed(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let figure = |line: &str| {
        let [name, value, unit] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line:?} is no figure");
        };
        assert!(value.parse::<f64>().expect("a number") > 0.0, "{line}");
        format!("{name} {unit}")
    };
    text.lines().map(figure).collect()
}

#[test]
fn a_workload_prints_its_figures_and_nothing_else() {
    let _deadline = Deadline::secs(200);
    let files = Files::new();
    for program in CONTENDERS {
        for (line, figures) in IN_PROCESS {
            // The order is not promised.
            let run = run(program, &format!("{line} --dir {}", files.0.display()));
            let printed: BTreeSet<_> = printed(&run).into_iter().collect();
            let figures: BTreeSet<_> = figures.iter().map(|&figure| figure.to_owned()).collect();
            assert_eq!(printed, figures, "{program} {line}");
        }
    }
}

#[test]
fn futures_print_the_same() {
    let _deadline = Deadline::secs(100);
    let files = Files::new();
    for name in ["pool ", "pool-spin ", "fs "] {
        let (line, figures) = IN_PROCESS.iter().find(|(line, _)| line.starts_with(name)).unwrap();
        let line = format!("{line} --dir {} --api future", files.0.display());
        assert_eq!(printed(&run(OURS, &line)), *figures);
    }
}

#[test]
fn idle_handles_of_each_kind_have_a_figure() {
    let _deadline = Deadline::secs(60);
    let names = ["none", "timers", "watchers", "tasks", "udp", "tcp"];
    let figures = names.map(|name| format!("many_{name} ns/iteration"));
    assert_eq!(printed(&run(OURS, "many --n 50 --idle 300 --sockets 20")), figures);
}

#[test]
fn a_flag_that_a_workload_has_no_use_for_is_ignored() {
    let _deadline = Deadline::secs(60);
    for program in CONTENDERS {
        let line = "loop --n 50 --api future --loops 2 --live x --port 1 --never-heard-of y";
        assert_eq!(printed(&run(program, line)), ["loop_nowait ns/iteration"], "{program}");
    }
}

#[test]
fn what_is_not_supported_has_its_exit_code_and_says_so() {
    let _deadline = Deadline::secs(60);
    for program in CONTENDERS {
        let run = run(program, "juggle --n 5");
        assert_eq!(run.status.code(), Some(UNSUPPORTED), "{program}");
        assert_eq!(String::from_utf8_lossy(&run.stderr), "juggle: not supported\n");
        assert!(run.stdout.is_empty());
    }
}

#[test]
fn a_command_line_that_makes_no_sense_says_what_is_wrong_with_it() {
    let _deadline = Deadline::secs(60);
    let complaints = [
        ("", "which workload?"),
        ("spawn", "--n is missing"),
        ("spawn --n", "--n"),
        ("spawn --n many", "--n many: makes no sense"),
        ("spawn --n -1", "--n -1: makes no sense"),
        ("spawn 5", "5"),
        ("echo", "--port is missing"),
        ("echo --port 70000", "--port 70000: makes no sense"),
        ("echo --port 0 --loops 0", "--loops 0"),
        ("yield --n 5", "--tasks is missing"),
        ("fs --n 5", "--dir is missing"),
        ("fs --n 5 --dir /nowhere", "No such file"),
        ("file --op cut --n 5 --width 1 --dir .", "--op cut: makes no sense"),
        ("file --op stat --n 5 --width 1 --dir /nowhere", "No such file"),
    ];
    for program in CONTENDERS {
        for (line, complaint) in complaints {
            let run = run(program, line);
            let said = String::from_utf8_lossy(&run.stderr);
            assert!(said.contains(complaint), "{line}: {said}");
            assert_eq!(said.lines().count(), 1, "{line}: {said}");
            assert_eq!(run.status.code(), Some(1), "{line}");
        }
    }
    let run = run(OURS, "echo --port 0 --api threads");
    assert_eq!((run.status.code(), run.stdout.is_empty()), (Some(1), true));
}

#[test]
fn a_server_serves_by_one_loop_and_by_several() {
    let _deadline = Deadline::secs(100);
    for program in CONTENDERS {
        for flags in ["", "--loops 2", "--api future", "--api future --loops 3"] {
            talk_to_echo(&Server::start(program, &format!("echo {flags}")));
            talk_to_echo(&Server::start(program, &format!("mem {flags}")));
            talk_to_sink(&Server::start(program, &format!("sink {flags}")));
            talk_to_accept(&Server::start(program, &format!("accept {flags}")));
            talk_to_udp(&Server::start(program, &format!("udp {flags}")));
        }
    }
    talk_to_echo(&Server::start(OURS, "mem --drain true"));
}

/// Messages on several connections, then the end of each: what is under way still comes back.
fn talk_to_echo(server: &Server) {
    let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.write_all(&[number as u8; 3000]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    }
    for (number, client) in clients.iter_mut().enumerate() {
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, [number as u8; 3000]);
    }
}

fn talk_to_sink(server: &Server) {
    let (mut client, mut answer) = (server.connect(), Vec::new());
    client.write_all(&[1; 100_000]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, 100_000_u64.to_le_bytes());
}

fn talk_to_accept(server: &Server) {
    for _ in 0..10 {
        assert_eq!(server.connect().read(&mut [0; 1]).unwrap(), 0);
    }
}

fn talk_to_udp(server: &Server) {
    for message in [&b""[..], b"datagram"] {
        let (client, mut answer) = (UdpSocket::bind("127.0.0.1:0").unwrap(), [0; 100]);
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.connect(("127.0.0.1", server.port)).unwrap();
        client.send(message).unwrap();
        let len = client.recv(&mut answer).unwrap();
        assert_eq!(&answer[..len], message);
    }
}

const PATIENCE: Duration = Duration::from_secs(30);

/// A server that has said that it is ready; killed when dropped.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(program: &str, line: &str) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let line = format!("{line} --port {port} --seconds 60");
        let mut command = Command::new(program);
        command.args(line.split_whitespace()).stdout(Stdio::piped());
        let mut server = Self { process: command.spawn().expect("it is built"), port };
        let mut said = String::new();
        BufReader::new(server.process.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n", "{line}");
        server
    }

    fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The files of `fs` and one large one for `file`, gone when dropped.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("bench-contract-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let files = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&files.0).unwrap();
        for number in 0..1000 {
            fs::write(files.0.join(format!("f{number}")), [b'x'; 1024]).unwrap();
        }
        fs::write(files.0.join("l0"), vec![b'x'; 1024 * 1024]).unwrap();
        files
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What stays behind is in the temporary directory.
        let _ = fs::remove_dir_all(&self.0);
    }
}
