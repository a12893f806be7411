//! `fs`: whole files read, and files asked for, one or 64 at a time.

use std::io::Result;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use runtime::{Loop, fs};

use super::flight;
use crate::args::{Api, Args};
use crate::report::rate;

const FILES: u64 = 1000;
const LEN: usize = 1024;

pub(super) fn files(args: &Args) -> Result<()> {
    let (count, api) = (args.value("n")?, args.api()?);
    let directory: PathBuf = args.value("dir")?;
    let paths: Rc<[PathBuf]> = (0..FILES).map(|file| directory.join(format!("f{file}"))).collect();
    let mut lp = Loop::new()?;
    let _here = lp.enter();
    for width in [1, 64] {
        let start = Instant::now();
        read_all(&mut lp, api, &paths, count, width)?;
        rate(&format!("fs_open_read_close_c{width}"), start, count, "files");
    }
    for width in [1, 64] {
        let start = Instant::now();
        stat_all(&mut lp, api, &paths, count, width)?;
        rate(&format!("fs_stat_c{width}"), start, count, "ops");
    }
    Ok(())
}

fn read_all(lp: &mut Loop, api: Api, paths: &Rc<[PathBuf]>, count: u64, width: u64) -> Result<()> {
    let paths = paths.clone();
    match api {
        Api::Callback => flight::by_callbacks(lp, count, width, move |number, landing| {
            fs::read(path(&paths, number)).callback(|bytes| -> runtime::Result {
                assert_eq!(bytes?.len(), LEN);
                landing.done();
                Ok(())
            });
        }),
        Api::Future => flight::by_futures(lp, count, width, async move |number| {
            let bytes = fs::read(path(&paths, number)).await;
            assert_eq!(bytes.expect("the file is there").len(), LEN);
        }),
    }
}

fn stat_all(lp: &mut Loop, api: Api, paths: &Rc<[PathBuf]>, count: u64, width: u64) -> Result<()> {
    let paths = paths.clone();
    match api {
        Api::Callback => flight::by_callbacks(lp, count, width, move |number, landing| {
            fs::metadata(path(&paths, number)).callback(|found| -> runtime::Result {
                assert_eq!(found?.len(), LEN as u64);
                landing.done();
                Ok(())
            });
        }),
        Api::Future => flight::by_futures(lp, count, width, async move |number| {
            let found = fs::metadata(path(&paths, number)).await;
            assert_eq!(found.expect("the file is there").len(), LEN as u64);
        }),
    }
}

fn path(paths: &[PathBuf], number: u64) -> &PathBuf {
    &paths[(number % FILES) as usize]
}
