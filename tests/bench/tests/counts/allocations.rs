//! Allocations, counted by the allocator of this process. The contender runs in it, as a library.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;

use bench::args::Args;
use bench::contender;

use crate::budgets::{Gate, Operations};
use crate::client::{Client, free_port, open_and_wait};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// Where the allocations of this thread are counted.
    static COUNTER: Cell<Option<&'static AtomicU64>> = const { Cell::new(None) };
}

/// The system's allocator, with a count.
struct Counting;

impl Counting {
    fn count(&self) {
        if let Some(counter) = COUNTER.get() {
            counter.fetch_add(1, SeqCst);
        }
    }
}

// SAFETY: all is done by the system's allocator; to count allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count();
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.count();
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { System.realloc(block, layout, new_size) }
    }
}

/// Counts the allocations that the contender's thread makes.
pub(crate) fn count(gate: &Gate, operations: Operations) -> u64 {
    let counter: &AtomicU64 = Box::leak(Box::default());
    match operations {
        Operations::InProcess(count) => run(&format!("{} --n {count}", gate.run), counter),
        Operations::OverConnections { connections, rounds } => {
            let mut client = Client::connect(serve(gate, counter), connections);
            client.talk(rounds);
            // Before the connections close, which is not what is counted.
            return counter.load(SeqCst);
        }
        Operations::Connections { at_once, rounds } => {
            open_and_wait(serve(gate, counter), at_once, rounds);
        }
    }
    counter.load(SeqCst)
}

/// Starts a server, which serves until the process ends, and gives its port.
fn serve(gate: &Gate, counter: &'static AtomicU64) -> u16 {
    let port = free_port();
    let line = format!("{} --port {port}", gate.run);
    thread::spawn(move || run(&line, counter));
    port
}

fn run(line: &str, counter: &'static AtomicU64) {
    let args = Args::from_line(line).expect("budgets.toml knows the contender");
    COUNTER.set(Some(counter));
    let outcome = contender::run(&args);
    COUNTER.set(None);
    outcome.expect("the contender runs");
}
