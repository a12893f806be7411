//! All that `#[runtime::test]` takes.

use std::io;
use std::process::Termination;

#[runtime::test]
fn plain() {}

#[runtime::test]
async fn asynchronous() {}

#[runtime::test(clock = "manual")]
async fn with_clock() {}

#[runtime::test(crate = runtime, builder = builder, clock = "manual")]
fn with_all() {}

#[runtime::test]
async fn result() -> io::Result<()> {
    Ok(())
}

#[runtime::test]
async fn opaque_result() -> impl Termination {}

/// Has a doc comment.
#[runtime::test]
#[should_panic(expected = "as it should")]
async fn panics() {
    panic!("as it should");
}

#[runtime::test]
#[ignore = "takes long"]
pub(crate) fn ignored() {}

#[runtime::test]
#[cfg(false)]
fn left_out() -> NoSuchType {}

fn builder() -> runtime::Builder {
    runtime::Builder
}
