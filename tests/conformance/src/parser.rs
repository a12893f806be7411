//! The parser: reads programs from JSON.
//!
//! A statement is an array of an operation's name and its items, such as
//! `["timeout", "t1", 10, [["log", "L1"]]]`; missing items are null. All that can be wrong with a
//! program's form is found here, so nothing that runs has to look for it.

use crate::program::{
    Body, Combinator, Name, PoolCall, Program, SocketEvent, Start, Statement, Suspension,
};
use serde_json::Value;
use std::{collections::HashSet, fmt, time::Duration};

/// Why a document is no program, and where.
#[derive(Debug)]
pub(crate) struct Malformed(String);

impl Malformed {
    fn within(self, place: &str) -> Malformed {
        Malformed(format!("{place}: {}", self.0))
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Parsed<T> = Result<T, Malformed>;

/// Reads JSON as deep as it comes: a program's statements nest.
pub(crate) fn parse_json(text: &str) -> Parsed<Value> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.disable_recursion_limit();
    let mut values = reader.into_iter();
    match (values.next(), values.next()) {
        (Some(Ok(value)), None) => Ok(value),
        (None, _) => Err(Malformed("an empty document".into())),
        (Some(Err(error)), _) | (_, Some(Err(error))) => {
            Err(Malformed(format!("not JSON: {error}")))
        }
        (_, Some(Ok(_))) => Err(Malformed("more than one document".into())),
    }
}

impl Program {
    pub(crate) fn parse(document: &Value) -> Parsed<Program> {
        let Value::Object(sections) = document else {
            return Err(expected("a program, an object", document));
        };
        if !sections.contains_key("main") {
            return Err(Malformed("a program needs `main`".into()));
        }
        let mut parser = Parser::default();
        let mut section = |name: &str| {
            let body = sections.get(name).unwrap_or(&Value::Null);
            parser.body(body).map_err(|error| error.within(name))
        };
        let (main, exit) = (section("main")?, section("exit")?);
        let (uncaught, unhandled) = (section("uncaught")?, section("unhandled")?);
        let rejection_handled = section("rejectionHandled")?;
        let emissions = match sections.get("beforeExit") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(bodies)) => bodies,
            Some(other) => return Err(expected("an array of bodies", other).within("beforeExit")),
        };
        let before_exit = emissions
            .iter()
            .enumerate()
            .map(|(n, body)| {
                parser.body(body).map_err(|error| error.within(&format!("beforeExit[{n}]")))
            })
            .collect::<Parsed<_>>()?;
        let refreshed = parser.refreshed;
        Ok(Program { main, uncaught, unhandled, rejection_handled, before_exit, exit, refreshed })
    }
}

#[derive(Default)]
struct Parser {
    /// Whether the body being read is one of a task, where a statement may suspend.
    in_task: bool,
    refreshed: HashSet<Name>,
}

impl Parser {
    /// A body that is called later, where no statement may suspend.
    fn body(&mut self, value: &Value) -> Parsed<Body> {
        self.body_within(false, value)
    }

    fn body_within(&mut self, in_task: bool, value: &Value) -> Parsed<Body> {
        let outer = std::mem::replace(&mut self.in_task, in_task);
        let body = self.statements(value);
        self.in_task = outer;
        body
    }

    fn statements(&mut self, value: &Value) -> Parsed<Body> {
        let statements = match value {
            Value::Null => &[][..],
            Value::Array(statements) => statements,
            other => return Err(expected("a body, an array of statements", other)),
        };
        statements
            .iter()
            .enumerate()
            .map(|(index, statement)| self.statement(index, statement))
            .collect()
    }

    fn statement(&mut self, index: usize, value: &Value) -> Parsed<Statement> {
        let place = format!("statement {index}");
        let Value::Array(items) = value else {
            return Err(expected("a statement, an array", value).within(&place));
        };
        let Some((Value::String(operation), items)) = items.split_first() else {
            return Err(Malformed(format!("{place}: starts with no operation")));
        };
        self.operation(operation, &mut Items(items.iter()))
            .map_err(|error| error.within(&format!("{place} (`{operation}`)")))
    }

