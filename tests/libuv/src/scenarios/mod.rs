//! The scenarios, a file a subject, named as in `c/`.

pub mod asyncs;
pub mod closing;
pub mod datagrams;
pub mod files;
pub mod listeners;
pub mod locals;
pub mod loops;
pub mod pipes;
pub mod polls;
pub mod pools;
pub mod processes;
pub mod signals;
pub mod streams;
pub mod timers;
pub mod watchers;

use crate::Scenario;

/// All of them.
pub fn all() -> impl Iterator<Item = Scenario> {
    [
        loops::SCENARIOS,
        timers::SCENARIOS,
        watchers::SCENARIOS,
        closing::SCENARIOS,
        asyncs::SCENARIOS,
        polls::SCENARIOS,
        streams::SCENARIOS,
        listeners::SCENARIOS,
        datagrams::SCENARIOS,
        pools::SCENARIOS,
        pipes::SCENARIOS,
        locals::SCENARIOS,
        signals::SCENARIOS,
        processes::SCENARIOS,
        files::SCENARIOS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
