//! Contenders: programs that speak the contract, and how to start them.

use std::fmt;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::workload::Flags;

/// A program that takes part.
pub(super) struct Contender {
    pub(super) name: &'static str,
    program: PathBuf,
    /// Stands before the workload: a script's path.
    script: Option<PathBuf>,
    /// Stand behind it: which of its ways is meant.
    flags: Flags,
    /// Whether this is a second face of one that is there already.
    pub(super) is_futures: bool,
}

impl Contender {
    pub(super) fn new(name: &'static str, program: PathBuf) -> Self {
        Self { name, program, script: None, flags: &[], is_futures: false }
    }

    pub(super) fn script(name: &'static str, interpreter: PathBuf, script: PathBuf) -> Self {
        Self { script: Some(script), ..Self::new(name, interpreter) }
    }

    /// The same program, told to do it another way.
    pub(super) fn variant(&self, name: &'static str, flags: Flags) -> Self {
        let (program, script) = (self.program.clone(), self.script.clone());
        Self { script, flags, ..Self::new(name, program) }
    }

    pub(super) fn is_peer(&self) -> bool {
        !self.name.starts_with("ours") && self.name != "floor"
    }

    /// Returns the command that does `workload`; the workload's own arguments are still to be added.
    pub(super) fn command(&self, workload: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.script).arg(workload).args(self.flags);
        command
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Returns ours, by callbacks and by futures, and the floor. They lie beside this program.
pub(super) fn ours() -> Result<Vec<Contender>> {
    let built = built_programs()?;
    let ours = Contender::new("ours", built.join("contender"));
    let futures = ours.variant("ours, futures", &["--api", "future"]);
    let futures = Contender { is_futures: true, ..futures };
    Ok(vec![ours, futures, Contender::new("floor", built.join("floor"))])
}

/// Returns the directory that cargo builds into.
pub(super) fn built_programs() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    Ok(this.parent().map(Path::to_owned).unwrap_or_default())
}