    fn operation(&mut self, operation: &str, items: &mut Items<'_>) -> Parsed<Statement> {
        use Statement as S;
        let statement = match operation {
            "log" => S::Log(items.name()?),
            "logErr" => S::LogError(items.name()?),
            "busy" => S::Busy(Duration::from_secs_f64(items.number()?.max(0.0) / 1000.0)),
            "throw" => S::Throw(items.name()?),
            "try" => {
                // The three of them are a task's own body if the statement is in one.
                let mut part = |value: &Value| self.body_within(self.in_task, value);
                S::Try {
                    body: part(items.next())?,
                    on_error: items.unless_null(&mut part)?,
                    last: items.unless_null(&mut part)?,
                }
            }
            "exit" => S::Exit,
            "nextTick" => S::NextTick(self.body(items.next())?),
            "microtask" => S::Microtask(self.body(items.next())?),

            "timeout" => S::Timeout {
                id: items.name()?,
                delay: items.delay()?,
                body: self.body(items.next())?,
            },
            "interval" => S::Interval {
                id: items.name()?,
                period: items.delay()?,
                times: items.unless_null(count)?,
                body: self.body(items.next())?,
            },
            "immediate" => S::Immediate { id: items.name()?, body: self.body(items.next())? },
            "clear" => S::Clear(items.name()?),
            "refresh" => {
                let id = items.name()?;
                self.refreshed.insert(id.clone());
                S::Refresh(id)
            }
            "ref" => S::Ref(items.name()?),
            "unref" => S::Unref(items.name()?),

            "deferred" => S::Deferred(items.name()?),
            "resolve" => S::Resolve(items.name()?),
            "reject" => S::Reject(items.name()?, items.name()?),
            "adopt" => S::Adopt { promise: items.name()?, other: items.name()? },
            "then" => S::Then {
                promise: items.name()?,
                ok: items.unless_null(|value| self.body(value))?,
                err: items.unless_null(|value| self.body(value))?,
                derived: items.unless_null(name)?,
            },
            "finally" => S::Finally {
                promise: items.name()?,
                body: self.body(items.next())?,
                derived: items.unless_null(name)?,
            },
            "all" => items.combine(Combinator::All)?,
            "race" => items.combine(Combinator::Race)?,
            "any" => items.combine(Combinator::Any)?,
            "allSettled" => items.combine(Combinator::AllSettled)?,

            "task" => S::Task {
                promise: items.name()?,
                start: start(items.next())?,
                body: self.body_within(true, items.next())?,
            },
            "turn" => self.suspend(Suspension::Turn)?,
            "await" => self.suspend(Suspension::Await(items.name()?))?,
            "sleep" => self.suspend(Suspension::Sleep {
                delay: items.delay()?,
                signal: items.unless_null(name)?,
            })?,
            "yield" => self.suspend(Suspension::Yield)?,
            "awaitPool" => self.suspend(Suspension::Pool {
                call: items.pool_call()?,
                label: items.unless_null(name)?,
            })?,
            "signal" => S::Signal(items.name()?),
            "abort" => S::Abort(items.name()?),
            "onAbort" => S::OnAbort { signal: items.name()?, body: self.body(items.next())? },

            "pool" => S::Pool {
                call: items.pool_call()?,
                label: items.unless_null(name)?,
                body: self.body(items.next())?,
            },
            "listen" => S::Listen {
                server: items.name()?,
                label: items.unless_null(name)?,
                body: self.body(items.next())?,
                on_connection: self.body(items.next())?,
            },
            "connect" => S::Connect {
                socket: items.name()?,
                server: items.name()?,
                label: items.unless_null(name)?,
                body: self.body(items.next())?,
            },
            "on" | "once" => S::On {
                once: operation == "once",
                socket: items.name()?,
                event: socket_event(items.next())?,
                label: items.unless_null(name)?,
                body: self.body(items.next())?,
            },
            "write" => S::Write {
                socket: items.name()?,
                len_bytes: count(items.next())? as usize,
                body: items.unless_null(|value| self.body(value))?,
            },
            "end" => S::End(items.name()?),
            "destroy" => S::Destroy(items.name()?),
            "closeServer" => S::CloseServer {
                server: items.name()?,
                label: items.unless_null(name)?,
                body: self.body(items.next())?,
            },
            _ => return Err(Malformed("unknown operation".into())),
        };
        Ok(statement)
    }

    fn suspend(&self, suspension: Suspension) -> Parsed<Statement> {
        if !self.in_task {
            return Err(Malformed("allowed in the body of a task only".into()));
        }
        Ok(Statement::Suspend(suspension))
    }
}

/// The items of a statement that are not read yet.
struct Items<'a>(std::slice::Iter<'a, Value>);

