//! Names and addresses, by the system's resolver, without a network: `localhost`, addresses, and names
//! that no resolver asks a server for, since a part of them is too long.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use behaviour::{Deadline, EventLog, tell};
use runtime::dns::{self, Family, LookupError, LookupErrorKind, Order, SocketType};
use runtime::net::TcpStream;
use runtime::sync::AbortController;
use runtime::{
    Aborted, ActiveKind, Cancelled, JoinHandle, Loop, LoopGone, fs, next_tick, queue_microtask,
    set_immediate, set_timeout, spawn_blocking, time,
};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A loop with a pool of its own.
fn start(threads: usize) -> (Loop, EventLog, Deadline) {
    let lp = Loop::builder().pool_threads(threads).build().unwrap();
    (lp, EventLog::new(), Deadline::secs(60))
}

/// A name that every resolver refuses by itself.
fn unknown() -> String {
    format!("{}.invalid", "a".repeat(70))
}

/// A job that holds a thread until the sender is dropped.
fn block_a_thread() -> (Sender<()>, JoinHandle<()>) {
    let (go, may_go) = mpsc::channel::<()>();
    let (started, has_started) = mpsc::channel();
    let job = spawn_blocking(move || {
        started.send(()).unwrap();
        may_go.recv().ok();
    });
    has_started.recv().unwrap();
    (go, job)
}

/// Waits until the only thread of the pool has begun all that was submitted before.
fn wait_for_all_before() {
    let (done, is_done) = mpsc::channel();
    drop(spawn_blocking(move || done.send(()).unwrap()));
    is_done.recv().unwrap();
}

fn why(error: &io::Error) -> &LookupError {
    LookupError::of(error).unwrap_or_else(|| panic!("{error:?} is none of the resolver"))
}

// --- names to addresses ---

#[test]
fn a_name_is_looked_up_by_await_and_by_callback() {
    let (mut lp, log, _guard) = start(2);
    let _here = lp.enter();
    let awaited = lp.block_on(dns::lookup("localhost")).unwrap();
    assert!(!awaited.is_empty() && awaited.iter().all(|ip| ip.is_loopback()), "{awaited:?}");
    let note = log.clone();
    dns::lookup(String::from("localhost")).callback(move |found| {
        assert_eq!(found.unwrap(), awaited);
        note.push("told");
    });
    log.expect([]);
    assert!(lp.is_alive());
    assert!(!lp.run().unwrap());
    log.expect(["told"]);
}

#[test]
fn a_lookup_comes_in_poll_with_a_checkpoint_after_it() {
    let (mut lp, log, _guard) = start(1);
    let _here = lp.enter();
    for name in ["one", "two"] {
        let log = log.clone();
        dns::lookup("localhost").callback(move |_| {
            log.push(name);
            set_timeout(runtime::ms(0), log.mark("timer"));
            set_immediate(log.mark("check"));
            queue_microtask(log.mark("microtask"));
            next_tick(log.mark("tick"));
        });
    }
    wait_for_all_before();
    wait_for_all_before();
    lp.run().unwrap();
    let told = log.take();
    assert_eq!(told[..3], ["one", "tick", "microtask"]);
    let at = |event: &str| told.iter().position(|told| told == event).unwrap();
    assert!(at("check") < at("timer"), "{told:?}");
    assert_eq!(told.len(), 10);
}

#[test]
fn an_address_is_its_own_answer_at_once_and_in_pending() {
    let (mut lp, log, _guard) = start(1);
    let _here = lp.enter();
    // The pool has nobody to ask.
    let (go, job) = block_a_thread();
    set_immediate(log.mark("check"));
    for host in ["127.0.0.1", "::1"] {
        let log = log.clone();
        dns::lookup(host).callback(move |found| log.push(format!("{:?}", found.unwrap())));
    }
    next_tick(log.mark("tick"));
    log.expect([]);
    lp.run_nowait().unwrap();
    log.expect(["tick", "[127.0.0.1]", "[::1]", "check"]);
    assert_eq!(lp.block_on(dns::lookup("0.0.0.0")).unwrap(), [Ipv4Addr::UNSPECIFIED]);
    let v4 = dns::options().family(Family::V4).lookup("127.0.0.1");
    assert_eq!(lp.block_on(v4).unwrap(), [V4]);
    let found = lp.block_on(dns::lookup_addrs("::1", "80")).unwrap();
    assert_eq!(found, [SocketAddr::from((V6, 80))]);
    drop(go);
    lp.block_on(job).unwrap();
}

