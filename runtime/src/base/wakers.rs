//! Who waits for one thing: tasks, or a callback in their place.

use std::cell::Cell;
use std::convert::Infallible;
use std::mem::{forget, replace};
use std::task::Waker;

/// A list of wakers, woken in the order they came; or a callback `C`, beside which no task waits.
///
/// One task may wait several times, as in a `join!` of two reads. Nearly always there is none or one: that
/// one is kept without an allocation, in the words that the callback would take.
pub(crate) struct Wakers<C = Infallible>(Cell<Waiting<C>>);

/// Each variant knows the last name that was given.
enum Waiting<C> {
    Nobody(Name),
    Task(Name, Waker),
    Tasks(Box<List>),
    Callback(Name, C),
}

/// More than one, or what is left of them.
struct List {
    entries: Vec<Entry>,
    last_name: Name,
}

struct Entry {
    waker: Waker,
    name: Name,
}

/// The name of a registration. An odd one is a waiter's own, an even one nobody's in particular.
///
/// Names come again after 2^31 others. Who was woken, and not polled for so long, might take another's
/// place then: eight bytes more for each connection would be too much for that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Name(u32);

/// A registration that can be renewed and taken back.
#[derive(Debug, PartialEq)]
pub(crate) struct Waiter(Name);

impl<C> Default for Wakers<C> {
    fn default() -> Self {
        Self(Cell::new(Waiting::Nobody(Name::default())))
    }
}

impl<C> Wakers<C> {
    /// Takes out who waits, to put it back at once: nothing foreign runs between.
    #[inline]
    fn take(&self) -> Waiting<C> {
        self.0.replace(Waiting::Nobody(Name::default()))
    }

    #[inline]
    fn put(&self, waiting: Waiting<C>) {
        // Nobody is there since `take`: there is nothing to drop.
        forget(self.0.replace(waiting));
    }

    /// Registers `waker` for `waiter`, in the place of the one that is registered for it, if it still
    /// is. A waiter that is forgotten, not unregistered, waits until the next wake.
    #[inline]
    pub(crate) fn register(&self, waiter: &mut Option<Waiter>, waker: Waker) {
        match self.take() {
            // The usual case: nobody else waits.
            Waiting::Nobody(last) => {
                let name = last.next_own();
                *waiter = Some(Waiter(name));
                self.put(Waiting::Task(name, waker));
            }
            // Polled again before it was woken.
            Waiting::Task(name, former) if waiter.as_ref().is_some_and(|it| it.0 == name) => {
                self.put(Waiting::Task(name, waker));
                drop(former);
            }
            others => self.join(others, waiter, waker),
        }
    }

    /// Registers `waker` where others wait.
    #[inline(never)]
    fn join(&self, others: Waiting<C>, waiter: &mut Option<Waiter>, waker: Waker) {
        let mut list = others.into_list();
        let known = waiter.as_ref().and_then(|waiter| list.find(|entry| entry.name == waiter.0));
        let former = match known {
            Some(entry) => Some(replace(&mut entry.waker, waker)),
            None => {
                *waiter = Some(Waiter(list.push(waker, Name::next_own)));
                None
            }
        };
        self.put(Waiting::Tasks(list));
        // When everything is back in its place: a waker's drop is foreign code.
        drop(former);
    }

    /// Registers `waker` until the next wake, once.
    pub(crate) fn register_once(&self, waker: Waker) {
        let is_same = |name: Name, other: &Waker| !name.is_own() && other.will_wake(&waker);
        match self.take() {
            Waiting::Nobody(last) => self.put(Waiting::Task(last.next_of_nobody(), waker)),
            Waiting::Task(name, first) if is_same(name, &first) => {
                self.put(Waiting::Task(name, first));
            }
            others => {
                let mut list = others.into_list();
                if list.find(|entry| is_same(entry.name, &entry.waker)).is_none() {
                    list.push(waker, Name::next_of_nobody);
                }
                self.put(Waiting::Tasks(list));
            }
        }
    }

    /// Forgets `waiter`. False if it was woken meanwhile.
    pub(crate) fn unregister(&self, waiter: Waiter) -> bool {
        let (left, gone) = match self.take() {
            Waiting::Task(name, waker) if name == waiter.0 => (Waiting::Nobody(name), Some(waker)),
            Waiting::Tasks(mut list) => {
                let gone = list.remove(waiter.0);
                (list.into_waiting(), gone)
            }
            others => (others, None),
        };
        self.put(left);
        gone.is_some()
    }

    /// Wakes all tasks, in order, and forgets them.
    #[inline]
    pub(crate) fn wake(&self) {
        match self.take() {
            Waiting::Task(name, waker) => {
                self.put(Waiting::Nobody(name));
                waker.wake();
            }
            others => self.wake_all(others),
        }
    }

