//! The operations on files: what each queues, and what follows when that is done.
//!
//! ```text
//!   stat            statx
//!   read, write     open ─▶ move ─▶ close               a chain, in one hand-over
//!   the same, or    open │ move │ close                 `--how steps`: one each
//!   large           open │ length, asked here, move │ close
//! ```

use std::io::{Error, Result};

use bench::args::Args;
use bench::file_work::{FileWork, Operation};
use bench::report::{check_done, figure};
use io_uring::opcode::Nop;

use crate::driver::{Completed, Driver};
use crate::place::{Part, Place};

pub(crate) struct Files<'a> {
    work: &'a FileWork,
    driver: Driver,
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

const STAT: &[Part] = &[Part::Stat];
const CHAIN: &[Part] = &[Part::Open, Part::Move, Part::Close];
const STEPS: [&[Part]; 3] = [&[Part::Open], &[Part::Move], &[Part::Close]];

const PARTS: [Part; 4] = [Part::Open, Part::Move, Part::Close, Part::Stat];

impl<'a> Files<'a> {
    pub(crate) fn new(work: &'a FileWork, driver: Driver, args: &Args) -> Result<Self> {
        let is_chained = match args.value_or("how", "chain".to_owned())?.as_str() {
            "chain" => matches!(work.operation, Operation::Read | Operation::Write),
            "steps" => false,
            other => return Err(Error::other(format!("--how {other}: chain or steps"))),
        };
        let flight = |slot| {
            let place = match work.operation {
                Operation::Block | Operation::Span => Place::of_file(work.open(slot)?, work),
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
            Operation::Stat => self.queue(at, STAT),
            Operation::Block | Operation::Span => self.queue(at, STEPS[1]),
            _ if self.is_chained => self.queue(at, CHAIN),
            _ => self.queue(at, STEPS[0]),
        }
    }

    fn complete(&mut self, at: usize, part: Part, result: usize) -> Result<()> {
        let is_open = self.is_open();
        let flight = &mut self.flights[at];
        flight.missing -= 1;
        match part {
            Part::Open if !self.is_chained => flight.place.opened(result as i32)?,
            Part::Move => flight.moved = result,
            Part::Open | Part::Close | Part::Stat => {}
        }
        match part {
            _ if flight.missing > 0 => Ok(()),
            Part::Open => self.queue(at, STEPS[1]),
            Part::Move if !is_open => self.queue(at, STEPS[2]),
            Part::Move | Part::Close | Part::Stat => {
                self.work.check(flight.place.end(flight.moved))?;
                self.done += 1;
                self.start(at)
            }
        }
    }

    /// Whether the files stay open.
    fn is_open(&self) -> bool {
        matches!(self.work.operation, Operation::Block | Operation::Span)
    }

    fn queue(&mut self, at: usize, parts: &[Part]) -> Result<()> {
        let flight = &mut self.flights[at];
        flight.missing = parts.len();
        let mut entries = [(); CHAIN.len()].map(|()| Nop::new().build());
        for (entry, &part) in entries.iter_mut().zip(parts) {
            let number = (at * PARTS.len() + part as usize) as u64;
            *entry = flight.place.entry(part, self.is_chained).user_data(number);
        }
        if parts == STEPS[2] {
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