#[test]
fn an_address_of_one_link_keeps_the_link_in_a_socket_address() {
    let (mut lp, _, _guard) = start(1);
    let _here = lp.enter();
    let ip: Ipv6Addr = "fe80::1".parse().unwrap();
    assert_eq!(lp.block_on(dns::lookup("fe80::1%7")).unwrap(), [ip]);
    let found = lp.block_on(dns::lookup_addrs("fe80::1%7", "80")).unwrap();
    assert_eq!(found, [SocketAddr::from(SocketAddrV6::new(ip, 80, 0, 7))]);
    if cfg!(target_os = "linux") {
        let found = lp.block_on(dns::lookup_addrs("fe80::1%lo", "80")).unwrap();
        assert_eq!(found, [SocketAddr::from(SocketAddrV6::new(ip, 80, 0, 1))]);
        // The name of a service is for the resolver, which finds the same link.
        if let Ok(found) = lp.block_on(dns::lookup_addrs("fe80::1%lo", "http")) {
            assert_eq!(found, [SocketAddr::from(SocketAddrV6::new(ip, 80, 0, 1))]);
        }
        let error = lp.block_on(dns::lookup("fe80::1%no-such-link")).unwrap_err();
        assert_eq!(why(&error).asked(), "fe80::1%no-such-link");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_only_the_resolver_takes_for_an_address_goes_to_it() {
    let (mut lp, log, _guard) = start(1);
    let _here = lp.enter();
    let (go, job) = block_a_thread();
    let note = log.clone();
    dns::lookup("127.1").callback(move |found| note.push(format!("{:?}", found.unwrap())));
    lp.run_nowait().unwrap();
    log.expect([]);
    drop(go);
    lp.block_on(job).unwrap();
    lp.run().unwrap();
    log.expect(["[127.0.0.1]"]);
}

#[test]
fn one_family_can_be_asked_for() {
    let (mut lp, _, _guard) = start(2);
    let _here = lp.enter();
    let v4 = lp.block_on(dns::options().family(Family::V4).lookup("localhost")).unwrap();
    assert_eq!(v4, [V4]);
    let v6 = dns::options().family(Family::V6);
    match lp.block_on(v6.lookup("localhost")) {
        Ok(found) => assert_eq!(found, [V6]),
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
    }
    let error = lp.block_on(v6.lookup("127.0.0.1")).unwrap_err();
    assert_eq!((error.kind(), why(&error).asked()), (ErrorKind::NotFound, "127.0.0.1"));
}

#[cfg(target_os = "linux")]
#[test]
fn addresses_of_one_family_can_be_mapped_to_the_other() {
    let (mut lp, _, _guard) = start(2);
    let _here = lp.enter();
    let mapped: IpAddr = Ipv4Addr::LOCALHOST.to_ipv6_mapped().into();
    let options = dns::options().family(Family::V6).v4mapped(true);
    assert_eq!(lp.block_on(options.lookup("127.0.0.1")).unwrap(), [mapped]);
    assert_eq!(lp.block_on(options.lookup("::1")).unwrap(), [V6]);
    let all = lp.block_on(options.all(true).lookup("localhost")).unwrap();
    assert!(all.contains(&mapped) && all.iter().all(IpAddr::is_ipv6), "{all:?}");
    // Whatever this machine has, it can be said.
    drop(lp.block_on(dns::options().addrconfig(true).lookup("localhost")));
}

#[test]
fn families_are_sorted_as_asked_for() {
    let (mut lp, _, _guard) = start(2);
    let _here = lp.enter();
    let mut sorted = |order| {
        let found = lp.block_on(dns::options().order(order).lookup("localhost")).unwrap();
        found.iter().map(IpAddr::is_ipv4).collect::<Vec<_>>()
    };
    let (first_v4, first_v6) = (sorted(Order::Ipv4First), sorted(Order::Ipv6First));
    assert!(first_v4.is_sorted_by(|one, other| one >= other), "{first_v4:?}");
    assert!(first_v6.is_sorted(), "{first_v6:?}");
}

#[test]
fn no_address_comes_twice() {
    let (mut lp, _, _guard) = start(2);
    let _here = lp.enter();
    for host in ["localhost", "127.0.0.1", "::1"] {
        let found = lp.block_on(dns::lookup(host)).unwrap();
        let mut once = found.clone();
        once.sort();
        once.dedup();
        assert_eq!(found.len(), once.len(), "{found:?}");
    }
}

// --- services ---

#[test]
fn a_service_is_a_port_or_a_name() {
    let (mut lp, _, _guard) = start(2);
    let _here = lp.enter();
    let at = |port: u16| [SocketAddr::from((V4, port))];
    let v4 = dns::options().family(Family::V4);
    assert_eq!(lp.block_on(v4.lookup_addrs("localhost", "65535")).unwrap(), at(65535));
    assert_eq!(lp.block_on(v4.lookup_addrs("localhost", "0")).unwrap(), at(0));
    let error = lp.block_on(dns::lookup_addrs("127.0.0.1", "no-such-service")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(why(&error).asked(), "127.0.0.1:no-such-service");
    for service in ["65536", "", "a b", "80\0"] {
        let error = lp.block_on(dns::lookup_addrs("127.0.0.1", service)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&format!("{service:?}")), "{error}");
    }
    match lp.block_on(dns::lookup_addrs("127.0.0.1", "http")) {
        Ok(found) => assert_eq!(found, at(80)),
        Err(_) => return tell("skipped in part: no services are known here"),
    }
    // A service of UDP alone.
    let datagram = dns::options().socket_type(SocketType::Datagram);
    assert_eq!(lp.block_on(datagram.lookup_addrs("127.0.0.1", "tftp")).unwrap(), at(69));
    if cfg!(target_os = "linux") {
        let error = lp.block_on(dns::lookup_addrs("127.0.0.1", "tftp")).unwrap_err();
        assert_eq!(why(&error).kind(), LookupErrorKind::Service);
    }
}

// --- addresses to names ---

#[test]
fn an_address_and_its_service_have_names() {
    let (mut lp, log, _guard) = start(2);
    let _here = lp.enter();
    match lp.block_on(dns::reverse(Ipv4Addr::LOCALHOST)) {
        Ok(name) => assert!(!name.is_empty() && name.parse::<IpAddr>().is_err(), "{name}"),
        Err(error) => assert_eq!(why(&error).asked(), "127.0.0.1"),
    }
    let host = dns::name_options().numeric_host(true);
    let note = log.clone();
    host.lookup_service(([127, 0, 0, 1], 80)).callback(move |names| {
        let (host, service) = names.unwrap();
        assert!(service == "http" || service == "80", "{service}");
        note.push(host);
    });
    lp.run().unwrap();
    log.expect(["127.0.0.1"]);
    let both = host.numeric_service(true);
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 443));
    let (host, service) = lp.block_on(both.lookup_service(v6)).unwrap();
    assert_eq!((host.as_str(), service.as_str()), ("::1", "443"));
    let (host, service) = lp.block_on(dns::lookup_service(([127, 0, 0, 1], 0))).unwrap();
    assert!(!host.is_empty() && service == "0", "{host} {service}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_port_has_a_name_for_each_type_of_socket() {
    let (mut lp, _, _guard) = start(2);
    let _here = lp.enter();
    let datagram = dns::options().socket_type(SocketType::Datagram);
    if lp.block_on(datagram.lookup_addrs("127.0.0.1", "tftp")).is_err() {
        return tell("skipped: no services are known here");
    }
    let stream = dns::name_options().numeric_host(true);
    let mut service = |options: dns::NameOptions| {
        lp.block_on(options.lookup_service(([127, 0, 0, 1], 69))).unwrap().1
    };
    assert_eq!(service(stream.socket_type(SocketType::Datagram)), "tftp");
    assert_eq!(service(stream), "69");
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_required_and_missing_is_an_error_with_the_address() {
    let (mut lp, _, _guard) = start(2);
    let _here = lp.enter();
    // Without a server to ask: names are required, and numbers are asked for.
    let options = dns::name_options().numeric_host(true).name_required(true);
    let error = lp.block_on(options.lookup_service(([127, 0, 0, 1], 80))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(
        (why(&error).kind(), why(&error).asked()),
        (LookupErrorKind::NoName, "127.0.0.1:80")
    );
}

// --- errors ---

#[test]
fn a_name_that_nobody_knows_is_in_the_error_with_the_resolvers_words() {
    let (mut lp, log, _guard) = start(2);
    let _here = lp.enter();
    let error = lp.block_on(dns::lookup(unknown())).unwrap_err();
    let inner = why(&error);
    assert_eq!(inner.asked(), unknown());
    assert_ne!(inner.code(), 0);
    let start = format!("cannot resolve {:?}: ", unknown());
    assert!(error.to_string().starts_with(&start), "{error}");
    if cfg!(target_os = "linux") {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!((inner.kind(), inner.code()), (LookupErrorKind::NoName, -2));
        assert_eq!(inner.kind().to_string(), "EAI_NONAME");
    }
    if cfg!(target_env = "gnu") && cfg!(target_os = "linux") {
        assert_eq!(error.to_string(), start + "Name or service not known");
    }
    let note = log.clone();
    dns::lookup(unknown()).callback(move |found| note.push(found.unwrap_err().kind()));
    lp.run().unwrap();
    log.expect([&error.kind().to_string()]);
}

#[test]
fn a_connect_has_the_resolvers_error_too() {
    let (mut lp, _, _guard) = start(2);
    let _here = lp.enter();
    let error = lp.block_on(TcpStream::connect((unknown(), 80))).unwrap_err();
    assert_eq!(why(&error).asked(), format!("{}:80", unknown()));
    // Also where others have wrapped it.
    let wrapped = io::Error::other(io::Error::other(error));
    assert_eq!(why(&wrapped).asked(), format!("{}:80", unknown()));
    assert!(LookupError::of(&ErrorKind::NotFound.into()).is_none());
    assert!(LookupError::of(&io::Error::from_raw_os_error(2)).is_none());
    assert!(LookupError::of(&io::Error::other("text")).is_none());
}

#[test]
fn what_can_be_no_name_is_refused_at_once_and_named() {
    let (mut lp, log, _guard) = start(1);
    let _here = lp.enter();
    let (go, job) = block_a_thread();
    for host in ["", ".", "a\0b", "a b", "a..b", ".a", "[::1]", "a:80", "http://a/", "127.0.0.1 "] {
        let error = lp.block_on(dns::lookup(host)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with(&format!("{host:?} is no host name: ")), "{error}");
        assert!(LookupError::of(&error).is_none());
        let note = log.clone();
        dns::lookup_addrs(host, "80").callback(move |found| note.push(found.unwrap_err().kind()));
        set_immediate(log.mark("check"));
        log.expect([]);
        lp.run_nowait().unwrap();
        log.expect([&ErrorKind::InvalidInput.to_string(), "check"]);
    }
    let long = "a.".repeat(150);
    let error = lp.block_on(dns::lookup(&long)).unwrap_err();
    assert!(error.to_string().contains("299 bytes are more than 253"), "{error}");
    drop(go);
    lp.block_on(job).unwrap();
}

#[test]
fn other_scripts_are_left_to_the_system() {
    let (mut lp, _, _guard) = start(2);
    let _here = lp.enter();
    // Too long a part, in whatever encoding: nobody is asked.
    let name = format!("{}.invalid", "\u{fc}".repeat(70));
    let error = lp.block_on(dns::lookup(&name)).unwrap_err();
    assert_eq!(why(&error).asked(), name);
}

#[test]
fn without_a_loop_every_lookup_panics_and_names_the_remedy() {
    let (v4, address) = (Ipv4Addr::LOCALHOST, SocketAddr::from((V4, 80)));
    let calls: [fn(IpAddr, SocketAddr); 5] = [
        |_, _| drop(dns::lookup("localhost")),
        |_, _| drop(dns::lookup("127.0.0.1")),
        |_, _| drop(dns::lookup_addrs("a b", "80")),
        |ip, _| drop(dns::reverse(ip)),
        |_, address| drop(dns::lookup_service(address)),
    ];
    for call in calls {
        let panic = catch_unwind(AssertUnwindSafe(|| call(v4.into(), address))).unwrap_err();
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
        assert!(text.unwrap().contains("enter"));
    }
}

// --- cancelling, the end of the loop ---

#[test]
fn a_lookup_that_waits_can_be_cancelled_by_itself_and_by_its_id() {
    let (mut lp, log, _guard) = start(1);
    let _here = lp.enter();
    let (go, job) = block_a_thread();
    let note = log.clone();
    let id = dns::lookup("localhost").callback(move |found| {
        let error = found.unwrap_err();
        assert!(Cancelled::is_in(&error) && error.kind() != ErrorKind::Interrupted);
        note.push("callback");
    });
    assert!(id.cancel() && !id.cancel());
    log.expect([]);
    let request = dns::reverse(V4);
    assert!(request.cancel() && !request.cancel());
    assert!(Cancelled::is_in(&lp.block_on(request).unwrap_err()));
    let controller = AbortController::new();
    let lookup = dns::lookup_addrs("localhost", "80").abort_on(&controller.signal());
    controller.abort();
    assert!(Aborted::is_in(&lp.block_on(lookup).unwrap_err()));
    drop(go);
    lp.block_on(job).unwrap();
    lp.run().unwrap();
    log.expect(["callback"]);
}

#[test]
fn what_is_done_can_not_be_cancelled() {
    let (mut lp, _, _guard) = start(1);
    let _here = lp.enter();
    let literal = dns::lookup("127.0.0.1");
    assert!(!literal.cancel() && !literal.id().cancel());
    assert!(lp.block_on(literal).is_ok());
    let id = dns::lookup("localhost").callback(|found| assert!(found.is_ok()));
    lp.run().unwrap();
    assert!(!id.cancel());
}

#[test]
fn a_lookup_that_is_cancelled_when_its_answer_is_on_the_way_is_cancelled() {
    let (mut lp, log, _guard) = start(1);
    let _here = lp.enter();
    let note = log.clone();
    let id = dns::lookup("localhost")
        .callback(move |found| note.push(Cancelled::is_in(&found.unwrap_err())));
    // The answer has been sent, and not been looked at.
    wait_for_all_before();
    assert!(id.cancel() && !id.cancel());
    log.expect([]);
    assert!(!lp.run().unwrap());
    log.expect(["true"]);
    // Also where somebody awaits, or asks later.
    let request = dns::lookup("localhost");
    wait_for_all_before();
    assert!(request.cancel());
    lp.run().unwrap();
    assert!(Cancelled::is_in(&lp.block_on(request).unwrap_err()));
    assert!(!lp.is_alive());
}

#[test]
fn a_dropped_lookup_keeps_no_loop_alive() {
    let (mut lp, _, _guard) = start(1);
    let _here = lp.enter();
    let (go, job) = block_a_thread();
    drop(dns::lookup("localhost"));
    drop(dns::lookup_service(([127, 0, 0, 1], 80)));
    job.callback(|_| {});
    let kinds = |lp: &Loop| lp.active_resources().iter().map(|one| one.kind()).collect::<Vec<_>>();
    assert_eq!(kinds(&lp), [ActiveKind::Blocking]);
    let request = dns::lookup("localhost");
    assert_eq!(kinds(&lp), [ActiveKind::Blocking, ActiveKind::Lookup]);
    let lookup = lp.active_resources().into_iter().find(|one| one.kind() == ActiveKind::Lookup);
    assert!(lookup.unwrap().to_string().contains("dns.rs"), "the caller's line");
    drop((request, go));
    lp.run().unwrap();
}

#[test]
fn a_loop_that_goes_away_tells_its_lookups() {
    let (lp, log, _guard) = start(1);
    let here = lp.enter();
    let (go, _job) = block_a_thread();
    let request = dns::lookup("localhost");
    dns::lookup("localhost").callback({
        let held = log.clone();
        move |_| held.push("never")
    });
    drop((here, lp));
    let mut other = Loop::new().unwrap();
    let error = other.block_on(request).unwrap_err();
    assert!(LoopGone::is_in(&error), "{error}");
    log.expect([]);
    drop(go);
}

#[test]
fn a_callback_may_look_up_cancel_and_drop_others() {
    let (mut lp, log, _guard) = start(1);
    let _here = lp.enter();
    let dropped = Rc::new(RefCell::new(None));
    let cancelled = Rc::new(Cell::new(None));
    let (note, drops, cancels) = (log.clone(), dropped.clone(), cancelled.clone());
    dns::lookup("localhost").callback(move |found| {
        found.unwrap();
        drops.take();
        let id: Option<runtime::RequestId> = cancels.take();
        assert!(id.unwrap().cancel());
        let again = note.clone();
        dns::lookup("localhost").callback(move |found| {
            found.unwrap();
            again.push("again");
        });
        dns::lookup("::1").callback(note.clone().mark_result("literal"));
        note.push("first");
    });
    *dropped.borrow_mut() = Some(dns::lookup("localhost"));
    cancelled.set(Some(dns::lookup("localhost").callback(log.clone().mark_result("cancelled"))));
    lp.run().unwrap();
    let mut told = log.take();
    assert_eq!(told.remove(0), "first");
    told.sort();
    assert_eq!(told, ["again", "cancelled: the operation was cancelled", "literal"]);
}

trait MarkResult {
    fn mark_result<T>(self, name: &'static str) -> impl FnOnce(io::Result<T>) + 'static;
}

impl MarkResult for EventLog {
    /// A callback that notes `name`, and the error.
    fn mark_result<T>(self, name: &'static str) -> impl FnOnce(io::Result<T>) + 'static {
        move |result| match result {
            Ok(_) => self.push(name),
            Err(error) => self.push(format!("{name}: {error}")),
        }
    }
}

// --- many ---

#[test]
fn ten_thousand_lookups_are_answered_while_files_are_read() {
    let (mut lp, _, _guard) = start(4);
    let _here = lp.enter();
    let (answered, read) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    for n in 0..10_000 {
        let count = answered.clone();
        let told = move |found: io::Result<Vec<IpAddr>>| {
            assert!(found.unwrap().iter().all(IpAddr::is_loopback));
            count.set(count.get() + 1);
        };
        match n % 2 {
            0 => drop(dns::lookup("localhost").callback(told)),
            _ => drop(runtime::spawn(async move { told(dns::lookup("localhost").await) })),
        }
        if n % 100 == 0 {
            let (read, answered) = (read.clone(), answered.clone());
            fs::metadata(".").callback(move |found| {
                found.unwrap();
                read.set(read.get() + 1);
                assert!(answered.get() < 10_000, "no file waits for all names");
            });
        }
    }
    assert!(!lp.run().unwrap());
    assert_eq!((answered.get(), read.get()), (10_000, 100));
}

#[test]
fn lookups_of_several_loops_share_nothing_but_the_pool() {
    let _guard = Deadline::secs(60);
    let loops = (0..4).map(|_| {
        thread::spawn(|| {
            let mut lp = Loop::new().unwrap();
            for _ in 0..50 {
                let found = lp.block_on(async {
                    time::timeout(runtime::secs(50), dns::lookup("localhost")).await
                });
                assert!(found.unwrap().unwrap().iter().all(IpAddr::is_loopback));
            }
        })
    });
    for one in loops.collect::<Vec<_>>() {
        one.join().unwrap();
    }
}
