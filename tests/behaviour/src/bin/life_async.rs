//! A program with an async `main`, whose way out is named by its argument.
#![expect(clippy::print_stdout, reason = "its output is what the test reads")]

use std::future::{pending, poll_fn};
use std::process::ExitCode;
use std::task::Poll;

use runtime::time::sleep;
use runtime::{
    Result, before_exit, exit, ms, next_tick, on_exit, on_uncaught, set_immediate, set_timeout,
    spawn, yield_now,
};

#[runtime::main]
async fn main() -> Result<ExitCode> {
    let way = std::env::args().nth(1).expect("a way out");
    on_exit(|code| println!("on_exit: {code}"));
    before_exit(|| println!("before_exit"));
    match way.as_str() {
        "ok" => {
            set_timeout(ms(1), || println!("timer"));
            sleep(ms(1)).await;
            set_timeout(ms(1), || println!("after main"));
        }
        "code" => {
            yield_now().await;
            return Ok(ExitCode::from(42));
        }
        "err" => {
            yield_now().await;
            set_immediate(|| println!("NEVER"));
            return Err("the error of main".into());
        }
        "err_handled" => {
            on_uncaught(|error| println!("uncaught: {error}"));
            yield_now().await;
            next_tick(|| println!("tick"));
            return Err("the error of main".into());
        }
        "panic" => {
            yield_now().await;
            set_immediate(|| println!("NEVER"));
            panic!("the panic of main");
        }
        "exit" => {
            yield_now().await;
            next_tick(|| println!("NEVER"));
            exit(3);
        }
        "unsettled" => pending().await,
        "unsettled_later" => {
            sleep(ms(1)).await;
            yield_now().await;
            pending().await
        }
        "unsettled_cleared" => {
            set_immediate(|| println!("NEVER")).clear();
            set_timeout(ms(1_000_000), || println!("NEVER")).clear();
            assert!(!is_ready_at_once(yield_now()).await);
            pending().await
        }
        "unsettled_unref" => {
            set_immediate(|| println!("NEVER")).unref();
            pending().await
        }
        "unsettled_closed" => {
            let handle = runtime::handle::Timer::new();
            handle.closed().await?;
        }
        "woken_by_a_thread" => {
            let mut is_started = false;
            let (done, is_done) = std::sync::mpsc::channel();
            poll_fn(|cx| {
                if !std::mem::replace(&mut is_started, true) {
                    let (waker, done) = (cx.waker().clone(), done.clone());
                    std::thread::spawn(move || {
                        done.send(()).ok();
                        waker.wake();
                    });
                }
                if is_done.try_recv().is_ok() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            println!("woken");
        }
        "task_woken_by_a_thread" => {
            let mut is_started = false;
            let (done, is_done) = std::sync::mpsc::channel();
            let task = spawn(poll_fn(move |cx| {
                if !std::mem::replace(&mut is_started, true) {
                    let (waker, done) = (cx.waker().clone(), done.clone());
                    std::thread::spawn(move || {
                        done.send(()).ok();
                        waker.wake();
                    });
                }
                if is_done.try_recv().is_ok() { Poll::Ready(()) } else { Poll::Pending }
            }));
            task.await?;
            println!("woken");
        }
        other => panic!("no such way out: {other}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Polls once, and drops the future.
async fn is_ready_at_once(future: impl Future<Output = ()>) -> bool {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}
