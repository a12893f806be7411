//! The operations on files: what each queues, and what follows when that is done.
//!
//! ```text
//!   stat            statx
//!   read, write     open ─▶ move ─▶ close               a chain, in one hand-over
//!   large           open │ length, asked here, move │ close
//!   block           move                                in a file that is open
//! ```

use std::io::Result;

use bench::file_work::{FileWork, Operation};
use bench::report::{check_done, figure};
use io_uring::opcode::Nop;

use crate::driver::{Completed, Driver};
use crate::place::{Part, Place};

pub(crate) struct Files<'a> {
    work: &'a FileWork,
    driver: Driver,
    /// Open, read and close go to the kernel at once.
    is_chained: bool,
    flights: Vec<Flight>,
    started: u64,
    done: u64,
    /// Operations of the ring that have not completed. While there are any, the kernel uses the places.
    in_flight: u64,
}

/// One file, at its way.
struct Flight {
    place: Place,
    /// What is still to be completed of what was queued.
    missing: usize,
    moved: usize,
}

const CHAIN: &[Part] = &[Part::Open, Part::Move, Part::Close];

const PARTS: [Part; 4] = [Part::Open, Part::Move, Part::Close, Part::Stat];

impl<'a> Files<'a> {
    pub(crate) fn new(work: &'a FileWork, driver: Driver) -> Result<Self> {
        let is_chained = matches!(work.operation, Operation::Read | Operation::Write);
        let flight = |slot| {
            let place = match work.operation {
                Operation::Block => Place::of_file(work.open(slot)?, work),
                _ => Place::new(slot as u32, work.operation),
            };
            Ok(Flight { place, missing: 0, moved: 0 })
        };
        let flights = (0..work.width).map(flight).collect::<Result<_>>()?;
        Ok(Self { work, driver, is_chained, flights, started: 0, done: 0, in_flight: 0 })
    }

    pub(crate) fn run(&mut self) -> Result<()> {
        for at in 0..self.flights.len() {
            self.start(at)?;
        }
        let mut completed = Vec::new();
        while self.in_flight > 0 {
            self.turn(&mut completed)?;
            for Completed { number, result } in completed.drain(..) {
                let (at, part) = (number as usize / PARTS.len(), number as usize % PARTS.len());
                self.complete(at, PARTS[part], result? as usize)?;
            }
        }
        check_done(self.done, self.work.count)
    }

    /// Prints what is told of the ring alone.
    pub(crate) fn report(&self) -> Result<()> {
        figure("longest_hand_over", self.driver.longest().as_nanos() as f64 / 1000.0, "us");
        let workers = kernel_workers()?;
        if workers > 0 {
            figure("kernel_workers", workers as f64, "threads");
        }
        Ok(())
    }

    fn turn(&mut self, completed: &mut Vec<Completed>) -> Result<()> {
        self.driver.turn(completed)?;
        self.in_flight -= completed.len() as u64;
        Ok(())
    }

    /// Starts the next file, if there is one.
    fn start(&mut self, at: usize) -> Result<()> {
        if self.started == self.work.count {
            return Ok(());
        }
        self.flights[at].place.begin(self.work, self.started)?;
        self.started += 1;
        match self.work.operation {
            Operation::Stat => self.queue(at, &[Part::Stat]),
            Operation::Read | Operation::Write => self.queue(at, CHAIN),
            Operation::Large => self.queue(at, &[Part::Open]),
            Operation::Block => self.queue(at, &[Part::Move]),
        }
    }

    fn complete(&mut self, at: usize, part: Part, result: usize) -> Result<()> {
        let flight = &mut self.flights[at];
        flight.missing -= 1;
        if part == Part::Move {
            flight.moved = result;
        }
        match (self.work.operation, part) {
            _ if flight.missing > 0 => Ok(()),
            (Operation::Large, Part::Open) => {
                flight.place.opened(result as i32)?;
                self.queue(at, &[Part::Move])
            }
            (Operation::Large, Part::Move) => self.queue(at, &[Part::Close]),
            _ => {
                self.work.check(flight.place.end(flight.moved))?;
                self.done += 1;
                self.start(at)
            }
        }
    }

    fn queue(&mut self, at: usize, parts: &[Part]) -> Result<()> {
        let flight = &mut self.flights[at];
        flight.missing = parts.len();
        let mut entries = [(); CHAIN.len()].map(|()| Nop::new().build());
        for (entry, &part) in entries.iter_mut().zip(parts) {
            let number = (at * PARTS.len() + part as usize) as u64;
            *entry = flight.place.entry(part, self.is_chained).user_data(number);
        }
        if parts == [Part::Close] {
            flight.place.closed();
        }
        // SAFETY: the places live as long as this, and `drop` waits for what is under way.
        unsafe { self.driver.queue(&entries[..parts.len()])? };
        self.in_flight += parts.len() as u64;
        Ok(())
    }
}

impl Drop for Files<'_> {
    fn drop(&mut self) {
        while self.in_flight > 0 {
            if self.turn(&mut Vec::new()).is_err() {
                // The kernel may still write where the places are.
                std::process::abort();
            }
        }
    }
}

/// How many threads of the kernel's own work for this process: it has started them as they were wanted.
fn kernel_workers() -> Result<usize> {
    let names = std::fs::read_dir("/proc/self/task")?
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    Ok(names.filter(|name| name.starts_with("iou-wrk")).count())
}
