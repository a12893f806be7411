//! What a program throws: an error of which labels show nothing but the name.

use std::{error::Error, fmt, io, rc::Rc};

/// How a body ended: normally, or with an error that left it.
pub(crate) type Completion = Result<(), Thrown>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thrown(Rc<str>);

impl Thrown {
    pub(crate) fn new(name: &str) -> Thrown {
        Thrown(name.into())
    }

    /// The rejection of a wait that a signal ended.
    pub(crate) fn aborted() -> Thrown {
        Thrown::new("AbortError")
    }

    /// The rejection of `any` when all of its promises were rejected.
    pub(crate) fn aggregate() -> Thrown {
        Thrown::new("AggregateError")
    }

    /// The use of a name that nothing has defined yet.
    pub(crate) fn undefined(kind: &str, name: &str) -> Thrown {
        Thrown(format!("{kind} {name} is undefined").into())
    }
}

impl fmt::Display for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Thrown {}

impl From<io::Error> for Thrown {
    fn from(error: io::Error) -> Thrown {
        match error.kind() {
            io::ErrorKind::NotFound => Thrown::new("ENOENT"),
            kind => Thrown(format!("{kind:?}").into()),
        }
    }
}