    #[inline(never)]
    fn wake_all(&self, others: Waiting<C>) {
        let Waiting::Tasks(list) = others else { return self.put(others) };
        self.put(Waiting::Nobody(list.last_name));
        list.entries.into_iter().for_each(|entry| entry.waker.wake());
    }

    /// Whether no task waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        let waiting = self.take();
        let is_empty = matches!(waiting, Waiting::Nobody(_) | Waiting::Callback(..));
        self.put(waiting);
        is_empty
    }

    /// Puts `callback` there, unless somebody waits already: then it is given back.
    #[inline]
    pub(crate) fn put_callback(&self, callback: C) -> Option<C> {
        match self.take() {
            Waiting::Nobody(last) => {
                self.put(Waiting::Callback(last, callback));
                None
            }
            others => {
                self.put(others);
                Some(callback)
            }
        }
    }

    /// Takes the callback out.
    #[inline]
    pub(crate) fn take_callback(&self) -> Option<C> {
        match self.take() {
            Waiting::Callback(last, callback) => {
                self.put(Waiting::Nobody(last));
                Some(callback)
            }
            others => {
                self.put(others);
                None
            }
        }
    }
}

impl<C> Waiting<C> {
    fn into_list(self) -> Box<List> {
        match self {
            Self::Nobody(last_name) => Box::new(List { entries: Vec::new(), last_name }),
            Self::Task(name, waker) => {
                Box::new(List { entries: vec![Entry { waker, name }], last_name: name })
            }
            Self::Tasks(list) => list,
            Self::Callback(..) => unreachable!("who registers has seen that there is no callback"),
        }
    }
}

impl List {
    fn find(&mut self, is_it: impl FnMut(&&mut Entry) -> bool) -> Option<&mut Entry> {
        self.entries.iter_mut().find(is_it)
    }

    fn push(&mut self, waker: Waker, next: impl FnOnce(Name) -> Name) -> Name {
        let name = next(self.last_name);
        self.last_name = name;
        self.entries.push(Entry { waker, name });
        name
    }

    /// Takes an entry out; the others move up.
    fn remove(&mut self, name: Name) -> Option<Waker> {
        let at = self.entries.iter().position(|entry| entry.name == name)?;
        Some(self.entries.remove(at).waker)
    }

    fn into_waiting<C>(self: Box<Self>) -> Waiting<C> {
        if self.entries.is_empty() { Waiting::Nobody(self.last_name) } else { Waiting::Tasks(self) }
    }
}

impl Name {
    #[inline]
    fn next_own(self) -> Self {
        Self((self.0 | 1).wrapping_add(2))
    }

    #[inline]
    fn next_of_nobody(self) -> Self {
        Self((self.0 | 1).wrapping_add(1))
    }

    fn is_own(self) -> bool {
        self.0 & 1 == 1
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
        let wakers = <Wakers>::default();
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
        let wakers = <Wakers>::default();
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
    fn a_waiter_that_was_woken_does_not_take_the_place_of_another() {
        let ([zero, one, two], woken) = wakers();
        let wakers = Wakers::<()>::default();
        let [mut first, mut second] = [None, None];
        wakers.register(&mut first, zero.clone());
        wakers.wake();
        assert_eq!(woken(), [0]);
        assert!(wakers.put_callback(()).is_none() && wakers.is_empty());
        assert_eq!(wakers.take_callback(), Some(()));
        wakers.register(&mut second, one);
        wakers.register(&mut first, two);
        wakers.wake();
        assert_eq!(woken(), [1, 2], "also not after a callback");

        wakers.register_once(zero.clone());
        assert!(!wakers.unregister(second.unwrap()) && !wakers.is_empty());
        wakers.wake();
        assert_eq!(woken(), [0]);
    }

    #[test]
    fn a_callback_and_tasks_exclude_each_other() {
        let ([zero], woken) = wakers();
        let wakers = Wakers::<u8>::default();
        wakers.register_once(zero);
        assert_eq!(wakers.put_callback(1), Some(1));
        assert_eq!(wakers.take_callback(), None);
        wakers.wake();
        assert_eq!(woken(), [0]);
        assert_eq!(wakers.put_callback(1), None);
        assert_eq!(wakers.put_callback(2), Some(2));
        wakers.wake();
        assert_eq!(wakers.take_callback(), Some(1));
    }

    #[test]
    fn a_callback_or_one_task_takes_three_words() {
        let words = size_of::<Wakers<Box<dyn FnMut()>>>() / size_of::<usize>();
        assert_eq!(words, 3);
    }

    #[test]
    fn a_forgotten_waiter_is_registered_once_for_each_task() {
        let ([zero, one], woken) = wakers();
        let wakers = <Wakers>::default();
        for _ in 0..3 {
            wakers.register_once(zero.clone());
            wakers.register_once(one.clone());
        }
        wakers.wake();
        assert_eq!(woken(), [0, 1]);
    }
}
