//! UDP sockets: datagrams that the system has no room for.
//!
//! Loopback always has room, so the tests run in children whose `sendto` is told otherwise by `strace`.

mod tcp_support;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::rc::Rc;

use behaviour::{Deadline, EventLog};
use runtime::net::{UdpSocket, Unsent};
use runtime::{ActiveKind, Cancelled, Closed, Loop, LoopGone, QueueFull, set_immediate, spawn};
use tcp_support::{assert_passed, child, child_argument};

fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    cfg!(target_os = "linux") && traced.is_ok_and(|output| output.status.success())
}

/// Runs `body` in a child in which the system calls of `faults` fail: `sendto:error=EAGAIN:when=1`,
/// say.
fn with_faults(name: &str, faults: &[&str], body: impl FnOnce(Loop, EventLog)) {
    if child_argument().is_some() {
        let _guard = Deadline::secs(20);
        return body(Loop::new().unwrap(), EventLog::new());
    }
    if !can_trace() {
        return behaviour::tell("skipped: there is no strace here, or it may not trace");
    }
    let faults: String = faults.iter().map(|fault| format!(" -e inject={fault}")).collect();
    let prefix = format!("exec strace -f -o /dev/null -e trace=sendto,sendmmsg{faults}");
    assert_passed(&child(&prefix, name, "yes"));
}

const FIRST_WAITS: &[&str] = &["sendto:error=EAGAIN:when=1"];
/// The same for many, which some systems take by a call for each.
const FIRST_OF_MANY_WAITS: &[&str] =
    &["sendto:error=EAGAIN:when=1", "sendmmsg:error=EAGAIN:when=1"];

fn ours() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Who gets what is sent. Its own system calls are not those of the faults.
fn peer() -> (std::net::UdpSocket, SocketAddr) {
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = peer.local_addr().unwrap();
    peer.set_nonblocking(true).unwrap();
    (peer, address)
}

fn received(peer: &std::net::UdpSocket) -> Vec<String> {
    let mut all = Vec::new();
    let mut buffer = [0; 64];
    while let Ok(len) = peer.recv(&mut buffer) {
        all.push(String::from_utf8_lossy(&buffer[..len]).into_owned());
    }
    all
}

fn outcome(log: &EventLog, name: &'static str) -> impl FnOnce(io::Result<usize>) + 'static {
    let log = log.clone();
    move |result| match result {
        Ok(sent) => log.push(format!("{name}: {sent}")),
        Err(error) if Cancelled::is_in(&error) => log.push(format!("{name}: cancelled")),
        Err(error) if QueueFull::is_in(&error) => log.push(format!("{name}: full")),
        Err(error) => log.push(format!("{name}: {:?}", error.kind())),
    }
}

fn is_queued_and_sent_in_order(lp: &mut Loop, log: &EventLog) {
    let _here = lp.enter();
    let ((client, _), (peer, address)) = (ours(), peer());
    client.send_to("one", address).callback(outcome(log, "one"));
    client.send_to("", address).callback(outcome(log, "empty"));
    client.send_to("three", address).callback(outcome(log, "three"));
    assert_eq!((client.send_queue_count(), client.send_queue_size()), (3, 8));
    assert!(client.is_active(), "as libuv's, while something is queued");
    let active = lp.active_resources();
    assert_eq!((active[1].kind(), active[1].count()), (ActiveKind::Send, 3));
    let refused = client.try_send_to(b"x", address).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock, "it would overtake");
    let refused = client.try_send_many_to(&[("x", address)]).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(received(&peer), [""; 0]);
    assert!(!lp.run().unwrap());
    log.expect(["one: 3", "empty: 0", "three: 5"]);
    assert_eq!(received(&peer), ["one", "", "three"]);
    assert_eq!((client.send_queue_count(), client.send_queue_size()), (0, 0));
    assert!(!client.is_active());
}

#[test]
fn what_the_system_does_not_take_is_queued_and_sent_in_order() {
    let name = "what_the_system_does_not_take_is_queued_and_sent_in_order";
    with_faults(name, FIRST_WAITS, |mut lp, log| is_queued_and_sent_in_order(&mut lp, &log));
}

