//! A program that ends with its `main`, whatever is alive.
#![expect(clippy::print_stdout, reason = "its output is what the test reads")]

use runtime::{Result, before_exit, exit, ms, next_tick, on_exit, set_interval, spawn, yield_now};

#[runtime::main(exit = "main")]
async fn main() -> Result {
    let way = std::env::args().nth(1).expect("a way out");
    on_exit(|code| println!("on_exit: {code}"));
    before_exit(|| println!("NEVER"));
    set_interval(ms(1_000_000), |_| println!("NEVER"));
    drop(spawn(std::future::pending::<()>()));
    next_tick(|| println!("tick"));
    yield_now().await;
    match way.as_str() {
        "ok" => Ok(()),
        "err" => Err("the error of main".into()),
        "panic" => panic!("the panic of main"),
        "exit" => exit(5),
        other => panic!("no such way out: {other}"),
    }
}
