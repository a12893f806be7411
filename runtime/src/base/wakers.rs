//! The tasks that wait for one thing.

use std::cell::Cell;
use std::num::NonZeroU64;
use std::task::Waker;

/// A list of wakers, woken in the order they came.
///
/// One task may wait several times, as in a `join!` of two reads. Nearly always there is none or one,
/// so one is kept without a further allocation, and whom nobody ever waits for takes one word.
#[derive(Default)]
pub(crate) struct Wakers {
    /// Made when first needed, and kept. Out of the cell while something is done to it, which is
    /// nothing foreign.
    list: Cell<Option<Box<List>>>,
}

struct List {
    first: Option<Entry>,
    /// A box of its own, since most lists have none: the list is small enough for 48 bytes then.
    #[expect(clippy::box_collection, reason = "see above")]
    others: Option<Box<Vec<Entry>>>,
    last_name: NonZeroU64,
}

impl Default for List {
    fn default() -> Self {
        Self { first: None, others: None, last_name: NonZeroU64::MIN }
    }
}

struct Entry {
    waker: Waker,
    /// That of the waiter; 0 is nobody's in particular.
    name: u64,
}

/// A registration that can be renewed and taken back.
#[derive(Debug, PartialEq)]
pub(crate) struct Waiter(NonZeroU64);

impl Wakers {
    /// Registers `waker` for `waiter`, in the place of the one that is registered for it, if it still
    /// is. A waiter that is forgotten, not unregistered, waits until the next wake.
    #[inline]
    pub(crate) fn register(&self, waiter: &mut Option<Waiter>, waker: Waker) {
        let mut list = self.list.take().unwrap_or_default();
        if list.first.is_none() {
            // The usual case: nobody else waits.
            let name = list.new_name();
            list.first = Some(Entry { waker, name: name.get() });
            *waiter = Some(Waiter(name));
            self.list.set(Some(list));
        } else {
            self.list.set(Some(list));
            self.join(waiter, waker);
        }
    }

    /// Registers `waker` where others wait.
    fn join(&self, waiter: &mut Option<Waiter>, waker: Waker) {
        let mut list = self.list.take().unwrap_or_default();
        let known = waiter.as_ref().and_then(|waiter| list.find(|e| e.name == waiter.0.get()));
        let former = match known {
            Some(entry) => Some(std::mem::replace(&mut entry.waker, waker)),
            None => {
                let name = list.new_name();
                list.push(Entry { waker, name: name.get() });
                *waiter = Some(Waiter(name));
                None
            }
        };
        self.list.set(Some(list));
        // When everything is back in its place: a waker's drop is foreign code.
        drop(former);
    }

    /// Registers `waker` until the next wake, once.
    pub(crate) fn register_once(&self, waker: Waker) {
        let mut list = self.list.take().unwrap_or_default();
        let spare = match list.find(|entry| entry.name == 0 && entry.waker.will_wake(&waker)) {
            Some(_) => Some(waker),
            None => {
                list.push(Entry { waker, name: 0 });
                None
            }
        };
        self.list.set(Some(list));
        drop(spare);
    }

    /// Forgets `waiter`. False if it was woken meanwhile.
    #[inline]
    pub(crate) fn unregister(&self, waiter: Waiter) -> bool {
        !self.is_empty() && self.remove(waiter)
    }

    fn remove(&self, waiter: Waiter) -> bool {
        let Some(mut list) = self.list.take() else { return false };
        let gone = list.remove(waiter.0.get());
        self.list.set(Some(list));
        gone.is_some()
    }

    /// Wakes all, in order, and forgets them.
    #[inline]
    pub(crate) fn wake(&self) {
        let Some(mut list) = self.list.take() else { return };
        let (first, others) = (list.first.take(), list.others.take());
        self.list.set(Some(list));
        if let Some(first) = first {
            first.waker.wake();
        }
        if let Some(others) = others {
            others.into_iter().for_each(|entry| entry.waker.wake());
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        let Some(list) = self.list.take() else { return true };
        let is_empty = list.first.is_none();
        self.list.set(Some(list));
        is_empty
    }
}

impl List {
    fn new_name(&mut self) -> NonZeroU64 {
        self.last_name = self.last_name.saturating_add(1);
        self.last_name
    }

    fn find(&mut self, is_it: impl FnMut(&&mut Entry) -> bool) -> Option<&mut Entry> {
        let others = self.others.iter_mut().flat_map(|others| others.iter_mut());
        self.first.iter_mut().chain(others).find(is_it)
    }

    fn push(&mut self, entry: Entry) {
        match self.first {
            None => self.first = Some(entry),
            Some(_) => self.others.get_or_insert_default().push(entry),
        }
    }

    /// Takes an entry out; the others move up.
    fn remove(&mut self, name: u64) -> Option<Entry> {
        let others = self.others.as_deref_mut();
        if self.first.as_ref().is_some_and(|entry| entry.name == name) {
            let next = others.filter(|others| !others.is_empty()).map(|others| others.remove(0));
            return std::mem::replace(&mut self.first, next);
        }
        let others = others?;
        let at = others.iter().position(|entry| entry.name == name)?;
        Some(others.remove(at))
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

    fn wakers<const N: usize>() -> ([Waker; N], impl Fn() -> Vec<u32>) {
        let log = Arc::<Mutex<Vec<u32>>>::default();
        let wakers = std::array::from_fn(|n| Waker::from(Arc::new(Log(n as u32, log.clone()))));
        (wakers, move || std::mem::take(&mut *log.lock().unwrap()))
    }

    #[test]
    fn all_are_woken_in_order_and_who_comes_again_keeps_its_place() {
        let ([zero, one, two], woken) = wakers();
        let wakers = Wakers::default();
        assert!(wakers.is_empty());
        let [mut first, mut second, mut third] = [None, None, None];
        wakers.register(&mut first, zero.clone());
        wakers.register(&mut second, one.clone());
        wakers.register(&mut third, two.clone());
        wakers.register(&mut second, zero.clone());
        wakers.register(&mut first, one);
        wakers.wake();
        assert_eq!(woken(), [1, 0, 2]);
        assert!(wakers.is_empty());
        assert!(!wakers.unregister(first.take().unwrap()), "it was woken");

        wakers.register(&mut third, two);
        wakers.register(&mut second, zero);
        wakers.wake();
        assert_eq!(woken(), [2, 0], "a waiter that was woken is registered anew");
    }

    #[test]
    fn who_waits_no_longer_is_not_woken() {
        let ([zero, one, two], woken) = wakers();
        let wakers = Wakers::default();
        let waiters = [zero, one.clone(), two.clone(), one].map(|waker| {
            let mut waiter = None;
            wakers.register(&mut waiter, waker);
            waiter.unwrap()
        });
        let [first, second, third, fourth] = waiters;
        assert!(wakers.unregister(first));
        assert!(wakers.unregister(third));
        wakers.wake();
        assert_eq!(woken(), [1, 1]);
        assert!(!wakers.unregister(second) && !wakers.unregister(fourth));
        assert!(wakers.is_empty());
    }

    #[test]
    fn a_forgotten_waiter_is_registered_once_for_each_task() {
        let ([zero, one], woken) = wakers();
        let wakers = Wakers::default();
        for _ in 0..3 {
            wakers.register_once(zero.clone());
            wakers.register_once(one.clone());
        }
        wakers.wake();
        assert_eq!(woken(), [0, 1]);
    }
}
