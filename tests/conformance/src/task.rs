//! Tasks: bodies that may suspend, run as tasks of the runtime.
//!
//! Where a task goes on is the runtime's doing: every suspension ends in a leaf future of the
//! runtime or in the wake of the task by a promise. Bodies in bodies are boxed futures and cost no
//! turn.

use crate::{
    machine::Scope,
    program::{Body, Start, Statement, Suspension},
    promise::Promise,
    thrown::{Completion, Thrown},
};
use std::{pin::Pin, time::Duration};

/// Starts `body` as a task; the promise is settled when it ends.
pub(crate) fn start(scope: &Scope, start: Start, body: &Body) -> Promise {
    let promise = scope.promise();
    let running = run(scope.clone(), body.clone());
    let task = {
        let promise = promise.clone();
        async move { promise.complete(running.await) }
    };
    // Nobody joins it: the promise is what the program waits for.
    drop(match start {
        Start::Sync => runtime::spawn_eager(task),
        Start::Queued => runtime::spawn(task),
    });
    promise
}

fn run(scope: Scope, body: Body) -> Pin<Box<dyn Future<Output = Completion>>> {
    Box::pin(async move {
        for statement in &*body {
            match statement {
                Statement::Suspend(suspension) => suspend(&scope, suspension).await?,
                Statement::Try { body, on_error, last } => {
                    let mut end = run(scope.clone(), body.clone()).await;
                    if let (Err(error), Some(on_error)) = (&end, on_error) {
                        end = run(scope.catching(error), on_error.clone()).await;
                    }
                    if let Some(last) = last {
                        run(scope.clone(), last.clone()).await?;
                    }
                    end?;
                }
                statement => scope.execute(statement)?,
            }
        }
        Ok(())
    })
}

async fn suspend(scope: &Scope, suspension: &Suspension) -> Completion {
    match suspension {
        Suspension::Turn => runtime::yield_microtask().await,
        Suspension::Yield => runtime::yield_now().await,
        Suspension::Await(promise) => scope.find_promise(promise)?.wait().await?,
        Suspension::Sleep { delay, signal: None } => runtime::time::sleep(*delay).await,
        Suspension::Sleep { delay, signal: Some(signal) } => {
            sleep_unless_aborted(scope, *delay, signal)?.wait().await?
        }
        Suspension::Pool { call, label } => {
            let promise = scope.promise();
            let settled = promise.clone();
            scope.start_pool_call(*call, label.clone(), move |_, result| {
                settled.complete(result);
                Ok(())
            });
            promise.wait().await?;
        }
    }
    Ok(())
}

/// A promise resolved by a timer, or rejected by the signal, whichever is first.
fn sleep_unless_aborted(scope: &Scope, delay: Duration, signal: &str) -> Result<Promise, Thrown> {
    let promise = scope.promise();
    let signal = scope.find_signal(signal)?;
    if signal.is_aborted() {
        promise.reject(Thrown::aborted());
        return Ok(promise);
    }
    let timer = runtime::set_timeout(delay, {
        let promise = promise.clone();
        move || promise.resolve()
    });
    signal.on_abort({
        let promise = promise.clone();
        move || {
            timer.clear();
            promise.reject(Thrown::aborted());
        }
    });
    Ok(promise)
}
