//! What the programs of the bench suite share; and ours, as a library so that the tests can run it too.
//!
//! ```text
//!   args, report      how a workload is asked for, and how it answers: contender, floor and peers alike
//!   delays, spin      the same random timers and the same jobs for all
//!   file_work         one kind of work on files, and what it took
//!   serve, limit      a server's sockets and threads, and its end
//!   contender         the workloads on `runtime`
//!   floor             the workloads on nothing
//! ```

pub mod args;
pub mod contender;
pub mod delays;
pub mod file_work;
pub mod floor;
pub mod limit;
pub mod report;
pub mod serve;
pub mod spin;
