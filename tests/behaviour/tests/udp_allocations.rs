//! What a datagram costs: allocations, counted by an allocator of our own.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::rc::Rc;

use behaviour::Deadline;
use runtime::net::UdpSocket;
use runtime::{Loop, spawn};

thread_local! {
    /// Allocations of this thread.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: all is passed on to the system's allocator; the count neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Gone while the thread ends: then nobody asks.
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are those of this method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations that `f` makes on this thread.
fn allocations(f: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    f();
    COUNT.get() - before
}

fn ours() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Asserts that datagrams which `receive` counts cost nothing.
fn datagrams_allocate_nothing(receive: impl FnOnce(UdpSocket, Rc<Cell<usize>>)) {
    const ROUNDS: usize = 100;
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    let _here = lp.enter();
    let (server, address) = ours();
    let count = Rc::new(Cell::new(0));
    receive(server, count.clone());
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(address).unwrap();
    let mut round = |datagrams: usize| {
        for _ in 0..datagrams {
            peer.send(&[7; 64]).unwrap();
        }
        let all = count.get() + datagrams;
        while count.get() < all {
            lp.run_nowait().unwrap();
        }
    };
    (0..10).for_each(|_| round(40));
    let made = allocations(|| (0..ROUNDS).for_each(|_| round(40)));
    assert_eq!(made, 0);
}

#[test]
fn a_datagram_received_by_callback_allocates_nothing() {
    datagrams_allocate_nothing(|server, count| {
        server.recv_start(move |_, datagram| {
            assert_eq!(datagram.unwrap().0, [7; 64]);
            count.set(count.get() + 1);
        });
    });
}

#[test]
fn a_datagram_received_by_await_allocates_nothing() {
    datagrams_allocate_nothing(|server, count| {
        drop(spawn(async move {
            let mut buffer = [0; 64];
            while server.recv_from(&mut buffer).await.is_ok() {
                count.set(count.get() + 1);
            }
        }));
    });
}

#[test]
fn a_datagram_in_a_lent_buffer_allocates_nothing() {
    datagrams_allocate_nothing(|server, count| {
        drop(spawn(async move {
            while server.recv_with(|bytes, _| assert_eq!(bytes.len(), 64)).await.is_ok() {
                count.set(count.get() + 1);
            }
        }));
    });
}

#[test]
fn a_batch_that_a_task_is_lent_and_answers_allocates_nothing() {
    datagrams_allocate_nothing(|server, count| {
        drop(spawn(async move {
            loop {
                let lent = server.recv_many_with(|datagrams| {
                    assert!(datagrams.iter().all(|(bytes, _)| bytes.len() == 64));
                    server.send_many_to(datagrams)
                });
                let Ok(answers) = lent.await else { return };
                count.set(count.get() + answers.await.unwrap());
            }
        }));
    });
}

#[test]
fn a_batch_that_a_callback_is_lent_and_answers_allocates_nothing() {
    datagrams_allocate_nothing(|server, count| {
        server.recv_many_start(move |server, datagrams| {
            let datagrams = datagrams.unwrap();
            assert!(datagrams.iter().all(|(bytes, _)| bytes.len() == 64));
            drop(server.send_many_to(datagrams));
            count.set(count.get() + datagrams.len());
        });
    });
}

#[test]
fn a_datagram_to_the_peer_that_is_sent_at_once_allocates_nothing() {
    let _guard = Deadline::secs(20);
    let mut lp = Loop::new().unwrap();
    lp.block_on(async {
        let ((client, _), (_server, address)) = (ours(), ours());
        client.connect(address).unwrap();
        let some = [[7; 64]; 40];
        // The loop's buffer is made when it is first lent.
        client.send_vectored(&[]).await.unwrap();
        let before = COUNT.get();
        for _ in 0..10 {
            client.send([7; 64]).await.unwrap();
            drop(client.send([7; 64]));
            client.send_vectored(&[IoSlice::new(&[7; 32]), IoSlice::new(&[7; 32])]).await.unwrap();
            client.try_send_many(&some).unwrap();
        }
        assert_eq!(COUNT.get() - before, 0);
    });
}
