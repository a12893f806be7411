//! A closure that is called once, kept in place if it is no larger than a pointer.
//!
//! ```text
//!   InlineFn   [ word ]  calls ─▶ how to call it, how to drop it
//!               the closure, or the box of one that does not fit
//! ```
//!
//! Ticks, microtasks and immediates are such closures, and many capture one pointer and no more. In a
//! box, `malloc` and `free` are most of what a tick costs: 278 user instructions against 107.
//!
//! One word, so that the whole is two and is passed in registers. With room for three, fewer closures
//! need a box, but a tick that runs soon after it was queued took 22 ns in place of 11: words that
//! were just stored one by one can't be loaded two at a time before they have reached the cache.

#![allow(unsafe_code)] // the closure's type is forgotten: see `Calls`

use std::fmt;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};

/// Room for the closure.
type Place = MaybeUninit<usize>;

/// A `Box<dyn FnOnce(A) -> R>` without the box.
pub(crate) struct InlineFn<A: 'static, R: 'static> {
    /// A closure of the type that `calls` was made for.
    place: Place,
    calls: &'static Calls<A, R>,
    /// Whether the closure may be sent to another thread was forgotten, so it may not.
    is_local: PhantomData<Box<dyn FnOnce(A) -> R>>,
}

/// What can be done to a place, by whoever forgot what is in it.
struct Calls<A, R> {
    /// Moves the closure out and calls it.
    call: unsafe fn(&mut Place, A) -> R,
    /// Drops the closure in its place.
    drop: unsafe fn(&mut Place),
}

impl<A: 'static, R: 'static> InlineFn<A, R> {
    #[inline]
    pub(crate) fn new<F: FnOnce(A) -> R + 'static>(f: F) -> Self {
        if fits::<F>() { Self::in_place(f) } else { Self::in_place(Box::new(f)) }
    }

    #[inline]
    fn in_place<F: FnOnce(A) -> R + 'static>(f: F) -> Self {
        // Known when this is compiled: it costs nothing.
        assert!(fits::<F>());
        let mut place = Place::uninit();
        // SAFETY: `f` fits, as was just seen.
        unsafe { place.as_mut_ptr().cast::<F>().write(f) };
        Self { place, calls: &Of::<F, A, R>::CALLS, is_local: PhantomData }
    }

    #[inline]
    pub(crate) fn call(self, argument: A) -> R {
        let mut me = ManuallyDrop::new(self);
        // SAFETY: `calls` was made for the closure that is in the place. It is moved out once: `self` is
        // not dropped.
        unsafe { (me.calls.call)(&mut me.place, argument) }
    }
}

impl<A: 'static, R: 'static> Drop for InlineFn<A, R> {
    fn drop(&mut self) {
        // SAFETY: `calls` was made for the closure that is in the place: had it been moved out, by
        // `call`, this would not run.
        unsafe { (self.calls.drop)(&mut self.place) }
    }
}

impl<A: 'static, R: 'static> fmt::Debug for InlineFn<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InlineFn")
    }
}

const fn fits<F>() -> bool {
    size_of::<F>() <= size_of::<Place>() && align_of::<F>() <= align_of::<Place>()
}

/// The calls of the closure type `F`.
struct Of<F, A, R>(PhantomData<(F, A, R)>);

impl<F: FnOnce(A) -> R, A, R> Of<F, A, R> {
    const CALLS: Calls<A, R> = Calls { call: Self::call, drop: Self::drop };

    /// # Safety
    /// There is an `F` in `place`, and nobody uses it after this.
    unsafe fn call(place: &mut Place, argument: A) -> R {
        // SAFETY: as the caller has promised.
        let f = unsafe { place.as_ptr().cast::<F>().read() };
        f(argument)
    }

    /// # Safety
    /// There is an `F` in `place`, and nobody uses it after this.
    unsafe fn drop(place: &mut Place) {
        // SAFETY: as the caller has promised.
        unsafe { place.as_mut_ptr().cast::<F>().drop_in_place() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    /// Calls a closure that captures a counted pointer, and one that captures `captured` besides; drops
    /// others.
    fn each_captured_value_is_dropped_once<T: Copy + PartialEq + 'static>(captured: T) {
        let count = Rc::new(Cell::new(0));
        let make = || {
            let count = count.clone();
            InlineFn::new(move |n| {
                count.set(count.get() + n);
                captured
            })
        };
        assert!(make().call(1) == captured);
        assert_eq!((count.get(), Rc::strong_count(&count)), (1, 1));
        let (called, dropped) = (make(), make());
        assert_eq!(Rc::strong_count(&count), 3);
        drop(dropped);
        assert_eq!((count.get(), Rc::strong_count(&count)), (1, 2));
        assert!(called.call(1) == captured);
        assert_eq!((count.get(), Rc::strong_count(&count)), (2, 1));
    }

    #[test]
    fn a_closure_of_any_size_is_called_or_dropped_once() {
        each_captured_value_is_dropped_once(());
        each_captured_value_is_dropped_once(1_u8);
        each_captured_value_is_dropped_once(1_usize);
        each_captured_value_is_dropped_once([1_u8; 1000]);
    }

    #[test]
    fn a_closure_of_a_large_alignment_is_aligned() {
        #[derive(Clone, Copy, PartialEq, Debug)]
        #[repr(align(64))]
        struct Aligned(u8);
        let aligned = Aligned(7);
        let address = InlineFn::new(move |()| (&raw const aligned).addr());
        assert_eq!(address.call(()) % 64, 0);
        each_captured_value_is_dropped_once(aligned);
    }

    #[test]
    fn a_panic_drops_what_was_captured() {
        let count = Rc::new(());
        let captured = count.clone();
        let f = InlineFn::new(move |()| {
            let _captured = &captured;
            panic!("on purpose");
        });
        let f: InlineFn<(), ()> = f;
        assert!(catch_unwind(AssertUnwindSafe(|| f.call(()))).is_err());
        assert_eq!(Rc::strong_count(&count), 1);
    }
}
