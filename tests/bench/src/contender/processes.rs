//! `proc`: children that end at once, one or 8 at a time.

use std::io::Result;
use std::time::Instant;

use runtime::Loop;
use runtime::process::{Command, Process};

use super::flight;
use crate::args::{Api, Args};
use crate::report::rate;

pub(super) fn processes(args: &Args) -> Result<()> {
    let (count, api) = (args.value("n")?, args.api()?);
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    for width in [1, 8] {
        let start = Instant::now();
        run_all(&mut lp, api, count, width)?;
        rate(&format!("proc_spawn_c{width}"), start, count, "procs");
    }
    Ok(())
}

fn run_all(lp: &mut Loop, api: Api, count: u64, width: u64) -> Result<()> {
    match api {
        Api::Callback => flight::by_callbacks(lp, count, width, |_, landing| {
            spawn().wait().callback(|status| -> runtime::Result {
                assert!(status?.success());
                landing.done();
                Ok(())
            });
        }),
        Api::Future => flight::by_futures(lp, count, width, async |_| {
            let status = spawn().wait().await;
            assert!(status.expect("it is our child").success());
        }),
    }
}

fn spawn() -> Process {
    Command::new("/bin/true").env_clear().spawn().expect("/bin/true can be run")
}
