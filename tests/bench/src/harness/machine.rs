//! The machine that a report was made on, as far as it matters.

use std::collections::BTreeMap;
use std::fs::read_to_string;
use std::process::Command;

use super::peer::{output, package};

/// Returns a list: hardware, versions. No name of a host and no path: those are nobody's business.
pub(super) fn describe() -> String {
    let lines = [
        ("processor", processor()),
        ("kernel", first_line_of("/proc/sys/kernel/osrelease")),
        ("load average before", load_average()),
        ("commit", version("git", &["describe", "--always", "--dirty"])),
        ("compiler", version("rustc", &["--version"])),
        ("C compiler", version("cc", &["--version"])),
        ("libuv", version("pkg-config", &["--modversion", "libuv"])),
        ("Node", version("node", &["--version"])),
        ("crates", locked_versions()),
    ];
    let lines = lines.map(|(what, value)| format!("- {what}: {value}\n"));
    lines.concat()
}

fn processor() -> String {
    let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{count} x {}", model.unwrap_or("unknown"))
}

fn first_line_of(path: &str) -> String {
    read_to_string(path).map_or_else(|error| error.to_string(), |text| text.trim().to_owned())
}

/// Of the last 1, 5 and 15 minutes.
fn load_average() -> String {
    let line = first_line_of("/proc/loadavg");
    line.split_whitespace().take(3).collect::<Vec<_>>().join(", ")
}

fn version(program: &str, arguments: &[&str]) -> String {
    match output(Command::new(program).current_dir(package()).args(arguments)) {
        Ok(said) => said.lines().next().unwrap_or("unknown").to_owned(),
        Err(_) => "not there".to_owned(),
    }
}

/// Returns the peers' versions, from the lock file.
fn locked_versions() -> String {
    const CRATES: [&str; 6] = ["tokio", "smol", "monoio", "compio", "glommio", "mio"];
    let lock = read_to_string(package().join("../../Cargo.lock")).unwrap_or_default();
    let packages = lock.split("[[package]]").filter_map(|package| {
        let mut values = package.trim().lines().filter_map(|line| line.split('"').nth(1));
        Some((values.next()?, values.next()?))
    });
    // Where another crate wants an older one of the same name, ours is the last.
    let newest: BTreeMap<_, _> = packages.filter(|(name, _)| CRATES.contains(name)).collect();
    let newest: Vec<_> = newest.iter().map(|(name, version)| format!("{name} {version}")).collect();
    newest.join(", ")
}
