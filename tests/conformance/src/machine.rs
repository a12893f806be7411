//! The machine: runs the bodies of a program on a loop.

use crate::{
    pool::Sandbox,
    program::{Body, Combinator, Label, Name, PoolCall, Program, Statement},
    promise::{self, Promise, Rejections, Reporter},
    socket::{Server, Socket},
    task,
    thrown::{Completion, Thrown},
};
use runtime::{
    __private::Main,
    Clock, ImmediateId, Loop, TimerId, Uncaught,
    sync::{AbortController, AbortSignal},
};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::{Rc, Weak},
    thread,
};

/// The labels so far. What a program logged before it failed can still be read.
pub(crate) type Trace = Rc<RefCell<Vec<String>>>;

/// What passes while a program waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Time {
    Real,
    /// None: the clock jumps to the next timer.
    Manual,
}

/// Runs `program` as the main of a program of `runtime`, on a fresh loop.
pub(crate) fn run(program: Program, time: Time, sandbox: &Rc<Sandbox>, trace: &Trace) {
    let manual_clock = match time {
        Time::Real => None,
        Time::Manual => Some(Clock::manual()),
    };
    let clock = manual_clock.clone().unwrap_or_else(Clock::real);
    let world = World::new(program, manual_clock, sandbox, trace);
    // What `#[runtime::main]` expands to. An error of main is the runtime's affair, like any other.
    Main::with_builder(Loop::builder().clock(clock)).run(|| {
        world.install_hooks();
        Scope::of(&world).call(&world.program.main)
    });
    world.forget();
}

/// What all the bodies of a program share.
struct World {
    program: Program,
    manual_clock: Option<Clock>,
    sandbox: Rc<Sandbox>,
    trace: Trace,
    handles: RefCell<HashMap<Name, Handle>>,
    promises: RefCell<HashMap<Name, Promise>>,
    signals: RefCell<HashMap<Name, AbortController>>,
    rejections: Rc<Rejections>,
}

#[derive(Clone)]
enum Handle {
    Timer(TimerId),
    Immediate(ImmediateId),
    Server(Server),
    Socket(Socket),
}

impl World {
    fn new(
        program: Program,
        manual_clock: Option<Clock>,
        sandbox: &Rc<Sandbox>,
        trace: &Trace,
    ) -> Rc<World> {
        Rc::new_cyclic(|world: &Weak<World>| World {
            program,
            manual_clock,
            sandbox: sandbox.clone(),
            trace: trace.clone(),
            handles: RefCell::default(),
            promises: RefCell::default(),
            signals: RefCell::default(),
            rejections: Rejections::new(world.clone()),
        })
    }

    fn install_hooks(self: &Rc<Self>) {
        runtime::on_uncaught({
            let world = self.clone();
            move |uncaught| match uncaught {
                Uncaught::Error(error) => match error.downcast::<Thrown>() {
                    Ok(thrown) => world.uncaught(&thrown),
                    Err(error) => world.uncaught(&Thrown::new(&error.to_string())),
                },
                // A bug, of this program or of the runtime: no body panics.
                Uncaught::Panic(_) => world.uncaught(&Thrown::new("panic")),
            }
        });
        let (world, emissions) = (self.clone(), Cell::new(0));
        runtime::before_exit(move || {
            let emission = emissions.replace(emissions.get() + 1);
            match world.program.before_exit.get(emission) {
                Some(body) => Scope::of(&world).call(body),
                None => Ok(()),
            }
        });
        let world = self.clone();
        runtime::on_exit(move |_| {
            if let Err(error) = Scope::of(&world).run(&world.program.exit) {
                world.uncaught(&error);
            }
        });
    }

    fn uncaught(self: &Rc<Self>, error: &Thrown) {
        self.log(format!("uncaught:{error}"));
        if let Err(error) = Scope::of(self).run(&self.program.uncaught) {
            eprintln!("trace: the `uncaught` body threw {error}, which would have ended Node");
        }
    }

    fn log(&self, label: String) {
        self.trace.borrow_mut().push(label);
    }

    /// Cuts the cycles: reactions and listeners hold the world that holds them.
    fn forget(&self) {
        let _handles = self.handles.take();
        let _promises = self.promises.take();
        let _signals = self.signals.take();
    }
}

impl Reporter for World {
    fn unhandled(self: Rc<Self>, error: &Thrown) -> Completion {
        self.log(format!("unhandled:{error}"));
        Scope::of(&self).run(&self.program.unhandled)
    }

    fn rejection_handled(self: Rc<Self>) -> Completion {
        Scope::of(&self).run(&self.program.rejection_handled)
    }
}

/// What a body can see: the world, and the error that the innermost handler around it received.
#[derive(Clone)]
pub(crate) struct Scope {
    world: Rc<World>,
    error: Option<Thrown>,
}

impl Scope {
    fn of(world: &Rc<World>) -> Scope {
        Scope { world: world.clone(), error: None }
    }

    /// The scope of a handler that received `error`.
    pub(crate) fn catching(&self, error: &Thrown) -> Scope {
        Scope { world: self.world.clone(), error: Some(error.clone()) }
    }

