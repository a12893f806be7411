//! `file`: one kind of work on files, through the pool.

use std::cell::RefCell;
use std::io::Result;
use std::rc::Rc;

use runtime::Loop;
use runtime::fs::{self, File};

use super::flight::{self, Landing};
use crate::args::Args;
use crate::file_work::{BLOCK, FileWork, Operation, SMALL};

pub(super) fn file_work(args: &Args) -> Result<()> {
    let work = Rc::new(FileWork::from_args(args)?);
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    if work.operation == Operation::Block {
        return blocks(&mut lp, &work);
    }
    let shared = work.clone();
    let watch = work.watch();
    flight::by_callbacks(&mut lp, work.count, work.width, move |number, landing| {
        start(&shared, number, landing);
    })?;
    watch.stop();
    Ok(())
}

fn start(work: &FileWork, number: u64, landing: Landing) {
    let (path, len) = (work.path(number), work.bytes());
    match work.operation {
        Operation::Read | Operation::Large => {
            fs::read(path).callback(move |bytes| landed(landing, bytes?.len() == len));
        }
        Operation::Stat => {
            fs::metadata(path).callback(move |found| landed(landing, found?.len() == len as u64));
        }
        Operation::Write => {
            fs::write(path, [b'y'; SMALL]).callback(move |done| landed(landing, done.is_ok()));
        }
        Operation::Block => unreachable!("that has a way of its own"),
    }
}

fn landed(landing: Landing, is_right: bool) -> runtime::Result {
    assert!(is_right);
    landing.done();
    Ok(())
}

/// In files that are open, into buffers that are used again: each goes to the pool and comes back.
fn blocks(lp: &mut Loop, work: &Rc<FileWork>) -> Result<()> {
    let place = |number| {
        let file = File::from_std(work.open(number)?, work.path(number));
        Ok((Rc::new(file), vec![1; BLOCK]))
    };
    let places: Vec<_> = (0..work.width).map(place).collect::<Result<_>>()?;
    let (free, shared) = (Rc::new(RefCell::new(places)), work.clone());
    let watch = work.watch();
    flight::by_callbacks(lp, work.count, work.width, move |number, landing| {
        let (file, buffer) = free.borrow_mut().pop().expect("there are enough");
        let (offset, free) = (shared.offset(number), free.clone());
        file.clone().read_at(buffer, offset).callback(move |read| {
            let (buffer, len) = read?;
            free.borrow_mut().push((file, buffer));
            landed(landing, len == BLOCK)
        });
    })?;
    watch.stop();
    Ok(())
}
