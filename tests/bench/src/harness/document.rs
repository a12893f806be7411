//! Documents: text by hand, and between two marks what is measured.
//!
//! ```text
//!   <!-- bench: summary -->
//!   replaced by each run
//!   <!-- bench: end -->
//! ```

use std::fs;
use std::io::{Error, Result};
use std::path::Path;

const END: &str = "<!-- bench: end -->";

/// Puts `text` between the marks of the section `name`.
///
/// # Errors
/// If the file is not there, or has no such section.
pub(super) fn replace(path: &Path, name: &str, text: &str) -> Result<()> {
    let document = fs::read_to_string(path)?;
    let replaced = replaced(&document, name, text)
        .ok_or_else(|| Error::other(format!("{}: no section {name}", path.display())))?;
    fs::write(path, replaced)
}

fn replaced(document: &str, name: &str, text: &str) -> Option<String> {
    let start = format!("<!-- bench: {name} -->\n");
    let (before, rest) = document.split_once(&start)?;
    let (_, behind) = rest.split_once(END)?;
    Some(format!("{before}{start}\n{}\n\n{END}{behind}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_section_is_replaced() {
        let document = "a\n<!-- bench: one -->\nold\n<!-- bench: end -->\nb\n";
        let new = "a\n<!-- bench: one -->\n\nnew\n\n<!-- bench: end -->\nb\n";
        assert_eq!(replaced(document, "one", "\nnew\n").as_deref(), Some(new));
        assert_eq!(replaced(new, "one", "new").as_deref(), Some(new), "twice is as once");
        assert_eq!(replaced(document, "two", "new"), None);
    }
}
