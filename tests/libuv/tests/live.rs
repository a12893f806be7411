//! The recorded traces are what the libuv of this machine does.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use behaviour::tell;
use libuv_oracle::Recorded;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The C program, built with the system's libuv, or why there is none.
fn build() -> Result<PathBuf, String> {
    let header =
        Command::new("cc").args(["-E", "-include", "uv.h", "-x", "c", "/dev/null"]).output();
    match header {
        Err(error) => return Err(format!("no C compiler: {error}")),
        Ok(output) if !output.status.success() => return Err("no uv.h".into()),
        Ok(_) => {}
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle");
    let built = Command::new(folder().join("c/build.sh")).arg(&program).output().expect("a shell");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Ok(program)
}

/// The recording of the same series, if there is one.
fn recorded(series: (u32, u32)) -> Option<Recorded> {
    let path = folder().join(format!("recorded/libuv-{}.{}.txt", series.0, series.1));
    fs::read_to_string(path).ok().map(|text| Recorded::parse(&text))
}

#[test]
fn the_systems_libuv_does_what_was_recorded() {
    let program = match build() {
        Ok(program) => program,
        Err(reason) => return tell(format!("skipped: {reason}")),
    };
    let output = Command::new(program).output().expect("the program that was built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let live = Recorded::parse(&String::from_utf8(output.stdout).expect("labels are text"));
    let Some(recorded) = recorded(live.series()) else {
        return tell(format!("skipped: nothing is recorded of libuv {}", live.version));
    };
    assert_eq!(recorded.traces, live.traces);
}
