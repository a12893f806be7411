//! The programs of the pages under `docs/`, for the test that runs them.

mod program;

pub use program::{Language, Mistake, Output, PAGES, Program, of_page, path_of};
