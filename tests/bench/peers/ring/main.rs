//! The `file` workload through an io_uring of an epoll loop: what `runtime::fs` would be, if it had one.
//!
//! ```text
//! peer-ring file --op read|stat|write|large|block --width W --n N --dir D
//!   [--wait epoll|ring] [--setup plain|coop|defer|sqpoll]
//! ```
//!
//! No peer, but the upper limit of what we could be: a loop with nothing but files, no handles, no
//! requests, no tasks. What does not win here can't win in a loop.

mod driver;
mod files;
mod place;

use std::io::Result;
use std::process::ExitCode;

use bench::args::Args;
use bench::file_work::FileWork;
use bench::report::{exit_code, unsupported};

use driver::Driver;
use files::Files;

fn main() -> ExitCode {
    exit_code(Args::from_env().and_then(|args| run(&args)))
}

fn run(args: &Args) -> Result<()> {
    match args.workload() {
        "file" => {
            let work = FileWork::from_args(args)?;
            let driver = Driver::new(args, work.width)?;
            let mut files = Files::new(&work, driver)?;
            let watch = work.watch();
            files.run()?;
            watch.stop();
            files.report()
        }
        other => Err(unsupported(other)),
    }
}
