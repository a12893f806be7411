//! `--seconds S`: a server that nobody kills ends by itself.

use std::io::Result;
use std::process::exit;
use std::thread;
use std::time::Duration;

use crate::args::Args;

/// Ends the process in so many seconds, if that was asked for.
///
/// # Errors
/// If the flag makes no sense.
pub fn end_in_time(args: &Args) -> Result<()> {
    let seconds = args.value_or("seconds", 0)?;
    if seconds > 0 {
        // A thread, and no timer of the loop: that would be a part of what is measured.
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(seconds));
            exit(0);
        });
    }
    Ok(())
}
