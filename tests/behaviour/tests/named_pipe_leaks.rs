//! What Windows' named pipes leave behind, counted: alone in its process, since handles are the process's.
#![cfg(windows)]

use std::thread;

use behaviour::{Deadline, tell};
use runtime::Loop;
use runtime::net::{Pipe, PipeListener};

/// Handles that this process has.
#[allow(unsafe_code)]
fn handles() -> u32 {
    unsafe extern "system" {
        fn GetCurrentProcess() -> isize;
        fn GetProcessHandleCount(process: isize, count: *mut u32) -> i32;
    }
    let mut count = 0;
    // SAFETY: the system writes one number; the process is this one.
    assert_ne!(unsafe { GetProcessHandleCount(GetCurrentProcess(), &mut count) }, 0);
    count
}

async fn connect_and_close(server: &PipeListener, rounds: usize) {
    for _ in 0..rounds {
        let client = Pipe::connect(server.name().unwrap()).await.unwrap();
        let (accepted, _) = server.accept().await.unwrap();
        // Both wait for data when they are closed.
        accepted.read_start(|_, _| ());
        client.read_start(|_, _| ());
        client.close();
        accepted.close();
        let (ours, theirs) = std::io::pipe().unwrap();
        let reader = Pipe::from_std(ours).unwrap();
        reader.read_start(|_, _| ());
        reader.close();
        reader.closed().await.unwrap();
        drop(theirs);
    }
}

#[test]
fn pipes_that_are_closed_leave_no_handle_and_no_thread() {
    let (mut lp, _guard) = (Loop::new().unwrap(), Deadline::secs(120));
    lp.block_on(async {
        let name = format!(r"\\.\pipe\runtime-leaks-{}", std::process::id());
        let server = PipeListener::bind(name).unwrap();
        connect_and_close(&server, 10).await;
        let before = handles();
        connect_and_close(&server, 100).await;
        if before == 0 {
            return tell("Wine does not count handles: they are not compared");
        }
        // The last threads are on their way out: each has some handles, of which there were hundreds.
        while handles() > before + 20 {
            thread::yield_now();
        }
    });
}
