//! The syntax tree of a program.

use std::{collections::HashSet, rc::Rc, time::Duration};

pub(crate) type Name = Rc<str>;
pub(crate) type Label = Rc<str>;
pub(crate) type Body = Rc<[Statement]>;

/// A whole program, as section 1 of the language has it.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) main: Body,
    pub(crate) uncaught: Body,
    pub(crate) unhandled: Body,
    pub(crate) rejection_handled: Body,
    /// The n-th runs at the n-th emission.
    pub(crate) before_exit: Vec<Body>,
    pub(crate) exit: Body,
    /// Timers that some statement refreshes, perhaps after they fired.
    pub(crate) refreshed: HashSet<Name>,
}

#[derive(Debug)]
pub(crate) enum Statement {
    Log(Label),
    LogError(Label),
    Busy(Duration),
    Throw(Name),
    Try {
        body: Body,
        on_error: Option<Body>,
        last: Option<Body>,
    },
    Exit,
    NextTick(Body),
    Microtask(Body),

    Timeout {
        id: Name,
        delay: Duration,
        body: Body,
    },
    Interval {
        id: Name,
        period: Duration,
        times: Option<u64>,
        body: Body,
    },
    Immediate {
        id: Name,
        body: Body,
    },
    Clear(Name),
    Refresh(Name),
    Ref(Name),
    Unref(Name),

    Deferred(Name),
    Resolve(Name),
    Reject(Name, Name),
    Adopt {
        promise: Name,
        other: Name,
    },
    Then {
        promise: Name,
        ok: Option<Body>,
        err: Option<Body>,
        derived: Option<Name>,
    },
    Finally {
        promise: Name,
        body: Body,
        derived: Option<Name>,
    },
    Combine {
        how: Combinator,
        promise: Name,
        parts: Vec<Name>,
    },

    Task {
        promise: Name,
        start: Start,
        body: Body,
    },
    /// In the body of a task only.
    Suspend(Suspension),
    Signal(Name),
    Abort(Name),
    OnAbort {
        signal: Name,
        body: Body,
    },

    Pool {
        call: PoolCall,
        label: Option<Label>,
        body: Body,
    },
    Listen {
        server: Name,
        label: Option<Label>,
        body: Body,
        on_connection: Body,
    },
    Connect {
        socket: Name,
        server: Name,
        label: Option<Label>,
        body: Body,
    },
    On {
        socket: Name,
        event: SocketEvent,
        once: bool,
        label: Option<Label>,
        body: Body,
    },
    Write {
        socket: Name,
        len_bytes: usize,
        body: Option<Body>,
    },
    End(Name),
    Destroy(Name),
    CloseServer {
        server: Name,
        label: Option<Label>,
        body: Body,
    },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Combinator {
    All,
    Race,
    Any,
    AllSettled,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    /// Runs to its first suspension inside the `task` statement.
    Sync,
    /// Starts from the microtask queue.
    Queued,
}

/// Where a task waits.
#[derive(Debug)]
pub(crate) enum Suspension {
    Turn,
    Await(Name),
    Sleep { delay: Duration, signal: Option<Name> },
    Yield,
    Pool { call: PoolCall, label: Option<Label> },
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum PoolCall {
    Stat,
    Read,
    Access,
    OpenClose,
    Missing,
    ReadMissing,
    Random,
    Pbkdf2,
    Dns,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketEvent {
    Data,
    End,
    Close,
}
