//! Bytes that are to be text.

use std::io::{self, ErrorKind};

/// The text that `bytes` are, if they are UTF-8. The error says where they are not, and does not keep them: they may be
/// a whole file.
pub(super) fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes)
        .map_err(|error| io::Error::new(ErrorKind::InvalidData, error.utf8_error()))
}