impl<'a> Items<'a> {
    fn next(&mut self) -> &'a Value {
        self.0.next().unwrap_or(&Value::Null)
    }

    fn unless_null<T>(&mut self, parse: impl FnOnce(&'a Value) -> Parsed<T>) -> Parsed<Option<T>> {
        match self.next() {
            Value::Null => Ok(None),
            value => parse(value).map(Some),
        }
    }

    fn name(&mut self) -> Parsed<Name> {
        name(self.next())
    }

    fn number(&mut self) -> Parsed<f64> {
        let value = self.next();
        value.as_f64().ok_or_else(|| expected("a number", value))
    }

    /// Whole milliseconds. What is out of Node's range is left to the runtime, which has the same
    /// rule.
    fn delay(&mut self) -> Parsed<Duration> {
        // The cast cuts the fraction off and turns what is negative into 0.
        self.number().map(|ms| Duration::from_millis(ms as u64))
    }

    fn combine(&mut self, how: Combinator) -> Parsed<Statement> {
        let promise = self.name()?;
        let parts = match self.next() {
            Value::Array(parts) => parts.iter().map(name).collect::<Parsed<_>>()?,
            other => return Err(expected("an array of promises", other)),
        };
        Ok(Statement::Combine { how, promise, parts })
    }

    fn pool_call(&mut self) -> Parsed<PoolCall> {
        let value = self.next();
        Ok(match value.as_str() {
            Some("stat") => PoolCall::Stat,
            Some("read") => PoolCall::Read,
            Some("access") => PoolCall::Access,
            Some("openClose") => PoolCall::OpenClose,
            Some("missing") => PoolCall::Missing,
            Some("readMissing") => PoolCall::ReadMissing,
            Some("random") => PoolCall::Random,
            Some("pbkdf2") => PoolCall::Pbkdf2,
            Some("dns") => PoolCall::Dns,
            _ => return Err(expected("a kind of pool call", value)),
        })
    }
}

fn name(value: &Value) -> Parsed<Name> {
    value.as_str().map(Name::from).ok_or_else(|| expected("a string", value))
}

fn count(value: &Value) -> Parsed<u64> {
    value.as_u64().ok_or_else(|| expected("a count", value))
}

fn start(value: &Value) -> Parsed<Start> {
    match value.as_str() {
        Some("sync") => Ok(Start::Sync),
        Some("queued") => Ok(Start::Queued),
        _ => Err(expected("`sync` or `queued`", value)),
    }
}

fn socket_event(value: &Value) -> Parsed<SocketEvent> {
    match value.as_str() {
        Some("data") => Ok(SocketEvent::Data),
        Some("end") => Ok(SocketEvent::End),
        Some("close") => Ok(SocketEvent::Close),
        _ => Err(expected("`data`, `end` or `close`", value)),
    }
}

fn expected(what: &str, found: &Value) -> Malformed {
    const SHOWN_CHARS: usize = 40;
    let mut found = found.to_string();
    if let Some((end, _)) = found.char_indices().nth(SHOWN_CHARS) {
        found.truncate(end);
        found.push_str("..");
    }
    Malformed(format!("expected {what}, found {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        Program::parse(&parse_json(text).unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_the_statement_it_is_in() {
        let error =
            error_of(r#"{"main": [["log", "a"], ["nextTick", [["timeout", "t", "soon", []]]]]}"#);
        assert_eq!(
            error,
            "main: statement 1 (`nextTick`): statement 0 (`timeout`): expected a number, found \"soon\""
        );
    }

    #[test]
    fn a_statement_suspends_in_a_task_and_its_try_bodies_only() {
        let task =
            r#"{"main": [["task", "t", "sync", [["try", [["turn"]], [["turn"]], [["turn"]]]]]]}"#;
        Program::parse(&parse_json(task).unwrap()).unwrap();
        let tick = error_of(r#"{"main": [["task", "t", "sync", [["nextTick", [["turn"]]]]]]}"#);
        assert!(tick.ends_with("(`turn`): allowed in the body of a task only"), "{tick}");
    }

    #[test]
    fn missing_items_are_null() {
        let text = r#"{"main": [["then", "p"], ["timeout", "t", -1.5]]}"#;
        let program = Program::parse(&parse_json(text).unwrap()).unwrap();
        assert!(matches!(
            program.main[0],
            Statement::Then { ok: None, err: None, derived: None, .. }
        ));
        assert!(
            matches!(&program.main[1], Statement::Timeout { delay, body, .. } if delay.is_zero() && body.is_empty())
        );
    }
}
