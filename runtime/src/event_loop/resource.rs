//! Resources: what a handle is to the loop.

use std::cell::Cell;
use std::panic::Location;
use std::rc::{Rc, Weak};

use slab::Slab;

use super::handle::Handle;
use super::places::{self, Places};
use super::{ActiveKind, Dispatcher, Flow};
use crate::base::Guarded;
use crate::reactor::Ready;
use crate::sys::RawSource;
use crate::sys::signal::Caught;
use crate::task::mail::HandleKey;

/// What happened to a resource, besides that the system reports readiness.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// Its timer is due.
    Timer,
    /// It is the turn of an idle, prepare or check handle, or of a child's end.
    Turn,
    /// It asked for the pending phase.
    Pending,
    /// Another thread signalled it, or its last sender is gone.
    Signalled,
}

/// A handle's state as the loop sees it.
///
/// One rule for every method that is given a [`Dispatcher`]: after each call of a user's callback
/// look at the own state again, since the callback, or a microtask after it, may have stopped,
/// restarted or closed the resource.
pub(crate) trait Resource: 'static {
    /// The part that all handles have.
    fn handle(&self) -> &Handle;

    /// The system reports readiness: do what can be done now, and call back.
    fn ready(self: Rc<Self>, _ready: Ready, _d: &mut Dispatcher<'_>) -> Flow {
        Ok(())
    }

    /// A signal of the system that it watches was caught: likewise.
    fn caught(self: Rc<Self>, _caught: Caught, _d: &mut Dispatcher<'_>) -> Flow {
        Ok(())
    }

    /// Something else happened: likewise.
    fn dispatch(self: Rc<Self>, event: Event, d: &mut Dispatcher<'_>) -> Flow;

    /// Lets go of what the system holds, now: stops, disarms, deregisters, closes the descriptor.
    /// Runs no callback. Called once.
    fn release(&self);

    /// In the closing phase: completes one request that was in flight, as cancelled. `None`: there
    /// is no more.
    fn cancel_next(&self, _d: &mut Dispatcher<'_>) -> Option<Flow> {
        None
    }

    /// Its requests in flight, by kind: what [`LoopRef::active_resources`](super::LoopRef) tells of them.
    fn requests(&self) -> Vec<(ActiveKind, usize)> {
        Vec::new()
    }

    /// What the system knows it by, if it is open and has such a thing.
    fn descriptor(&self) -> Option<RawSource> {
        None
    }

    /// Drops the callbacks, and with them every cycle they close; requests that are still in flight
    /// are given up.
    fn discard(&self);
}

/// How the loop holds a resource.
#[derive(Clone)]
pub(crate) enum Link {
    /// It is active: the loop is an owner.
    Strong(Rc<dyn Resource>),
    /// It is known, and ends with its last owner: what is not active, a timer, which holds itself while it
    /// runs, and a stream that a task reads.
    Weak(Weak<dyn Resource>),
    /// The slot is taken, the resource is not made yet; or it is gone, and the slot not yet free.
    Vacant,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Vacant => "Vacant",
            Self::Weak(_) => "Weak",
            Self::Strong(_) => "Strong",
        })
    }
}

impl Link {
    #[inline]
    fn resource(&self) -> Option<Rc<dyn Resource>> {
        match self {
            Self::Strong(resource) => Some(resource.clone()),
            Self::Weak(weak) => weak.upgrade(),
            Self::Vacant => None,
        }
    }
}

#[derive(Debug)]
struct Entry {
    made: Made,
    link: Link,
}

impl Entry {
    fn serial(&self) -> u64 {
        self.made.serial()
    }
}

/// When and where a handle was made, in one word: most handles are idle connections, which are to be small.
#[derive(Clone, Copy, Debug)]
struct Made(u64);

impl Made {
    /// The `serial` counts the handles ever made: their order, and the proof that a slot is not another's
    /// now. Its 44 bits last for half a year of a million handles a second.
    fn new(serial: u64, place: u64) -> Self {
        Self(serial << places::BITS | place)
    }

    fn serial(self) -> u64 {
        self.0 >> places::BITS
    }

    /// The number of the call that made it.
    fn place(self) -> u64 {
        self.0 & ((1 << places::BITS) - 1)
    }
}

