//! Each way to wait in `sync`, `JoinSet` and `time::interval`, as a callback and as a future: both are told the
//! same.

mod loop_support;

use std::collections::VecDeque;

use behaviour::EventLog;
use futures_lite::StreamExt;
use loop_support::manual;
use runtime::sync::{AbortController, Notify, Semaphore, mpsc, oneshot, watch};
use runtime::time::{Instant, interval_at};
use runtime::{JoinSet, ms, set_interval, set_timeout, spawn};

/// Begins to wait, and gives what brings about the values, one each time: of which the last may be the end.
type Face = fn(&EventLog) -> Box<dyn FnMut(u32)>;

/// A name, the callback, the future, how often there is something to be told.
const PAIRS: &[(&str, Face, Face, u32)] = &[
    ("oneshot::Receiver", oneshot_callback, oneshot_future, 1),
    ("mpsc::Receiver", mpsc_callback, mpsc_future, 3),
    ("mpsc::Receiver as a stream", mpsc_callback, mpsc_stream, 3),
    ("mpsc::Sender", send_callback, send_future, 1),
    ("watch::Receiver", watch_callback, watch_future, 3),
    ("watch::Receiver as a stream", watch_callback, watch_stream, 3),
    ("Notify", notify_callback, notify_future, 1),
    ("Semaphore", semaphore_callback, semaphore_future, 1),
    ("AbortSignal", abort_callback, abort_future, 1),
    ("JoinSet", join_callback, join_future, 4),
    ("JoinSet as a stream", join_callback, join_stream, 4),
    ("interval", interval_callback, interval_future, 3),
];

fn told(face: Face, times: u32) -> Vec<String> {
    let (mut lp, clock, log, _guards) = manual();
    let mut bring_about = face(&log);
    let mut all = Vec::new();
    for n in 1..=times {
        lp.run_nowait().unwrap();
        log.expect([]);
        bring_about(n);
        log.expect([]); // never inside the call, but for abort listeners
        clock.advance(ms(10));
        lp.run_nowait().unwrap();
        all.extend(log.take());
    }
    all
}

#[test]
fn both_faces_are_told_the_same() {
    for (name, callback, future, times) in PAIRS {
        let (by_callback, by_future) = (told(*callback, *times), told(*future, *times));
        assert_eq!(by_callback, by_future, "{name}");
        assert_eq!(by_callback.len(), *times as usize, "{name}: {by_callback:?}");
    }
}

/// A callback that notes what it is told.
fn noting<T: std::fmt::Debug>(log: &EventLog) -> impl FnMut(T) + 'static + use<T> {
    let log = log.clone();
    move |told| log.push(format!("{told:?}"))
}

/// Notes what `next` gives until that is the end.
async fn note_all<T: std::fmt::Debug>(log: EventLog, mut next: impl AsyncFnMut() -> Option<T>) {
    loop {
        let told = next().await;
        log.push(format!("{told:?}"));
        if told.is_none() {
            return;
        }
    }
}

/// Uses `end` each time, and drops it the third time.
fn thrice<T: 'static>(end: T, mut with: impl FnMut(&T, u32) + 'static) -> Box<dyn FnMut(u32)> {
    let mut end = Some(end);
    Box::new(move |n| match n {
        3 => drop(end.take()),
        n => with(end.as_ref().expect("used twice"), n),
    })
}

fn once(f: impl FnOnce() + 'static) -> Box<dyn FnMut(u32)> {
    let mut f = Some(f);
    Box::new(move |_| f.take().expect("used once")())
}

fn oneshot_callback(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let (sender, receiver) = oneshot::channel();
    receiver.callback(noting(log));
    once(move || sender.send(1).unwrap())
}

fn oneshot_future(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let (sender, receiver) = oneshot::channel();
    let mut note = noting(log);
    drop(spawn(async move { note(receiver.await) }));
    once(move || sender.send(1).unwrap())
}

fn sending(sender: mpsc::Sender<u32>) -> Box<dyn FnMut(u32)> {
    thrice(sender, |sender, n| sender.try_send(n).unwrap())
}

fn mpsc_callback(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let (sender, receiver) = mpsc::channel(4);
    receiver.recv_start(noting(log));
    sending(sender)
}

fn mpsc_future(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let (sender, mut receiver) = mpsc::channel(4);
    drop(spawn(note_all(log.clone(), async move || receiver.recv().await)));
    sending(sender)
}

