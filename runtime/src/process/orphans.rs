//! Children whose handles went before they ended.

use std::process::Child;

use crate::sys;

/// Lets a child that nobody waits for leave no zombie: a thread of its own waits for it, since there are
/// few, and their loop may be gone.
pub(super) fn adopt(mut child: Child) {
    // It may have ended by now; so has one that somebody else has waited for.
    if !sys::LEAVES_ZOMBIES || !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    let reaper = std::thread::Builder::new().name("runtime-reaper".into()).stack_size(64 * 1024);
    // Without a thread it is a zombie until this process ends: there is nobody to tell.
    let _ = reaper.spawn(move || child.wait());
}
