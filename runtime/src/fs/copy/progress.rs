//! How far a copy is, told on the loop.
//!
//! ```text
//!   pool   copied, total ── send ─▶ Async ─▶ progress(copied, total)     poll phase
//!          result ────────────────▶ progress(final), Async closed        poll phase
//!                                   the result                           then
//! ```
//!
//! Results of the pool come before what an `Async` is told, so the last call is made by who gets the result.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::options::OnProgress;
use crate::base::CallbackSlot;
use crate::error::Result;
use crate::event_loop::{Answer, State, current};
use crate::handle::{Async, AsyncSender};
use crate::pool::Steps;
use crate::request::{Plain, Request, RequestId, Settles, Waiting};

/// How far a job is. The job writes, the loop reads.
#[derive(Debug, Default)]
struct Count {
    copied: AtomicU64,
    total: AtomicU64,
}

/// What the job has of it: steps, and the count if somebody wants it.
pub(super) struct Meter<'a> {
    steps: &'a Steps,
    told: Option<&'a Told>,
}

struct Told {
    count: Arc<Count>,
    sender: AsyncSender,
}

impl Meter<'_> {
    /// Before each step.
    pub(super) fn go_on(&self) -> io::Result<()> {
        self.steps.go_on()
    }

    /// So much more is to be copied.
    pub(super) fn expect(&self, bytes: u64) {
        if let Some(told) = self.told {
            told.count.total.fetch_add(bytes, Relaxed);
        }
    }

    /// So much more is copied. It is never more than what is expected: a file may have grown.
    pub(super) fn copied(&self, bytes: u64) {
        if let Some(told) = self.told {
            let copied = told.count.copied.fetch_add(bytes, Relaxed) + bytes;
            told.count.total.fetch_max(copied, Relaxed);
            // A loop that is gone is told nothing.
            let _ = told.sender.send();
        }
    }
}

/// Submits a copy by `submit`, which is given the job. `progress` is told how far it is.
#[track_caller]
pub(super) fn submit<T: Send + 'static>(
    progress: Option<Box<OnProgress>>,
    submit: impl FnOnce(Metered<T>) -> Request<T>,
    job: impl FnOnce(&Meter<'_>) -> io::Result<T> + Send + 'static,
) -> Request<T> {
    let Some(progress) = progress else {
        return submit(Box::new(move |steps| job(&Meter { steps, told: None })));
    };
    let count = Arc::<Count>::default();
    let tell = Tell::new(progress, count.clone());
    let handle = Async::new({
        let tell = tell.clone();
        move |_| tell.tell()
    });
    let told = Told { count, sender: handle.sender() };
    let request = submit(Box::new(move |steps| job(&Meter { steps, told: Some(&told) })));
    Told::result(request, tell, handle)
}

/// A job that is given its steps.
pub(super) type Metered<T> = Box<dyn FnOnce(&Steps) -> io::Result<T> + Send>;

impl Told {
    /// The request of who asked: its result comes after the last of `tell`.
    #[track_caller]
    fn result<T: 'static>(job: Request<T>, tell: Rc<Tell>, handle: Async) -> Request<T> {
        let plain = Plain::new(current().state());
        let settles = Settles::new(&plain);
        let id = job.callback(move |result| {
            handle.close();
            let is_made = result.is_ok();
            settles.settle(result);
            if is_made { tell.tell() } else { Ok(()) }
        });
        Request::waiting(Rc::new(Measured { plain, job: id }))
    }
}

/// The callback, and what it is told.
struct Tell {
    callback: CallbackSlot<OnProgress>,
    count: Arc<Count>,
}

impl Tell {
    fn new(progress: Box<OnProgress>, count: Arc<Count>) -> Rc<Self> {
        let tell = Self { callback: CallbackSlot::default(), count };
        drop(tell.callback.set(progress));
        Rc::new(tell)
    }

    fn tell(&self) -> Result {
        let Some(mut callback) = self.callback.take() else { return Ok(()) };
        callback(self.count.copied.load(Relaxed), self.count.total.load(Relaxed))
    }
}

/// A copy that is told how far it is.
struct Measured<T: 'static> {
    plain: Rc<Plain<T>>,
    job: RequestId,
}

impl<T: 'static> Waiting<io::Result<T>> for Measured<T> {
    fn answer(&self) -> &Answer<io::Result<T>> {
        self.plain.answer()
    }

    fn state(&self) -> &Rc<State> {
        self.plain.state()
    }

    fn id(&self) -> RequestId {
        self.job
    }

    fn cancel(&self) -> bool {
        self.job.cancel()
    }

    fn refuse(&self) {
        self.plain.refuse();
    }
}
