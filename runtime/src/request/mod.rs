//! Requests: one-shot operations, each with both faces.

mod by_task;
mod id;
mod map;
mod permit;
mod plain;
#[expect(clippy::module_inception, reason = "the type has the module's name")]
mod request;
mod work;

pub(crate) use by_task::{Unwanted, by_task};
pub use id::RequestId;
pub use permit::{PoolFull, PoolPermit};
pub(crate) use plain::{Begun, Plain, Settles};
pub use request::Request;
pub(crate) use request::{Waiting, result_of};
pub use work::spawn_blocking;
pub(crate) use work::{on_pool, on_pool_in_steps};
