//! What real libuv did.

use std::collections::BTreeMap;

/// The traces of one version of libuv, by the name of the scenario.
#[derive(Debug)]
pub struct Recorded {
    /// Such as `1.52.2-dev`.
    pub version: String,
    /// Labels, with blanks between them.
    pub traces: BTreeMap<String, String>,
}

impl Recorded {
    /// Reads what the C program printed.
    pub fn parse(text: &str) -> Self {
        let version = text.lines().find_map(|line| line.strip_prefix("# libuv "));
        let traces = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (name, trace) = line.split_once(':').expect("a name before the labels");
            (name.to_owned(), trace.trim().to_owned())
        });
        let version = version.expect("a line with the version of libuv").to_owned();
        Self { version, traces: traces.collect() }
    }

    /// `(1, 52)` of 1.52.2-dev.
    pub fn series(&self) -> (u32, u32) {
        let mut numbers = self.version.split(['.', '-']).map_while(|part| part.parse().ok());
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

/// The version that we follow.
pub fn reference() -> Recorded {
    Recorded::parse(include_str!("../recorded/libuv-1.52.txt"))
}
