//! The jobs of a file's buffers.
//!
//! They stand in the file's line, and wake who waits when they are done. Whoever dropped what: a drain is
//! carried out.

use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;

use super::buffers::{Job, Owed};
use super::line::Place;
use super::open_file::OpenFile;
use crate::error::LoopGone;
use crate::event_loop::{Carried, try_current};
use crate::pool::Lane;
use crate::request::{Request, on_pool};
use crate::sys;

impl OpenFile {
    /// Begins a job that `Buffers` has said to begin.
    #[track_caller]
    pub(super) fn begin(self: &Arc<Self>, job: Job) {
        let place = Place::new(self, move |open| open.carry_out(job));
        let busy = Busy { open: self.clone(), place: Some(place) };
        let in_pool = move || busy.come_up();
        match job {
            // Whoever reads lets go of it with the file: it may be of a pipe, and wait for ever.
            Job::Fill => {
                let id = on_pool(Lane::Fast, Carried::IfWanted, in_pool).callback(report);
                self.buffers.lock().filling = Some(id);
            }
            Job::Drain | Job::Seek(_) => on_pool(Lane::Fast, Carried::Out, in_pool).detach(),
        }
    }

    /// The last `File` is gone, and has left something to write.
    #[track_caller]
    pub(super) fn begin_alone(self: &Arc<Self>, job: Job) {
        if try_current().is_some() {
            return self.begin(job);
        }
        // There is no loop to tell what fails, just as when a file of std's is dropped.
        let _ = Place::new(self, move |open| open.carry_out(job)).come_up();
    }

    /// The last `File` is gone, or the last request after it, and nobody was told of an error.
    pub(super) fn report_untold(&self) {
        let untold = self.buffers.lock().take_untold();
        if let Some(error) = untold.filter(|_| try_current().is_some()) {
            Request::<()>::done(Err(error)).detach();
        }
    }

    /// What can't be written is kept for who comes next; it is the result only if nobody can come.
    fn carry_out(&self, job: Job) -> io::Result<()> {
        loop {
            match job {
                Job::Fill => self.fill(),
                Job::Drain => self.drain(),
                Job::Seek(to) => self.seek_for_later(to),
            }
            let mut buffers = self.buffers.lock();
            if !buffers.goes_on() {
                let is_untold = buffers.is_let_go;
                return buffers.write_error.take_if(|_| is_untold).map_or(Ok(()), Err);
            }
        }
    }

    fn drain(&self) {
        self.buffers.lock().forget_ahead();
        self.pay_owed();
    }

    /// Writes what is behind, and reads ahead.
    fn fill(&self) {
        self.learn_whether_seekable();
        if !self.pay_owed() {
            return;
        }
        let Some(mut bytes) = self.buffers.lock().take_window() else { return };
        let read = self.named("read", |open| sys::append(&open.file, &mut bytes));
        self.buffers.lock().put_ahead(bytes, read);
    }

    fn seek_for_later(&self, to: SeekFrom) {
        self.buffers.lock().forget_ahead();
        if self.pay_owed() {
            let sought = self.named("seek", |open| (&open.file).seek(to));
            self.buffers.lock().put_sought(to, sought);
        }
    }

    /// Does what is owed. False if that failed: then the error is kept.
    fn pay_owed(&self) -> bool {
        let Owed { rewind, bytes } = self.buffers.lock().take_owed();
        let paid = self.pay(rewind, &bytes);
        let mut buffers = self.buffers.lock();
        buffers.has_paid(bytes, paid.is_err());
        let is_paid = paid.is_ok();
        buffers.write_error = paid.err().or(buffers.write_error.take());
        is_paid
    }

    /// For a request: has the file stand where its reader and writer think it does.
    ///
    /// # Errors
    /// What was written behind could not be, now or earlier.
    pub(super) fn settle(&self) -> io::Result<()> {
        self.buffers.lock().forget_ahead();
        self.write_behind()
    }

    /// The same, but what was read ahead stays.
    pub(super) fn write_behind(&self) -> io::Result<()> {
        let Owed { rewind, bytes } = {
            let mut buffers = self.buffers.lock();
            buffers.write_error.take().map_or(Ok(()), Err)?;
            buffers.take_owed()
        };
        let paid = self.pay(rewind, &bytes);
        self.buffers.lock().has_paid(bytes, paid.is_err());
        paid
    }

    fn pay(&self, rewind: usize, bytes: &[u8]) -> io::Result<()> {
        if rewind > 0 {
            let back = i64::try_from(rewind).expect("it was in memory");
            self.named("seek", |open| (&open.file).seek(SeekFrom::Current(-back)))?;
        }
        self.named("write", |open| (&open.file).write_all(bytes))
    }

    /// Finds out whether it has a position, before bytes are read that may have to be given back.
    fn learn_whether_seekable(&self) {
        if self.buffers.lock().is_seekable.is_none() {
            let place = (&self.file).stream_position();
            let is_unseekable = place.is_err_and(|error| sys::is_unseekable(&error));
            self.buffers.lock().is_seekable = Some(!is_unseekable);
        }
    }

    /// Seeks from where the reader and the writer stand.
    pub(super) fn seek(&self, to: SeekFrom) -> io::Result<u64> {
        self.settle()?;
        (&self.file).seek(to)
    }

    pub(super) fn wake_all(&self) {
        let wakers = self.buffers.lock().take_wakers();
        wakers.into_iter().for_each(std::task::Waker::wake);
    }
}

/// While a job of the buffers is under way.
struct Busy {
    open: Arc<OpenFile>,
    /// Until the pool does it.
    place: Option<Place<io::Result<()>>>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            // Out of the line: it is not to be done by what comes now.
            drop(place);
            self.was_refused();
        }
        self.open.wake_all();
    }
}

/// As `detach` does with an error.
fn report(filled: io::Result<()>) {
    Request::done(filled).detach();
}

impl Busy {
    fn come_up(mut self) -> io::Result<()> {
        self.place.take().expect("it comes up once").come_up()
    }

    /// The pool did not take the job. What was accepted is written here and now, if nobody else can come for it.
    fn was_refused(&self) {
        let must_write = {
            let mut buffers = self.open.buffers.lock();
            buffers.busy = None;
            buffers.write_error.get_or_insert_with(why_refused);
            buffers.is_left_alone()
        };
        if must_write {
            // Nor is there anybody to be told what fails.
            let _ = Place::new(&self.open, |open| open.pay_owed()).come_up();
        }
    }
}

/// A pool takes each job, unless the system gives it no thread at all.
fn why_refused() -> io::Error {
    match try_current().map(|lp| lp.check_open()) {
        Some(Ok(())) => io::Error::other("the pool has no thread"),
        Some(Err(_)) | None => LoopGone.into(),
    }
}