#[test]
fn queued_datagrams_are_told_in_the_poll_phase() {
    let name = "queued_datagrams_are_told_in_the_poll_phase";
    with_faults(name, FIRST_WAITS, |mut lp, log| {
        let _here = lp.enter();
        let ((client, _), (_peer, address)) = (ours(), peer());
        client.send_to("queued", address).callback(outcome(&log, "queued"));
        set_immediate(log.mark("check"));
        lp.run().unwrap();
        log.expect(["queued: 6", "check"]);
    });
}

#[test]
fn a_full_queue_of_the_interface_is_waited_for_too() {
    let name = "a_full_queue_of_the_interface_is_waited_for_too";
    let faults = ["sendto:error=ENOBUFS:when=1", "sendmmsg:error=ENOBUFS:when=1..2"];
    with_faults(name, &faults, |mut lp, log| is_queued_and_sent_in_order(&mut lp, &log));
}

#[test]
fn a_task_waits_until_its_datagram_is_sent() {
    let name = "a_task_waits_until_its_datagram_is_sent";
    let faults = ["sendto:error=EAGAIN:when=1", "sendmmsg:error=EAGAIN:when=1..3"];
    with_faults(name, &faults, |mut lp, _| {
        let (peer, address) = peer();
        lp.block_on(async {
            let (client, _) = ours();
            client.connect(address).unwrap();
            assert_eq!(client.send("waits").await.unwrap(), 5);
            assert_eq!(client.send("does not").await.unwrap(), 8);
        });
        assert_eq!(received(&peer), ["waits", "does not"]);
    });
}

#[test]
fn a_queued_datagram_that_fails_leaves_the_others_alone() {
    let name = "a_queued_datagram_that_fails_leaves_the_others_alone";
    with_faults(name, FIRST_WAITS, |mut lp, log| {
        let _here = lp.enter();
        let ((client, _), (peer, address)) = (ours(), peer());
        client.send_to("one", address).callback(outcome(&log, "one"));
        let too_long = client.send_to(vec![0; 70_000], address);
        client.send_to("three", address).callback(outcome(&log, "three"));
        let error = Rc::new(RefCell::new(None));
        let kept = error.clone();
        too_long.callback(move |sent| *kept.borrow_mut() = sent.err());
        lp.run().unwrap();
        assert_eq!(error.take().unwrap().raw_os_error(), Some(90), "EMSGSIZE");
        log.expect(["one: 3", "three: 5"]);
        assert_eq!(received(&peer), ["one", "three"]);
    });
}

#[test]
fn a_long_queue_is_sent_in_order() {
    let name = "a_long_queue_is_sent_in_order";
    with_faults(name, FIRST_WAITS, |mut lp, _| {
        let _here = lp.enter();
        let ((client, _), (peer, address)) = (ours(), peer());
        let texts: Vec<_> = (0..100).map(|n| n.to_string()).collect();
        texts.iter().for_each(|text| drop(client.send_to(text, address)));
        assert_eq!(client.send_queue_count(), 100);
        lp.run().unwrap();
        assert_eq!(client.send_queue_count(), 0);
        assert_eq!(received(&peer), texts);
    });
}

#[test]
fn closing_cancels_what_is_queued_in_order() {
    let name = "closing_cancels_what_is_queued_in_order";
    with_faults(name, FIRST_WAITS, |mut lp, log| {
        let _here = lp.enter();
        let ((client, _), (peer, address)) = (ours(), peer());
        client.send_to("one", address).callback(outcome(&log, "one"));
        client.send_to("two", address).callback(outcome(&log, "two"));
        let task = spawn({
            let waits = client.send_to("three", address);
            async move { waits.await.unwrap_err() }
        });
        client.closed().callback({
            let log = log.clone();
            move |_| log.push("closed")
        });
        client.close();
        log.expect([]);
        lp.run().unwrap();
        log.expect(["one: cancelled", "two: cancelled", "closed"]);
        assert!(Cancelled::is_in(&lp.block_on(task).unwrap()));
        assert_eq!(received(&peer), [""; 0]);
    });
}

