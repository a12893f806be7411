//! Whether a test file leaves descriptors open: asked by `tests/leaks`, which lets its tests run one after
//! another.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// What was open before the first test, by number.
static BEFORE: OnceLock<BTreeMap<String, String>> = OnceLock::new();

/// Runs before `main`, where nothing of ours is open yet.
#[used]
#[unsafe(link_section = ".init_array")]
static BEGIN: extern "C" fn() = begin;

extern "C" fn begin() {
    if std::env::var_os("BEHAVIOUR_DESCRIPTORS").is_some() && BEFORE.set(open()).is_ok() {
        // SAFETY: the function needs nothing but what lives as long as the process.
        unsafe { libc::atexit(compare) };
    }
}

/// Does nothing, but whoever calls it has [`BEGIN`] linked.
pub(crate) fn watch() {}

extern "C" fn compare() {
    let before = BEFORE.get().expect("noted before this was asked for");
    let mut now = open();
    // A worker of the pool has its last loop's descriptor until it sleeps.
    let patience = Instant::now() + Duration::from_secs(10);
    while now != *before && Instant::now() < patience {
        std::thread::yield_now();
        now = open();
    }
    if now == *before {
        eprintln!("descriptors: {} before, {} after", before.len(), now.len());
        return;
    }
    let left: Vec<_> = now.iter().filter(|open| before.get(open.0) != Some(open.1)).collect();
    let gone: Vec<_> = before.keys().filter(|number| !now.contains_key(*number)).collect();
    eprintln!("descriptors that were left open: {left:?}; that were closed: {gone:?}");
    // SAFETY: it is given a number.
    unsafe { libc::_exit(1) };
}

fn open() -> BTreeMap<String, String> {
    let Ok(folder) = std::fs::read_dir("/proc/self/fd") else { return BTreeMap::new() };
    let named = folder.flatten().filter_map(|entry| {
        // What reads the folder is not there any more.
        let target = std::fs::read_link(entry.path()).ok()?;
        Some((entry.file_name().into_string().ok()?, target.to_string_lossy().into_owned()))
    });
    named.filter(|(_, target)| !target.ends_with("/fd")).collect()
}
