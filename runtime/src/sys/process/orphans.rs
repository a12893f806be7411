//! Children whose handles went before they ended: somebody has to wait, or they stay as zombies.

use std::process::Child;
use std::thread;

#[cfg(all(target_os = "linux", not(runtime_no_pidfd)))]
use super::reaper::reap_at_end;

/// What waits for a child is little.
pub(super) const STACK: usize = 64 * 1024;

/// Lets a child that nobody waits for leave no zombie, though its loop may be gone.
pub(crate) fn adopt_orphan(mut child: Child) {
    // It may have ended by now; so has one that somebody else has waited for.
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    if let Err(mut child) = reap_at_end(child) {
        let waiter = thread::Builder::new().name("runtime-child".into()).stack_size(STACK);
        // Without a thread it is a zombie until this process ends: there is nobody to tell.
        let _ = waiter.spawn(move || child.wait());
    }
}

/// Here is nothing that waits for several children, and for no other: each needs a thread.
#[cfg(not(all(target_os = "linux", not(runtime_no_pidfd))))]
fn reap_at_end(child: Child) -> Result<(), Child> {
    Err(child)
}
