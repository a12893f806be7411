//! The tasks that wait for one thing.

use std::cell::Cell;
use std::task::Waker;

/// A set of wakers: each task once, woken in the order they came.
///
/// One task may wait several times, as in a `join!` of two reads: it stays until the last of its
/// waiters is gone. Nearly always there is none or one, so one is kept without an allocation.
#[derive(Default)]
pub(crate) struct Wakers {
    first: Cell<Option<Entry>>,
    others: Cell<Vec<Entry>>,
    /// Counts the wakes: a waiter of an earlier round is not registered any more.
    round: Cell<u64>,
}

struct Entry {
    waker: Waker,
    waiters: usize,
}

/// A registration that can be taken back.
#[derive(Debug)]
pub(crate) struct Waiter {
    waker: Waker,
    round: u64,
}

impl Wakers {
    /// Registers `waker` in the place of what `waiter` is registered with, if it still is. A waiter that
    /// is forgotten, not unregistered, waits until the next wake.
    pub(crate) fn register(&self, waiter: &mut Option<Waiter>, waker: Waker) {
        if let Some(former) = waiter.take() {
            if former.round == self.round.get() && former.waker.will_wake(&waker) {
                *waiter = Some(former);
                return;
            }
            self.unregister(former);
        }
        *waiter = Some(Waiter { waker: waker.clone(), round: self.round.get() });
        // Both cells are empty while `will_wake` runs: it is foreign code.
        let (mut first, mut others) = (self.first.take(), self.others.take());
        let known = first.iter_mut().chain(&mut others).find(|e| e.waker.will_wake(&waker));
        if let Some(entry) = known {
            entry.waiters += 1;
        } else if first.is_none() {
            first = Some(Entry { waker, waiters: 1 });
        } else {
            others.push(Entry { waker, waiters: 1 });
        }
        self.first.set(first);
        self.others.set(others);
    }

    /// Forgets `waiter`, and its task if that waits for nothing else here. False if it was woken
    /// meanwhile.
    pub(crate) fn unregister(&self, waiter: Waiter) -> bool {
        if waiter.round != self.round.get() {
            return false;
        }
        let (mut first, mut others) = (self.first.take(), self.others.take());
        let mut gone = None;
        if let Some(entry) = first.as_mut().filter(|entry| entry.waker.will_wake(&waiter.waker)) {
            entry.waiters -= 1;
            if entry.waiters == 0 {
                gone = first.take();
                first = (!others.is_empty()).then(|| others.remove(0));
            }
        } else if let Some(at) = others.iter().position(|e| e.waker.will_wake(&waiter.waker)) {
            others[at].waiters -= 1;
            if others[at].waiters == 0 {
                gone = Some(others.remove(at));
            }
        }
        self.first.set(first);
        self.others.set(others);
        // Dropped when everything is back in its place: a waker's drop is foreign code.
        drop((gone, waiter));
        true
    }

    /// Wakes all, in order, and forgets them.
    pub(crate) fn wake(&self) {
        if let Some(first) = self.first.take() {
            self.round.set(self.round.get() + 1);
            let others = self.others.take();
            first.waker.wake();
            others.into_iter().for_each(|entry| entry.waker.wake());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        let first = self.first.take();
        let is_empty = first.is_none();
        self.first.set(first);
        is_empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use std::task::Wake;

    struct Log(u32, Arc<Mutex<Vec<u32>>>);

    impl Wake for Log {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    #[test]
    fn each_task_once_and_in_order() {
        let log = Arc::default();
        let [one, two, three] = [1, 2, 3].map(|n| Waker::from(Arc::new(Log(n, Arc::clone(&log)))));
        let wakers = Wakers::default();
        assert!(wakers.is_empty());
        let [mut first, mut second] = [None, None];
        wakers.register(&mut None, one.clone());
        wakers.register(&mut first, two.clone());
        wakers.register(&mut first, two.clone());
        wakers.register(&mut None, three.clone());
        wakers.register(&mut second, two.clone());
        assert!(wakers.unregister(first.take().unwrap()));
        wakers.wake();
        assert_eq!(*log.lock().unwrap(), [1, 2, 3], "two waits once more");
        assert!(wakers.is_empty() && !wakers.unregister(second.take().unwrap()));

        wakers.register(&mut first, one.clone());
        wakers.register(&mut second, two.clone());
        wakers.register(&mut first, three);
        assert!(wakers.unregister(second.unwrap()));
        wakers.wake();
        assert_eq!(*log.lock().unwrap(), [1, 2, 3, 3]);
        assert!(wakers.is_empty());
    }
}
