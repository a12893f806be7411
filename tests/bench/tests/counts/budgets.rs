//! `budgets.toml`: which operations are counted, and what each may cost.

use std::collections::BTreeMap;
use std::fmt;

use toml::Table;

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Instructions,
    Calls,
    Allocations,
}

impl Kind {
    fn key(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Calls => "calls",
            Self::Allocations => "allocations",
        }
    }
}

/// One operation with its budget.
pub(crate) struct Gate {
    /// What is measured, in words.
    pub(crate) of: String,
    /// The arguments of the contender.
    pub(crate) run: String,
    pub(crate) budget: f64,
    /// System calls that are not counted, since the client's pace decides how many there are.
    pub(crate) uncounted: Option<String>,
    goal: Option<f64>,
    peers: BTreeMap<String, f64>,
    /// Connections of a server; `None` for what runs by itself.
    connections: Option<u64>,
    /// So many are opened at once, for a server that closes them.
    at_once: Option<u64>,
    /// Operations of the shorter and the longer run; for a server, of each connection.
    few: u64,
    many: u64,
}

/// How much is to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operations {
    /// `--n` of them.
    InProcess(u64),
    /// On each connection, one after the other.
    OverConnections { connections: u64, rounds: u64 },
    /// Connections: so many at once, so often.
    Connections { at_once: u64, rounds: u64 },
}

impl Operations {
    pub(crate) fn total(self) -> u64 {
        match self {
            Self::InProcess(count) => count,
            Self::OverConnections { connections: each, rounds }
            | Self::Connections { at_once: each, rounds } => each * rounds,
        }
    }
}

impl Gate {
    pub(crate) fn few(&self) -> Operations {
        self.operations(self.few)
    }

    pub(crate) fn many(&self) -> Operations {
        self.operations(self.many)
    }

    fn operations(&self, count: u64) -> Operations {
        match (self.connections, self.at_once) {
            (Some(connections), _) => Operations::OverConnections { connections, rounds: count },
            (None, Some(at_once)) => Operations::Connections { at_once, rounds: count },
            (None, None) => Operations::InProcess(count),
        }
    }

    fn of_entry(entry: &Table) -> Self {
        let text = |key| entry.get(key).map(|value| value.as_str().expect(key).to_owned());
        let whole = |key: &str| entry.get(key).map(|value| value.as_integer().expect(key) as u64);
        let peers = entry.get("peers").and_then(|peers| peers.as_table());
        Self {
            of: text("of").expect("`of`"),
            run: text("run").expect("`run`"),
            budget: number(&entry["budget"]),
            uncounted: text("uncounted"),
            goal: entry.get("goal").map(number),
            peers: peers
                .into_iter()
                .flatten()
                .map(|(peer, figure)| (peer.clone(), number(figure)))
                .collect(),
            connections: whole("connections"),
            at_once: whole("at_once"),
            few: whole("few").expect("`few`"),
            many: whole("many").expect("`many`"),
        }
    }
}

/// The columns behind the measured one.
impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} | ", self.budget)?;
        match self.goal {
            Some(goal) => write!(f, "{goal} |")?,
            None => write!(f, "|")?,
        }
        self.peers.iter().try_for_each(|(peer, figure)| write!(f, " {peer} {figure}"))
    }
}

fn number(value: &toml::Value) -> f64 {
    value.as_float().or(value.as_integer().map(|whole| whole as f64)).expect("a number")
}

/// Reads the gates of a kind.
pub(crate) fn read(kind: Kind) -> Vec<Gate> {
    let file: Table = include_str!("../../budgets.toml").parse().expect("budgets.toml is TOML");
    let entries = file[kind.key()].as_array().expect("a list of gates");
    entries.iter().map(|entry| Gate::of_entry(entry.as_table().expect("a gate"))).collect()
}
