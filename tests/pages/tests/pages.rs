//! The pages tell the truth: each program on them, run in a process of its own, prints what the page
//! says.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pages::{Language, PAGES, Program};

/// What a program of a page may take. Those there need milliseconds.
const DEADLINE: Duration = Duration::from_secs(30);

/// The oldest Node whose order is the pages' order, by its major number.
const OLDEST_NODE: u32 = 20;

fn programs() -> Vec<Program> {
    let pages = PAGES.map(|page| pages::of_page(page).unwrap_or_else(|error| panic!("{error}")));
    pages.concat()
}

#[test]
fn every_program_is_followed_by_what_it_prints() {
    let silent: Vec<_> =
        programs().iter().filter(|it| it.output.is_none()).map(Program::place).collect();
    assert!(silent.is_empty(), "programs without a block of text: {}", silent.join(", "));
}

#[test]
fn at_least_twenty_sections_show_a_node_program_and_its_port() {
    let mut sections: HashMap<String, (bool, bool)> = HashMap::new();
    for program in programs().into_iter().filter(|it| it.page == "porting-from-node") {
        let (node, port) = sections.entry(program.section).or_default();
        *(if program.language == Language::Rust { port } else { node }) = true;
    }
    let pairs = sections.values().filter(|both| **both == (true, true)).count();
    assert!(pairs >= 20, "only {pairs} sections have both programs");
}

#[test]
fn every_rust_program_prints_what_its_page_says() {
    expect_all(|program| {
        let mut page = Command::new(env!("CARGO_BIN_EXE_page"));
        page.arg(&program.name);
        let is_here = cfg!(target_os = "linux") || !program.needs_linux;
        (program.language == Language::Rust && is_here).then_some(page)
    });
}

#[test]
fn every_node_program_prints_what_its_page_says() {
    if let Err(reason) = find_node() {
        eprintln!("the Node programs were not run: {reason}");
        return;
    }
    expect_all(|program| {
        let ending = match program.language {
            Language::Rust => return None,
            Language::Script => "cjs",
            Language::Module => "mjs",
        };
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let file = folder.join(format!("{}.{ending}", program.name));
        fs::write(&file, &program.source).expect("a temporary file");
        let mut node = Command::new("node");
        node.arg(file).env_remove("NODE_OPTIONS");
        Some(node)
    });
}

/// Why Node can't be used, if it can't.
fn find_node() -> Result<(), String> {
    let asked = Command::new("node").arg("--version").output();
    let version = asked.map_err(|error| format!("`node --version`: {error}"))?.stdout;
    let version = String::from_utf8_lossy(&version).trim().to_owned();
    let major = version.strip_prefix('v').and_then(|rest| rest.split('.').next());
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if major >= OLDEST_NODE => Ok(()),
        _ => Err(format!("this Node is {version:?}, and {OLDEST_NODE} or later is needed")),
    }
}

/// Runs the programs that `command` makes a command of, and reports all that differ from their pages.
#[track_caller]
fn expect_all(command: impl Fn(&Program) -> Option<Command>) {
    let mut report = String::new();
    for program in programs() {
        let (Some(command), Some(expected)) = (command(&program), &program.output) else {
            continue;
        };
        let run = run(command);
        if (&run.stdout, run.code) == (&expected.stdout, Some(expected.code)) {
            continue;
        }
        write!(
            report,
            "{}: {:?} program {}\n-- the page says (exit code {})\n{}-- it printed ({})\n{}",
            program.place(),
            program.language,
            program.name,
            expected.code,
            expected.stdout,
            run.end(),
            run.stdout
        )
        .expect("a string takes all");
        if !run.stderr.is_empty() {
            write!(report, "-- and on stderr\n{}", run.stderr).expect("a string takes all");
        }
        report.push('\n');
    }
    assert!(report.is_empty(), "programs that do not do what their pages say\n\n{report}");
}

/// What became of a program.
struct Run {
    stdout: String,
    stderr: String,
    /// None if it was killed.
    code: Option<i32>,
}

impl Run {
    fn end(&self) -> String {
        self.code.map_or("killed".into(), |code| format!("exit code {code}"))
    }
}

/// Runs a program to its end, or kills it at the deadline.
fn run(mut command: Command) -> Run {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (read(child.stdout.take()), read(child.stderr.take()));
    // A program that runs has both open: the end of stderr is the end of the program.
    let stderr = stderr.recv_timeout(DEADLINE).unwrap_or_else(|_| kill(&mut child));
    let stdout = stdout.recv().expect("the reader");
    let code = child.wait().expect("a child that ends").code();
    Run { stdout, stderr, code }
}

/// Ends a program that hangs, and says so in the place of its stderr.
fn kill(child: &mut Child) -> String {
    child.kill().expect("a child of ours");
    format!("killed: it was not done in {DEADLINE:?}\n")
}

/// Reads a pipe to its end, on a thread of its own.
fn read(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let mut pipe = pipe.expect("it is piped");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe that can be read");
        // Nobody listens any more if the program was killed.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}