fn mpsc_stream(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let (sender, mut receiver) = mpsc::channel(4);
    drop(spawn(note_all(log.clone(), async move || receiver.next().await)));
    sending(sender)
}

/// A sender into a channel that is full, and what makes room.
fn full() -> (mpsc::Sender<u32>, Box<dyn FnMut(u32)>) {
    let (sender, mut receiver) = mpsc::channel(1);
    sender.try_send(0).unwrap();
    (sender, Box::new(move |_| assert_eq!(receiver.try_recv(), Ok(0))))
}

fn send_callback(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let (sender, make_room) = full();
    sender.send(1).callback(noting(log));
    make_room
}

fn send_future(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let (sender, make_room) = full();
    let (mut note, sent) = (noting(log), sender.send(1));
    drop(spawn(async move { note(sent.await) }));
    make_room
}

fn changing(sender: watch::Sender<u32>) -> Box<dyn FnMut(u32)> {
    thrice(sender, |sender, n| sender.send(n).unwrap())
}

fn watch_callback(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let (sender, receiver) = watch::channel(0);
    receiver.recv_start(noting(log));
    changing(sender)
}

fn watch_future(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let (sender, mut receiver) = watch::channel(0);
    drop(spawn(note_all(log.clone(), async move || receiver.recv().await)));
    changing(sender)
}

fn watch_stream(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let (sender, receiver) = watch::channel(0);
    let mut values = receiver.into_stream();
    drop(spawn(note_all(log.clone(), async move || values.next().await)));
    changing(sender)
}

fn notify_callback(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let notify = Notify::new();
    notify.notified().callback(noting(log));
    once(move || notify.notify_one())
}

fn notify_future(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let notify = Notify::new();
    let (mut note, notified) = (noting(log), notify.notified());
    drop(spawn(async move {
        notified.await;
        note(());
    }));
    once(move || notify.notify_one())
}

fn semaphore_callback(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let semaphore = Semaphore::new(0);
    let mut note = noting(log);
    semaphore.acquire().callback(move |permit| note(permit.num_permits()));
    once(move || semaphore.add_permits(1))
}

fn semaphore_future(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let semaphore = Semaphore::new(0);
    let (mut note, acquired) = (noting(log), semaphore.acquire());
    drop(spawn(async move { note(acquired.await.num_permits()) }));
    once(move || semaphore.add_permits(1))
}

/// From a timer: this one calls back inside of the call.
fn aborting(controller: AbortController) -> Box<dyn FnMut(u32)> {
    once(move || {
        set_timeout(ms(1), move || controller.abort());
    })
}

fn abort_callback(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let controller = AbortController::new();
    let mut note = noting(log);
    controller.signal().on_abort(move || note(()));
    aborting(controller)
}

fn abort_future(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let controller = AbortController::new();
    let (mut note, signal) = (noting(log), controller.signal());
    drop(spawn(async move {
        signal.aborted().await;
        note(());
    }));
    aborting(controller)
}

/// A set of three tasks, which end one by one, and what ends them; the end of the set is told behind the last.
fn set_of_three() -> (JoinSet<u32>, Box<dyn FnMut(u32)>) {
    let (set, mut ends) = (JoinSet::new(), VecDeque::new());
    for n in 1..=3 {
        let (end, ended) = oneshot::channel();
        ends.push_back(end);
        set.spawn(async move { ended.await.map_or(0, |()| n) });
    }
    (set, Box::new(move |_| ends.pop_front().into_iter().for_each(|end| end.send(()).unwrap())))
}

fn join_callback(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let (set, bring_about) = set_of_three();
    let mut note = noting(log);
    set.join_start(move |_, joined| note(joined));
    bring_about
}

fn join_future(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let (set, bring_about) = set_of_three();
    drop(spawn(note_all(log.clone(), async move || set.join_next().await)));
    bring_about
}

fn join_stream(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let (mut set, bring_about) = set_of_three();
    drop(spawn(note_all(log.clone(), async move || set.next().await)));
    bring_about
}

fn interval_callback(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let mut note = noting(log);
    set_interval(ms(10), move |_| note("tick"));
    Box::new(|_| ())
}

fn interval_future(log: &EventLog) -> Box<dyn FnMut(u32)> {
    let mut note = noting(log);
    drop(spawn(async move {
        let mut ticks = interval_at(Instant::now() + ms(10), ms(10));
        loop {
            ticks.tick().await;
            note("tick");
        }
    }));
    Box::new(|_| ())
}