    pub(crate) fn log(&self, label: &str) {
        self.world.log(label.into());
    }

    pub(crate) fn run(&self, body: &Body) -> Completion {
        body.iter().try_for_each(|statement| self.execute(statement))
    }

    /// Runs `body` as a callback of the runtime, where a throw is an `Err`.
    pub(crate) fn call(&self, body: &Body) -> runtime::Result {
        Ok(self.run(body)?)
    }

    /// `body` as a callback that is called later.
    pub(crate) fn callback(&self, body: &Body) -> impl Fn() -> runtime::Result + 'static {
        let (scope, body) = (self.clone(), body.clone());
        move || scope.call(&body)
    }

    /// Runs one statement that does not suspend.
    pub(crate) fn execute(&self, statement: &Statement) -> Completion {
        use Statement as S;
        match statement {
            S::Log(label) => self.log(label),
            S::LogError(label) => {
                let name = self.error.as_ref().map_or("undefined".into(), Thrown::to_string);
                self.world.log(format!("{label}:{name}"));
            }
            S::Busy(time) => match &self.world.manual_clock {
                Some(clock) => clock.advance(*time),
                None => thread::sleep(*time),
            },
            S::Throw(name) => return Err(Thrown::new(name)),
            S::Try { body, on_error, last } => {
                self.attempt(body, on_error.as_ref(), last.as_ref())?
            }
            S::Exit => runtime::exit(0),
            S::NextTick(body) => runtime::next_tick(self.callback(body)),
            S::Microtask(body) => runtime::queue_microtask(self.callback(body)),

            S::Timeout { id, delay, body } => {
                let body = self.callback(body);
                // Only `set_timeout_mut` keeps its callback for a timer that is refreshed after it
                // fired.
                let timer = match self.world.program.refreshed.contains(id) {
                    true => runtime::set_timeout_mut(*delay, move |_| body()),
                    false => runtime::set_timeout(*delay, body),
                };
                self.define_handle(id, Handle::Timer(timer));
            }
            S::Interval { id, period, times, body } => {
                let (body, times, mut count) = (self.callback(body), *times, 0);
                let timer = runtime::set_interval(*period, move |timer| {
                    count += 1;
                    if times == Some(count) {
                        timer.clear();
                    }
                    body()
                });
                self.define_handle(id, Handle::Timer(timer));
            }
            S::Immediate { id, body } => {
                let immediate = runtime::set_immediate(self.callback(body));
                self.define_handle(id, Handle::Immediate(immediate));
            }
            S::Clear(id) => match self.handle(id) {
                Some(Handle::Timer(timer)) => timer.clear(),
                Some(Handle::Immediate(immediate)) => immediate.clear(),
                _ => {}
            },
            S::Refresh(id) => {
                if let Some(Handle::Timer(timer)) = self.handle(id) {
                    timer.refresh();
                }
            }
            S::Ref(id) => match self.handle(id) {
                Some(Handle::Timer(timer)) => drop(timer.ref_()),
                Some(Handle::Immediate(immediate)) => drop(immediate.ref_()),
                _ => {}
            },
            S::Unref(id) => match self.handle(id) {
                Some(Handle::Timer(timer)) => drop(timer.unref()),
                Some(Handle::Immediate(immediate)) => drop(immediate.unref()),
                _ => {}
            },

            S::Deferred(promise) => self.define_promise(Some(promise), self.promise()),
            S::Resolve(promise) => self.find_promise(promise)?.resolve(),
            S::Reject(promise, name) => self.find_promise(promise)?.reject(Thrown::new(name)),
            S::Adopt { promise, other } => {
                self.find_promise(promise)?.adopt(&self.find_promise(other)?)
            }
            S::Then { promise, ok, err, derived } => {
                let (scope, ok, err) = (self.clone(), ok.clone(), err.clone());
                let then =
                    self.find_promise(promise)?.then(move |outcome| match (outcome, ok, err) {
                        (Ok(()), Some(ok), _) => scope.run(&ok),
                        (Err(error), _, Some(err)) => scope.catching(&error).run(&err),
                        (outcome, ..) => outcome,
                    });
                self.define_promise(derived.as_ref(), then);
            }
            S::Finally { promise, body, derived } => {
                let (scope, body) = (self.clone(), body.clone());
                let finally = self.find_promise(promise)?.finally(move || scope.run(&body));
                self.define_promise(derived.as_ref(), finally);
            }
            S::Combine { how, promise, parts } => {
                let parts = parts
                    .iter()
                    .map(|part| self.find_promise(part))
                    .collect::<Result<Vec<_>, _>>()?;
                let combine = match how {
                    Combinator::All => promise::all,
                    Combinator::Race => promise::race,
                    Combinator::Any => promise::any,
                    Combinator::AllSettled => promise::all_settled,
                };
                self.define_promise(Some(promise), combine(&self.world.rejections, &parts));
            }

            S::Task { promise, start, body } => {
                let task = task::start(self, *start, body);
                self.define_promise(Some(promise), task);
            }
            S::Suspend(_) => unreachable!("the parser allows it in the bodies of tasks only"),
            S::Signal(signal) => {
                self.world.signals.borrow_mut().insert(signal.clone(), AbortController::new());
            }
            S::Abort(signal) => self.find_controller(signal)?.abort(),
            S::OnAbort { signal, body } => {
                let (scope, body) = (self.clone(), body.clone());
                self.find_signal(signal)?.on_abort(move || scope.call(&body));
            }

            S::Pool { call, label, body } => {
                let body = body.clone();
                self.start_pool_call(*call, label.clone(), move |scope, result| match result {
                    Ok(()) => scope.run(&body),
                    Err(error) => scope.catching(&error).run(&body),
                });
            }
            S::Listen { server, label, body, on_connection } => {
                let listening = Server::listen(self, server.clone(), on_connection.clone())?;
                self.define_handle(server, Handle::Server(listening));
                let (scope, label, body) = (self.clone(), label.clone(), body.clone());
                // Node listens in a tick, as it may have to look the host up, and tells in another.
                runtime::next_tick(|| {
                    runtime::next_tick(move || scope.labelled(label.as_ref()).call(&body))
                });
            }
            S::Connect { socket, server, label, body } => {
                let connecting =
                    Socket::connect(self, &self.find_server(server)?, label.clone(), body.clone());
                self.define_handle(socket, Handle::Socket(connecting));
            }
            S::On { socket, event, once, label, body } => {
                self.find_socket(socket)?.on(self, *event, *once, label.clone(), body.clone());
            }
            S::Write { socket, len_bytes, body } => {
                self.find_socket(socket)?
                    .write(*len_bytes, body.as_ref().map(|body| self.callback(body)));
            }
            S::End(socket) => self.find_socket(socket)?.end(),
            S::Destroy(socket) => self.find_socket(socket)?.destroy(),
            S::CloseServer { server, label, body } => {
                let (scope, label, body) = (self.clone(), label.clone(), body.clone());
                self.find_server(server)?.close(move || scope.labelled(label.as_ref()).run(&body));
            }
        }
        Ok(())
    }

    fn attempt(&self, body: &Body, on_error: Option<&Body>, last: Option<&Body>) -> Completion {
        let mut end = self.run(body);
        if let (Err(error), Some(on_error)) = (&end, on_error) {
            end = self.catching(error).run(on_error);
        }
        if let Some(last) = last {
            self.run(last)?;
        }
        end
    }

    /// Logs the label that some events have before their body runs.
    pub(crate) fn labelled(&self, label: Option<&Label>) -> &Scope {
        if let Some(label) = label {
            self.log(label);
        }
        self
    }

    /// Calls `done` when the call has completed, after its label.
    pub(crate) fn start_pool_call(
        &self,
        call: PoolCall,
        label: Option<Label>,
        done: impl FnOnce(&Scope, Completion) -> Completion + 'static,
    ) {
        let scope = self.clone();
        self.world.sandbox.start(call, move |result| {
            let result = result.map_err(Thrown::from);
            match (&label, &result) {
                (Some(label), Ok(())) => scope.log(&format!("{label}:ok")),
                (Some(label), Err(error)) => scope.log(&format!("{label}:{error}")),
                (None, _) => {}
            }
            Ok(done(&scope, result)?)
        });
    }

    /// A new promise of this program.
    pub(crate) fn promise(&self) -> Promise {
        Promise::new(&self.world.rejections)
    }

    fn define_promise(&self, name: Option<&Name>, promise: Promise) {
        if let Some(name) = name {
            self.world.promises.borrow_mut().insert(name.clone(), promise);
        }
    }

    pub(crate) fn find_promise(&self, name: &str) -> Result<Promise, Thrown> {
        let promise = self.world.promises.borrow().get(name).cloned();
        promise.ok_or_else(|| Thrown::undefined("promise", name))
    }

    fn find_controller(&self, name: &str) -> Result<AbortController, Thrown> {
        let controller = self.world.signals.borrow().get(name).cloned();
        controller.ok_or_else(|| Thrown::undefined("signal", name))
    }

    pub(crate) fn find_signal(&self, name: &str) -> Result<AbortSignal, Thrown> {
        Ok(self.find_controller(name)?.signal())
    }

    fn handle(&self, name: &str) -> Option<Handle> {
        self.world.handles.borrow().get(name).cloned()
    }

    fn define_handle(&self, name: &Name, handle: Handle) {
        // The old one is dropped after the borrow.
        let _replaced = self.world.handles.borrow_mut().insert(name.clone(), handle);
    }

    pub(crate) fn define_socket(&self, name: &Name, socket: Socket) {
        self.define_handle(name, Handle::Socket(socket));
    }

    fn find_server(&self, name: &str) -> Result<Server, Thrown> {
        match self.handle(name) {
            Some(Handle::Server(server)) => Ok(server),
            _ => Err(Thrown::undefined("server", name)),
        }
    }

    fn find_socket(&self, name: &str) -> Result<Socket, Thrown> {
        match self.handle(name) {
            Some(Handle::Socket(socket)) => Ok(socket),
            _ => Err(Thrown::undefined("socket", name)),
        }
    }
}
