//! A guard that closes its handle.

use std::ops::Deref;

/// What can be closed.
pub(crate) trait Close {
    fn close(&self);
}

/// Closes the handle in it when dropped; see `close_on_drop` of the handle types. It derefs to the
/// handle.
#[derive(Debug)]
#[expect(private_bounds, reason = "made by the handle types only")]
#[must_use = "dropping it closes the handle"]
pub struct CloseOnDrop<H: Close>(H);

#[expect(private_bounds, reason = "made by the handle types only")]
impl<H: Close> CloseOnDrop<H> {
    pub(crate) fn new(handle: H) -> Self {
        Self(handle)
    }
}

impl<H: Close> Deref for CloseOnDrop<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.0
    }
}

impl<H: Close> Drop for CloseOnDrop<H> {
    fn drop(&mut self) {
        self.0.close();
    }
}
