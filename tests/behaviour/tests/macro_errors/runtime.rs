//! Stands in for the runtime: all that the macros expand to, with empty bodies.

pub use runtime_macros::{main, test};

pub struct Builder;

#[doc(hidden)]
pub mod __private {
    use std::process::ExitCode;

    use crate::Builder;

    #[diagnostic::on_unimplemented(message = "a main can't return `{Self}`")]
    pub trait Report {}
    impl Report for () {}
    impl<E> Report for Result<(), E> {}

    pub struct Main;

    impl Main {
        pub fn new() -> Main {
            unimplemented!()
        }

        pub fn with_builder(_: Builder) -> Main {
            unimplemented!()
        }

        pub fn exit_with_main(self) -> Main {
            unimplemented!()
        }

        pub fn run<R: Report>(self, _: impl FnOnce() -> R) -> ExitCode {
            unimplemented!()
        }

        pub fn run_async<F: Future<Output: Report>>(self, _: impl FnOnce() -> F) -> ExitCode {
            unimplemented!()
        }
    }

    pub struct Test;

    impl Test {
        pub fn new() -> Test {
            unimplemented!()
        }

        pub fn with_builder(_: Builder) -> Test {
            unimplemented!()
        }

        pub fn manual_clock(self) -> Test {
            unimplemented!()
        }

        pub fn run<R>(self, _: impl FnOnce() -> R) -> R {
            unimplemented!()
        }

        pub fn run_async<F: Future>(self, _: impl FnOnce() -> F) -> F::Output {
            unimplemented!()
        }
    }
}