/// All handles of a loop, by slot. The slot is the poller's key: an event is one look-up.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    entries: Guarded<Slab<Entry>>,
    serials: Cell<u64>,
    places: Places,
}

impl Registry {
    /// Takes a slot for a handle that is being made.
    #[track_caller]
    pub(crate) fn reserve(&self) -> usize {
        let serial = self.serials.get() + 1;
        self.serials.set(serial);
        let made = Made::new(serial, self.places.number(Location::caller()));
        let entry = Entry { made, link: Link::Vacant };
        self.entries.with(|entries| entries.insert(entry))
    }

    /// The serial of the handle in `slot`; 0, which is nobody's, if there is none.
    pub(crate) fn serial(&self, slot: usize) -> u64 {
        self.entries.with(|entries| entries.get(slot).map_or(0, Entry::serial))
    }

    /// The call that made what `key` names, if that is still there.
    pub(crate) fn location(&self, key: HandleKey) -> Option<&'static Location<'static>> {
        let number = self.entries.with(|entries| {
            let entry = entries.get(key.slot).filter(|entry| entry.serial() == key.serial)?;
            Some(entry.made.place())
        });
        number.map(|number| self.places.place(number))
    }

    /// Says that the handle in the slot `to` was made by the call that made the one in `from`.
    pub(crate) fn copy_location(&self, from: usize, to: usize) {
        self.entries.with(|entries| {
            if let Some(place) = entries.get(from).map(|entry| entry.made.place())
                && let Some(entry) = entries.get_mut(to)
            {
                entry.made = Made::new(entry.serial(), place);
            }
        });
    }

    /// Changes how a resource is held; the caller drops the former link.
    #[must_use = "the former link may be the last owner: drop it outside of any borrow"]
    pub(crate) fn set_link(&self, slot: usize, link: Link) -> Link {
        self.entries.with(|entries| match entries.get_mut(slot) {
            Some(entry) => std::mem::replace(&mut entry.link, link),
            None => link,
        })
    }

    /// Lets the loop become an owner of a resource that is known, or cease to be one; the caller drops what
    /// held it before.
    #[inline]
    #[must_use = "the former link may be the last owner: drop it outside of any borrow"]
    pub(crate) fn hold(&self, slot: usize, held: bool) -> Option<Link> {
        self.entries.with(|entries| {
            let link = &mut entries.get_mut(slot)?.link;
            let changed = match link {
                Link::Weak(resource) if held => Link::Strong(resource.upgrade()?),
                Link::Strong(resource) if !held => Link::Weak(Rc::downgrade(resource)),
                _ => return None,
            };
            Some(std::mem::replace(link, changed))
        })
    }

    #[inline]
    pub(crate) fn get(&self, slot: usize) -> Option<Rc<dyn Resource>> {
        /// Apart: so it is looked for last.
        #[cold]
        fn nobody() -> Option<Rc<dyn Resource>> {
            None
        }
        self.entries.with(|entries| match entries.get(slot).map(|entry| &entry.link) {
            Some(Link::Strong(resource)) => Some(resource.clone()),
            Some(Link::Weak(resource)) => resource.upgrade(),
            Some(Link::Vacant) | None => nobody(),
        })
    }

    /// The resource that `key` names, if it is still there.
    pub(crate) fn find(&self, key: HandleKey) -> Option<Rc<dyn Resource>> {
        self.entries.with(|entries| {
            let entry = entries.get(key.slot).filter(|entry| entry.serial() == key.serial)?;
            entry.link.resource()
        })
    }

    /// Frees a slot. Only the closing phase does that, after the batch of events is done, so an
    /// event can't meet a slot that was used again.
    #[must_use = "drop the link outside of any borrow"]
    pub(crate) fn free(&self, slot: usize) -> Option<Link> {
        self.entries.with(|entries| entries.try_remove(slot).map(|entry| entry.link))
    }

    /// Everything there is, in the order it was made.
    pub(crate) fn all(&self) -> Vec<Rc<dyn Resource>> {
        let mut all: Vec<_> = self.entries.with(|entries| {
            let known = entries.iter().filter_map(|(_, e)| Some((e.serial(), e.link.resource()?)));
            known.collect()
        });
        all.sort_unstable_by_key(|(serial, _)| *serial);
        all.into_iter().map(|(_, resource)| resource).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.with(|entries| entries.len())
    }
}
