//! A number of operations of which some are always under way.
//!
//! ```text
//!   callback   start(0) .. start(width - 1)      each that lands starts the next
//!   future     width tasks, each: next, await, next, await ..
//! ```

use std::cell::{Cell, RefCell};
use std::io::Result;
use std::rc::Rc;

use runtime::{Loop, spawn};

use crate::report::check_done;

/// Runs `count` operations by callbacks, `width` at a time. `start` is given the operation's number
/// and what is to be told when it is done.
pub(super) fn by_callbacks(
    lp: &mut Loop,
    count: u64,
    width: u64,
    start: impl Fn(u64, Landing) + 'static,
) -> Result<()> {
    let flight = Rc::new(Flight {
        started: Cell::new(0),
        landed: Cell::new(0),
        count,
        start: Box::new(start),
    });
    for _ in 0..width.min(count) {
        flight.start_next();
    }
    lp.run()?;
    check_done(flight.landed.get(), count)
}

struct Flight {
    started: Cell<u64>,
    landed: Cell<u64>,
    count: u64,
    start: Box<dyn Fn(u64, Landing)>,
}

impl Flight {
    fn start_next(self: &Rc<Self>) {
        let number = self.started.get();
        if number < self.count {
            self.started.set(number + 1);
            (self.start)(number, Landing(self.clone()));
        }
    }
}

/// What an operation tells that it is done.
pub(super) struct Landing(Rc<Flight>);

impl Landing {
    pub(super) fn done(self) {
        self.0.landed.set(self.0.landed.get() + 1);
        self.0.start_next();
    }
}

/// Runs `count` operations by futures, `width` at a time. `operate` is given the operation's number.
pub(super) fn by_futures(
    lp: &mut Loop,
    count: u64,
    width: u64,
    operate: impl AsyncFn(u64) + Clone + 'static,
) -> Result<()> {
    let numbers = Rc::new(RefCell::new(0..count));
    let landed = Rc::new(Cell::new(0));
    lp.block_on(async {
        let work = || {
            let (numbers, landed, operate) = (numbers.clone(), landed.clone(), operate.clone());
            async move {
                loop {
                    let next = numbers.borrow_mut().next();
                    let Some(number) = next else { return };
                    operate(number).await;
                    landed.set(landed.get() + 1);
                }
            }
        };
        let tasks: Vec<_> = (0..width).map(|_| spawn(work())).collect();
        for task in tasks {
            task.await.expect("it does not panic");
        }
    });
    check_done(landed.get(), count)
}
