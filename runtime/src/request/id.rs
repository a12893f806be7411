//! Names of requests.

use crate::base::Key;
use crate::event_loop::{State, close, context};
use crate::task::job::JobOwner;

/// Names a request that was given a callback, to cancel it later.
///
/// It is a copyable name and owns nothing. What can be cancelled is said at
/// [`Request::cancel`](super::Request::cancel). The name of anything else, of a request that is done,
/// or of one on a loop that is gone, does nothing; so does any name on another thread than the loop's.
///
/// # Examples
/// ```
/// use runtime::Cancelled;
/// use runtime::net::{TcpListener, TcpStream};
///
/// #[runtime::main]
/// fn main() -> std::io::Result<()> {
///     let server = TcpListener::bind("127.0.0.1:0")?;
///     let id = TcpStream::connect(server.local_addr()?)
///         .callback(|connected| assert!(Cancelled::is_in(&connected.unwrap_err())));
///     assert!(id.cancel());
///     Ok(())
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    loop_id: u64,
    name: Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Name {
    /// Of what waits for the pool.
    Job(Key),
    /// In the loop's `connects`.
    Connect(Key),
}

impl RequestId {
    /// The name of what is done already, or can't be cancelled.
    pub(crate) const DEAD: Self = Self { loop_id: 0, name: Name::Job(Key::DEAD) };

    pub(super) const fn of_job(loop_id: u64, key: Key) -> Self {
        Self { loop_id, name: Name::Job(key) }
    }

    pub(crate) const fn of_connect(loop_id: u64, key: Key) -> Self {
        Self { loop_id, name: Name::Connect(key) }
    }

    /// Nobody wants the end of the job any more, though a callback was given for it.
    pub(crate) fn refuse(self) {
        if let (Some(lp), Name::Job(key)) = (context::find(self.loop_id), self.name) {
            lp.state().refuse_job(key);
        }
    }

    /// As [`Request::cancel`](super::Request::cancel).
    pub fn cancel(self) -> bool {
        let Some(lp) = context::find(self.loop_id) else { return false };
        match self.name {
            Name::Job(key) => lp.state().cancel_job(key),
            Name::Connect(key) => cancel_connect(lp.state(), key),
        }
    }
}

/// Closes the handle that connects. Its request ends in the closing phase, and the entry with it.
fn cancel_connect(state: &State, key: Key) -> bool {
    let handle = state.connects.with(|connects| connects.get(key).copied());
    let found = handle.and_then(|handle| state.registry.find(handle));
    let Some(stream) = found.filter(|stream| !stream.handle().is_closing()) else { return false };
    close(&stream);
    true
}
