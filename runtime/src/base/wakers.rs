//! The tasks that wait for one thing.

use std::cell::Cell;
use std::task::Waker;

/// A set of wakers: each task once, woken in the order they came.
///
/// Nearly always there is none or one, so one is kept without an allocation.
#[derive(Default)]
pub(crate) struct Wakers {
    first: Cell<Option<Waker>>,
    others: Cell<Vec<Waker>>,
}

impl Wakers {
    /// Adds `waker`, unless it would wake a task that waits already.
    pub(crate) fn register(&self, waker: Waker) {
        // Both cells are empty while `will_wake` and the drops below run: they are foreign code.
        let (first, mut others) = (self.first.take(), self.others.take());
        let known = first.iter().chain(&others).any(|kept| kept.will_wake(&waker));
        match first {
            None => self.first.set(Some(waker)),
            first => {
                if !known {
                    others.push(waker);
                }
                self.first.set(first);
            }
        }
        self.others.set(others);
    }

    /// Forgets the task of `waker`.
    pub(crate) fn unregister(&self, waker: &Waker) {
        let (first, others) = (self.first.take(), self.others.take());
        let mut rest = first.into_iter().chain(others).filter(|kept| !kept.will_wake(waker));
        self.first.set(rest.next());
        self.others.set(rest.collect());
    }

    /// Wakes all, in order, and forgets them.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.first.take() {
            let others = self.others.take();
            waker.wake();
            others.into_iter().for_each(Waker::wake);
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
        for waker in [&one, &two, &one, &three, &two] {
            wakers.register(waker.clone());
        }
        wakers.unregister(&two);
        wakers.wake();
        assert_eq!(*log.lock().unwrap(), [1, 3]);
        assert!(wakers.is_empty());
    }
}
