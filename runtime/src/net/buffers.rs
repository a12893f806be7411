//! How much the system keeps for a socket.

/// Gives a handle type over a socket the sizes of the system's buffers.
macro_rules! buffer_sizes {
    ($name:ident) => {
        /// The system's buffers.
        impl $name {
            /// Sets how many bytes the system keeps that were not read. A full one holds the sender of a
            /// stream back; of datagrams what is more is dropped.
            ///
            /// # Errors
            /// [`Closed`](crate::Closed), or the system's.
            ///
            /// # Platform notes
            /// Linux takes twice the number, for its own records, and has a limit above which it takes
            /// less; for TCP it ceases to adjust the size by itself.
            pub fn set_recv_buffer_size(&self, bytes: usize) -> std::io::Result<()> {
                self.0.with_socket(|socket| {
                    socket.set_recv_buffer_size(crate::net::buffers::capped(bytes))
                })
            }

            /// How many bytes the system keeps that were not read.
            ///
            /// # Errors
            /// [`Closed`](crate::Closed), or the system's.
            pub fn recv_buffer_size(&self) -> std::io::Result<usize> {
                self.0.with_socket(|socket| socket.recv_buffer_size())
            }

            /// Sets how many bytes the system takes before what is sent has to be queued here.
            ///
            /// # Errors
            /// [`Closed`](crate::Closed), or the system's.
            ///
            /// # Platform notes
            /// As [`set_recv_buffer_size`](Self::set_recv_buffer_size).
            pub fn set_send_buffer_size(&self, bytes: usize) -> std::io::Result<()> {
                self.0.with_socket(|socket| {
                    socket.set_send_buffer_size(crate::net::buffers::capped(bytes))
                })
            }

            /// How many bytes the system takes before what is sent has to be queued here.
            ///
            /// # Errors
            /// [`Closed`](crate::Closed), or the system's.
            pub fn send_buffer_size(&self) -> std::io::Result<usize> {
                self.0.with_socket(|socket| socket.send_buffer_size())
            }
        }
    };
}
pub(crate) use buffer_sizes;

/// The size of a buffer as the system counts it, in a C `int`: of a larger number it would see what the low
/// bits say, which may be next to nothing.
pub(super) fn capped(bytes: usize) -> usize {
    bytes.min(i32::MAX as usize)
}
