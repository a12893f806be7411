//! Files into sockets.

/// Gives a byte stream over a socket the sending of files.
macro_rules! sends_files {
    ($name:ident) => {
        /// Sending files.
        impl $name {
            /// Writes the bytes of `file` from `range`, all of them, at their place in the order of the
            /// writes. The file's own position is neither used nor moved. What was written at the position
            /// before, by this `File`, is among them.
            ///
            /// What the system has in memory goes to the socket from there (`sendfile`); the rest is read
            /// by the pool, 256 KiB at a time, when it is its turn. So neither this thread nor one of the
            /// pool waits for a peer that reads slowly, and this one waits for no disk. The file is no
            /// part of [`write_queue_size`](Self::write_queue_size): it takes no memory.
            ///
            /// # Ordering
            /// As [`write`](Self::write); what was sent by this call itself calls back in the pending phase.
            ///
            /// # Errors
            /// Those of writing. `UnexpectedEof` if the file ends before `range` does, and those of reading
            /// it: since the peer may count on the bytes that are missing they end the writing direction,
            /// and nothing that is queued behind is written. `InvalidInput`, and nothing is written, if
            /// `range` ends before it begins, or where no file ends.
            ///
            /// # Cancel safety
            /// What is queued stays queued when the future is dropped.
            ///
            /// # Platform notes
            /// By `sendfile` on Linux; elsewhere the pool reads all of it.
            ///
            /// # Examples
            /// ```
            /// use runtime::{fs::File, net::TcpStream};
            ///
            /// #[runtime::main]
            /// async fn main() -> runtime::Result {
            ///     let (socket, peer) = TcpStream::pair()?;
            ///     let file = File::open("Cargo.toml").await?;
            ///     socket.send_file(&file, 0..9).await?;
            ///     let mut buffer = [0; 64];
            ///     let length = peer.read(&mut buffer).await?;
            ///     assert_eq!(&buffer[..length], b"[package]");
            ///     Ok(())
            /// }
            /// ```
            pub fn send_file(
                &self,
                file: &crate::fs::File,
                range: std::ops::Range<u64>,
            ) -> crate::Request<()> {
                self.send_file_with(b"", file, range)
            }

            /// Writes `head` and then the bytes of a file, as [`send_file`](Self::send_file) does: the head
            /// of an answer goes along with a small file in one system call.
            pub fn send_file_with(
                &self,
                head: impl AsRef<[u8]>,
                file: &crate::fs::File,
                range: std::ops::Range<u64>,
            ) -> crate::Request<()> {
                self.0.send_file(head.as_ref(), file, range)
            }
        }
    };
}
pub(crate) use sends_files;