#[test]
fn the_queue_has_a_limit_and_the_socket_survives_it() {
    let name = "the_queue_has_a_limit_and_the_socket_survives_it";
    with_faults(name, FIRST_WAITS, |mut lp, log| {
        let _here = lp.enter();
        let ((client, _), (peer, address)) = (ours(), peer());
        client.set_send_limit(5);
        for name in ["one", "two", "three", "four"] {
            client.send_to(name, address).callback(outcome(&log, name));
        }
        assert_eq!(client.send_queue_count(), 2);
        lp.run().unwrap();
        log.expect(["three: full", "four: full", "one: 3", "two: 3"]);
        assert_eq!(received(&peer), ["one", "two"]);
        assert_eq!(lp.block_on(client.send_to("five", address)).unwrap(), 4);
    });
}

#[test]
fn what_is_queued_is_sent_though_the_last_owner_is_gone_or_unrefd() {
    let name = "what_is_queued_is_sent_though_the_last_owner_is_gone_or_unrefd";
    with_faults(name, &["sendto:error=EAGAIN:when=1..2"], |mut lp, _| {
        let _here = lp.enter();
        let (peer, address) = peer();
        for text in ["one", "two"] {
            let (client, _) = ours();
            client.unref();
            drop(client.send_to(text, address));
        }
        assert!(!lp.run().unwrap());
        // Of two sockets the system may report either first.
        let mut all = received(&peer);
        all.sort();
        assert_eq!(all, ["one", "two"]);
    });
}

#[test]
fn an_error_of_one_callback_keeps_the_other_answers() {
    let name = "an_error_of_one_callback_keeps_the_other_answers";
    with_faults(name, FIRST_WAITS, |mut lp, log| {
        let _here = lp.enter();
        let ((client, _), (_peer, address)) = (ours(), peer());
        client.send_to("one", address).callback(|_| -> runtime::Result { Err("thrown".into()) });
        client.send_to("two", address).callback(outcome(&log, "two"));
        assert!(lp.run().is_err());
        log.expect([]);
        lp.run().unwrap();
        log.expect(["two: 3"]);
    });
}

#[test]
fn a_loop_that_goes_tells_a_task_and_drops_callbacks() {
    let name = "a_loop_that_goes_tells_a_task_and_drops_callbacks";
    with_faults(name, FIRST_WAITS, |lp, log| {
        let (request, client) = {
            let _here = lp.enter();
            let ((client, _), (_peer, address)) = (ours(), peer());
            let request = client.send_to("one", address);
            client.send_to("two", address).callback(outcome(&log, "two"));
            (request, client)
        };
        drop(lp);
        let mut other = Loop::new().unwrap();
        assert!(LoopGone::is_in(&other.block_on(request).unwrap_err()));
        assert!(client.is_closing());
        log.expect([]);
    });
}

#[test]
fn many_that_the_system_does_not_take_are_one_request_in_its_place() {
    let name = "many_that_the_system_does_not_take_are_one_request_in_its_place";
    // 32 are taken, by one call or by 32, and then none.
    let faults = ["sendmmsg:error=EAGAIN:when=2..3", "sendto:error=EAGAIN:when=33..34"];
    with_faults(name, &faults, |mut lp, log| {
        let _here = lp.enter();
        let ((client, _), (peer, address)) = (ours(), peer());
        let texts: Vec<_> = (0..60).map(|n| n.to_string()).collect();
        let many: Vec<_> = texts.iter().map(|text| (text, address)).collect();
        client.send_many_to(&many).callback(outcome(&log, "many"));
        assert_eq!((client.send_queue_count(), received(&peer).len()), (28, 32));
        client.send_to("behind", address).callback(outcome(&log, "behind"));
        client.send_many_to(&[("x", address), ("y", address)]).callback(outcome(&log, "two"));
        let active = lp.active_resources();
        assert_eq!((active[1].kind(), active[1].count()), (ActiveKind::Send, 3));
        set_immediate(log.mark("check"));
        lp.run().unwrap();
        log.expect(["many: 60", "behind: 6", "two: 2", "check"]);
        assert_eq!(
            received(&peer),
            [&texts[32..], &["behind", "x", "y"].map(String::from)].concat()
        );
        assert_eq!((client.send_queue_count(), client.send_queue_size()), (0, 0));
        assert!(!client.is_active());
    });
}

