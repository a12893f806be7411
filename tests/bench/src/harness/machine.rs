//! The machine that a report was made on, as far as it matters.

use std::fs::read_to_string;
use std::process::Command;

use super::peer::{output, package};

/// Returns the report's first section.
pub(super) fn describe() -> String {
    let lines = [
        ("processor", processor()),
        ("kernel", first_line_of("/proc/sys/kernel/osrelease")),
        ("load average before", first_line_of("/proc/loadavg")),
        ("commit", version("git", &["describe", "--always", "--dirty"])),
        ("compiler", version("rustc", &["--version"])),
        ("C compiler", version("cc", &["--version"])),
        ("libuv", version("pkg-config", &["--modversion", "libuv"])),
        ("Node", version("node", &["--version"])),
        ("crates", locked_versions()),
    ];
    let lines = lines.map(|(what, value)| format!("- {what}: {value}\n"));
    format!("## The machine\n\n{}\n{LEGEND}", lines.concat())
}

const LEGEND: &str = "\
Medians of all rounds, ± half the distance between the best and the worst. In brackets is ours against \
that contender: above 1.00, ours is faster or smaller. `cpu` is the server's own time on a core.\n";

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
    let ours: Vec<_> = packages
        .filter(|(name, _)| CRATES.contains(name))
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    ours.join(", ")
}
