//! Abort signals: JavaScript's `AbortController`.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

#[derive(Clone, Default)]
pub(crate) struct Signal(Rc<State>);

#[derive(Default)]
struct State {
    is_aborted: Cell<bool>,
    listeners: RefCell<Vec<Listener>>,
}

type Listener = Rc<dyn Fn()>;

impl Signal {
    pub(crate) fn is_aborted(&self) -> bool {
        self.0.is_aborted.get()
    }

    pub(crate) fn on_abort(&self, listener: impl Fn() + 'static) {
        self.0.listeners.borrow_mut().push(Rc::new(listener));
    }

    /// Calls the listeners at once, in order; the first time only.
    pub(crate) fn abort(&self) {
        if self.0.is_aborted.replace(true) {
            return;
        }
        let mut next = self.listener(0);
        let mut index = 0;
        while let Some(listener) = next {
            index += 1;
            // Taken before the call, as Node does: what the last listener adds is never called.
            next = self.listener(index);
            listener();
        }
    }

    fn listener(&self, index: usize) -> Option<Listener> {
        self.0.listeners.borrow().get(index).cloned()
    }
}
