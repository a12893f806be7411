//! libuv's handles: long-lived things on a loop.
//!
//! A handle is a reference: cheap to clone, equal to its clones. While it is active (started, or
//! waited on by a task) the loop holds it too, so what was started goes on though the last clone is
//! gone, and what is idle ends with it.
//!
//! All are made on the current loop. All deref to [`Handle`], have `close`, `closed` and
//! `close_on_drop`, and may be stopped, restarted and closed from any callback, their own included.

mod close_on_drop;
mod fs_event;
mod fs_poll;
mod poll;
mod signal;
mod signal_async;
mod timer;
mod waiter;
mod watcher;

pub use crate::event_loop::{Handle, Kind};
pub use crate::reactor::{Interest, Ready};
pub use close_on_drop::CloseOnDrop;
pub use fs_event::{FsChange, FsChanges, FsEvent, FsEventOptions, NotWatched};
pub use fs_poll::{FsPoll, StatChange};
pub use poll::Poll;
pub use signal::Signal;
pub use signal_async::{Async, AsyncSender};
pub use timer::Timer;
pub use waiter::Waiter;
pub use watcher::{Check, Idle, Prepare};

pub(crate) use close_on_drop::Close;
pub(crate) use signal::wait_once;

/// Declares a handle type over its resource: what all handle types have.
macro_rules! handle_type {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(pub(crate) std::rc::Rc<$inner>);

        impl $name {
            /// Closes the handle, now: it stops, and what the system held for it is released. No
            /// callback of it runs any more, but for those of requests in flight, which end as
            /// [`Cancelled`](crate::Cancelled) in the closing phase. Closing twice is closing once.
            pub fn close(&self) {
                let resource: std::rc::Rc<dyn crate::event_loop::Resource> = self.0.clone();
                crate::event_loop::close(&resource);
            }

            /// The close callback, or await it: done in the closing phase after the handle was
            /// closed, or ended with its last owner.
            ///
            /// # Errors
            /// The error that ended the handle, if one did; [`LoopGone`](crate::LoopGone).
            pub fn closed(&self) -> crate::Request<()> {
                match self.on_closed() {
                    Some(answer) => {
                        crate::Request::waiting(crate::request::Plain::of_answer(self.state(), answer))
                    }
                    None => crate::Request::done(self.ending().map_or(Ok(()), Err)),
                }
            }

            /// Closes the handle when the guard is dropped, for those who want its scope to end it.
            pub fn close_on_drop(self) -> crate::handle::CloseOnDrop<Self> {
                crate::handle::CloseOnDrop::new(self)
            }
        }

        impl crate::handle::Close for $name {
            fn close(&self) {
                self.close();
            }
        }

        impl std::ops::Deref for $name {
            type Target = crate::handle::Handle;

            fn deref(&self) -> &crate::handle::Handle {
                crate::event_loop::Resource::handle(&*self.0)
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                std::rc::Rc::ptr_eq(&self.0, &other.0)
            }
        }

        impl Eq for $name {}

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
                std::rc::Rc::as_ptr(&self.0).hash(hasher);
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&**self).finish()
            }
        }
    };
}
pub(crate) use handle_type;
