//! Peers: built where they can be; who can't be is left out, and the reason is printed.

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::contender::{Contender, built_programs};

const PEERS: &[Peer] = &[
    Peer { name: RING, source: Source::Crate },
    Peer { name: "tokio", source: Source::Crate },
    Peer { name: "smol", source: Source::Crate },
    Peer { name: "monoio", source: Source::Crate },
    Peer { name: "compio", source: Source::Crate },
    Peer { name: "glommio", source: Source::Crate },
    Peer { name: "mio", source: Source::Crate },
    Peer { name: "libuv", source: Source::C },
    Peer { name: "node", source: Source::Script },
];

/// Has files and nothing else, so it takes part only where it is asked for.
const RING: &str = "ring";

struct Peer {
    name: &'static str,
    source: Source,
}

enum Source {
    /// A binary of this package, behind the feature of its name.
    Crate,
    /// A C program over the system's library.
    C,
    /// A program for an interpreter in the path.
    Script,
}

/// Builds the peers of these names, or all that are runtimes, and returns those that are there.
pub(super) fn available(names: Option<&[String]>) -> Result<Vec<Contender>> {
    let is_known = |name: &String| PEERS.iter().any(|peer| peer.name == name);
    if let Some(stranger) = names.unwrap_or_default().iter().find(|name| !is_known(name)) {
        let known: Vec<_> = PEERS.iter().map(|peer| peer.name).collect();
        let known = known.join(", ");
        return Err(Error::other(format!("no peer is called {stranger}; there are {known}")));
    }
    let is_chosen = |peer: &&Peer| match names {
        Some(names) => names.iter().any(|name| name == peer.name),
        None => peer.name != RING,
    };
    let mut available = Vec::new();
    for peer in PEERS.iter().filter(is_chosen) {
        match peer.build() {
            Ok(contender) => available.push(contender),
            Err(reason) => eprintln!("{} is left out: {reason}", peer.name),
        }
    }
    Ok(available)
}

impl Peer {
    fn build(&self) -> Result<Contender> {
        eprintln!("building {}", self.name);
        match self.source {
            Source::Crate => self.build_crate(),
            Source::C => self.build_c(),
            Source::Script => self.find_script(),
        }
    }

    fn build_crate(&self) -> Result<Contender> {
        let program = format!("peer-{}", self.name);
        let cargo = ["build", "--release", "--quiet", "-p", "bench"];
        let choice = ["--features", self.name, "--bin", &program];
        let built = built_programs()?;
        let mut build = Command::new("cargo");
        build.current_dir(package()).args(cargo).args(choice);
        succeed(build.arg("--target-dir").arg(built.join("..")))?;
        Ok(Contender::new(self.name, built.join(program)))
    }

    fn build_c(&self) -> Result<Contender> {
        let flags = output(Command::new("pkg-config").args(["--cflags", "--libs", self.name]))?;
        let source = package().join(format!("peers/{}.c", self.name));
        let program = built_programs()?.join(format!("peer-{}", self.name));
        let mut compiler = Command::new("cc");
        compiler.args(["-O3", "-pthread", "-o"]);
        succeed(compiler.arg(&program).arg(source).args(flags.split_whitespace()))?;
        Ok(Contender::new(self.name, program))
    }

    fn find_script(&self) -> Result<Contender> {
        output(Command::new(self.name).arg("--version"))?;
        let script = package().join(format!("peers/{}.cjs", self.name));
        Ok(Contender::script(self.name, PathBuf::from(self.name), script))
    }
}

/// Returns the directory of this package's sources.
pub(super) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a short command and returns what it prints.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let said = command.output().map_err(|error| Error::other(format!("{name}: {error}")))?;
    if !said.status.success() {
        let complaint = String::from_utf8_lossy(&said.stderr).trim().to_owned();
        return Err(Error::other(format!("{name}: {}: {complaint}", said.status)));
    }
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

fn succeed(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}
