//! `file`: one kind of work on files, through the pool.

use std::cell::RefCell;
use std::fs::File;
use std::io::Result;
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use runtime::{Loop, fs, spawn_blocking};

use super::flight::{self, Landing};
use crate::args::{Api, Args};
use crate::file_work::{FileWork, Operation, SMALL};

pub(super) fn file_work(args: &Args) -> Result<()> {
    let (work, api) = (Rc::new(FileWork::from_args(args)?), args.api()?);
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    if matches!(work.operation, Operation::Block | Operation::Span) {
        return read_at(&mut lp, &work);
    }
    work.measure(|| {
        let (count, width, work) = (work.count, work.width, work.clone());
        match api {
            Api::Callback => flight::by_callbacks(&mut lp, count, width, move |number, landing| {
                start(&work, number, landing);
            }),
            Api::Future => flight::by_futures(&mut lp, count, width, async move |number| {
                let len = run(&work, number).await.expect("the file is there");
                assert_eq!(len, work.len());
            }),
        }
    })
}

fn start(work: &Rc<FileWork>, number: u64, landing: Landing) {
    let (path, len) = (work.path(number), work.len());
    match work.operation {
        Operation::Read | Operation::Large => {
            fs::read(path).callback(move |bytes| landed(landing, bytes?.len() == len));
        }
        Operation::Stat => {
            fs::metadata(path).callback(move |found| landed(landing, found?.len() == len as u64));
        }
        Operation::Write => {
            fs::write(path, [b'y'; SMALL]).callback(move |done| landed(landing, done? == ()));
        }
        Operation::Block | Operation::Span => unreachable!("that has a way of its own"),
    }
}

fn landed(landing: Landing, is_right: bool) -> runtime::Result {
    assert!(is_right);
    landing.done();
    Ok(())
}

async fn run(work: &FileWork, number: u64) -> Result<usize> {
    let path = work.path(number);
    match work.operation {
        Operation::Read | Operation::Large => Ok(fs::read(path).await?.len()),
        Operation::Stat => Ok(fs::metadata(path).await?.len() as usize),
        Operation::Write => fs::write(path, [b'y'; SMALL]).await.map(|()| SMALL),
        Operation::Block | Operation::Span => unreachable!("that has a way of its own"),
    }
}

/// In files that are open, into buffers that are used again: each goes to the pool and comes back.
fn read_at(lp: &mut Loop, work: &Rc<FileWork>) -> Result<()> {
    let place = |number| Ok((work.open(number)?, vec![1; work.len()]));
    let places: Vec<(File, Vec<u8>)> = (0..work.width).map(place).collect::<Result<_>>()?;
    let free = Rc::new(RefCell::new(places));
    work.measure(|| {
        let shared = work.clone();
        flight::by_futures(lp, work.count, work.width, async move |number| {
            let (file, mut buffer) = free.borrow_mut().pop().expect("there are enough");
            let offset = shared.offset(number);
            let reading = spawn_blocking(move || (file.read_at(&mut buffer, offset), file, buffer));
            let (len, file, buffer) = reading.await.expect("it does not panic");
            shared.check(len.expect("it can be read")).expect("all is read");
            free.borrow_mut().push((file, buffer));
        })
    })
}
