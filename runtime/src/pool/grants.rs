//! Grants: room that was given, on its way to who waited for it.
//!
//! ```text
//!   room is given, under the lock of the front ──▶ [ job job job ] ──▶ run, brought home
//!                                                                  one thread at a time, without a lock
//! ```
//!
//! Room is given in the order of the calls, by whichever thread notices that there is some. If each of them
//! brought home what it gave, two could overtake one another. So who comes while another is at it leaves its own
//! to that one.

use std::collections::VecDeque;

use parking_lot::{Mutex, MutexGuard};

use super::job::{self, Job, Telling};

/// The jobs of those who have got room, as far as they are not home.
#[derive(Default)]
pub(super) struct Grants(Mutex<Line>);

#[derive(Default)]
struct Line {
    jobs: VecDeque<Box<dyn Job>>,
    is_attended: bool,
}

impl Grants {
    /// Notes those who have just got room; false if nobody has. Under the lock of the front, which is what keeps
    /// the order.
    pub(super) fn add(&self, granted: Vec<Box<dyn Job>>) -> bool {
        let is_any = !granted.is_empty();
        if is_any {
            self.0.lock().jobs.extend(granted);
        }
        is_any
    }

    /// Brings all home that were noted, unless another thread is at it. Without any lock: it runs the jobs, and
    /// where nobody is at home it gives their room to others, who are noted here too.
    pub(super) fn bring(&self) {
        let mut line = self.0.lock();
        if line.is_attended {
            return;
        }
        line.is_attended = true;
        while let Some(job) = line.jobs.pop_front() {
            MutexGuard::unlocked(&mut line, || bring_home(job));
        }
        line.is_attended = false;
    }
}

fn bring_home(mut job: Box<dyn Job>) {
    job.run();
    let refused = match job.find_home() {
        Some(home) => home.done(job, Telling::Now).err(),
        None => Some(job),
    };
    refused.into_iter().for_each(job::discard);
}