#[test]
fn a_task_waits_until_all_of_many_are_sent() {
    let name = "a_task_waits_until_all_of_many_are_sent";
    let faults = ["sendmmsg:error=EAGAIN:when=1..3", "sendto:error=EAGAIN:when=1..3"];
    with_faults(name, &faults, |mut lp, _| {
        let (peer, address) = peer();
        lp.block_on(async {
            let (client, _) = ours();
            client.connect(address).unwrap();
            assert_eq!(client.send_many(&["one", "two"]).await.unwrap(), 2);
            assert_eq!(received(&peer), ["one", "two"]);
        });
    });
}

#[test]
fn of_many_those_that_fail_before_and_after_they_were_queued_are_named() {
    let name = "of_many_those_that_fail_before_and_after_they_were_queued_are_named";
    // 0 is sent, 1 fails, 2 is refused: it is queued, and those behind it.
    let faults = ["sendmmsg:error=EAGAIN:when=3", "sendto:error=EAGAIN:when=4"];
    with_faults(name, &faults, |mut lp, _| {
        let _here = lp.enter();
        let ((client, _), (peer, address)) = (ours(), peer());
        let too_long = "x".repeat(70_000);
        let texts = ["0", &too_long, "2", &too_long, "4", "5", "6"];
        client.set_send_limit(70_001);
        let request = client.send_many_to(&texts.map(|text| (text, address)));
        assert_eq!(client.send_queue_count(), 3, "the limit is passed by the last of them");
        let error = lp.block_on(request).unwrap_err();
        let errors = Unsent::of(&error).unwrap().errors();
        let places: Vec<_> = errors.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [1, 3, 5, 6]);
        assert!(errors[2..].iter().all(|(_, error)| QueueFull::is_in(error)));
        assert_eq!(errors[1].1.raw_os_error(), Some(90), "EMSGSIZE");
        assert_eq!(received(&peer), ["0", "2", "4"]);
        client.set_send_limit(0);
        assert_eq!(lp.block_on(client.send_many_to(&[("7", address), ("8", address)])).unwrap(), 2);
    });
}

#[test]
fn closing_cancels_a_request_for_many_once() {
    let name = "closing_cancels_a_request_for_many_once";
    with_faults(name, FIRST_OF_MANY_WAITS, |mut lp, log| {
        let _here = lp.enter();
        let ((client, _), (peer, address)) = (ours(), peer());
        client.send_many_to(&[("a", address), ("b", address)]).callback(outcome(&log, "many"));
        client.send_to("c", address).callback(outcome(&log, "one"));
        client.close();
        lp.run().unwrap();
        log.expect(["many: cancelled", "one: cancelled"]);
        assert_eq!(received(&peer), [""; 0]);
    });
}

#[test]
fn many_that_are_queued_are_sent_though_nobody_wants_the_result_or_the_socket() {
    let name = "many_that_are_queued_are_sent_though_nobody_wants_the_result_or_the_socket";
    with_faults(name, FIRST_OF_MANY_WAITS, |mut lp, _| {
        let _here = lp.enter();
        let (peer, address) = peer();
        drop(ours().0.send_many_to(&[("a", address), ("b", address)]));
        lp.run().unwrap();
        assert_eq!(received(&peer), ["a", "b"]);
    });
}

#[test]
fn bytes_that_close_the_socket_while_they_are_asked_for_are_an_error() {
    struct Closes<'a>(&'a UdpSocket);
    impl AsRef<[u8]> for Closes<'_> {
        fn as_ref(&self) -> &[u8] {
            self.0.close();
            b"x"
        }
    }
    let name = "bytes_that_close_the_socket_while_they_are_asked_for_are_an_error";
    with_faults(name, &["sendto:error=EAGAIN:when=1"], |mut lp, _| {
        let _here = lp.enter();
        let ((client, _), (queues, _), (_peer, address)) = (ours(), ours(), peer());
        for socket in [client, queues] {
            let request = socket.send_many_to(&[(Closes(&socket), address)]);
            let error = lp.block_on(request).unwrap_err();
            assert!(Closed::is_in(&error), "{error}");
        }
    });
}
