//! The order.
use runtime::{fs, ms, next_tick, queue_microtask, set_immediate, set_timeout, spawn};

#[runtime::main]
fn main() {
    set_timeout(ms(0), || println!("5 timeout (or 6: Node has this race too)"));
    set_immediate(|| println!("6 immediate"));
    queue_microtask(|| println!("3 microtask"));
    drop(spawn(async { println!("4 task") }));
    next_tick(|| println!("2 tick"));
    println!("1 main");
    fs::read("Cargo.toml").callback(|_| {
        set_timeout(ms(0), || println!("10 timeout"));
        set_immediate(|| println!("9 immediate, here always before the timeout"));
        next_tick(|| println!("8 tick"));
        println!("7 file");
    });
}
