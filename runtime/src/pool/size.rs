//! The size of the shared pool: `UV_THREADPOOL_SIZE`, read strictly.
//!
//! libuv takes what `atoi` makes of it: `""` is one thread, `-1` is 1024. Here only a whole number
//! from 1 to 1024 counts, and anything else is named in one warning.

use std::{
    env,
    ffi::OsStr,
    io::{self, Write},
};

const VARIABLE: &str = "UV_THREADPOOL_SIZE";

/// As libuv.
const DEFAULT: usize = 4;

/// As libuv.
pub(super) const MAX: usize = 1024;

/// What the environment says now, or the default; a malformed value is reported on standard error.
pub(super) fn from_environment() -> usize {
    or_default(env::var_os(VARIABLE).as_deref(), &mut io::stderr())
}

fn or_default(value: Option<&OsStr>, warnings: &mut dyn Write) -> usize {
    parse(value).unwrap_or_else(|Malformed(value)| {
        let line = format!(
            "runtime: {VARIABLE}={value:?} is not a number from 1 to {MAX}; \
             using {DEFAULT} threads\n"
        );
        // In one write, so that the line stays whole. If it fails there is nobody left to tell.
        let _ = warnings.write_all(line.as_bytes());
        DEFAULT
    })
}

/// A value that is not a whole number from 1 to [`MAX`] in plain ASCII digits.
#[derive(Debug, PartialEq)]
struct Malformed<'a>(&'a OsStr);

/// Unset and empty give the default.
fn parse(value: Option<&OsStr>) -> Result<usize, Malformed<'_>> {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Ok(DEFAULT) };
    value
        .to_str()
        // `usize` alone would take a leading `+`.
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .filter(|threads| (1..=MAX).contains(threads))
        .ok_or(Malformed(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTED: [(&str, usize); 7] = [
        ("1", 1),
        ("4", 4),
        ("16", 16),
        ("007", 7),
        ("1023", 1023),
        ("1024", 1024),
        ("00000000000000000000002", 2),
    ];

    const REFUSED: [&str; 22] = [
        "0",
        "00",
        "-1",
        "+5",
        "abc",
        "3x",
        "x3",
        " 7",
        "7 ",
        "7\n",
        " ",
        "1 2",
        "1025",
        "10000",
        "4.0",
        "1e3",
        "0x10",
        "1_000",
        "٤",
        "４",
        "99999999999999999999999999",
        "auto",
    ];

    #[test]
    fn numbers_from_1_to_1024_are_taken_unset_and_empty_are_4() {
        assert_eq!(parse(None), Ok(4));
        assert_eq!(parse(Some(OsStr::new(""))), Ok(4));
        for (text, threads) in ACCEPTED {
            assert_eq!(parse(Some(OsStr::new(text))), Ok(threads), "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in REFUSED {
            let value = OsStr::new(text);
            assert_eq!(parse(Some(value)), Err(Malformed(value)), "{text:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_unicode_is_refused_and_shown_escaped() {
        use std::os::unix::ffi::OsStrExt;

        let value = OsStr::from_bytes(b"4\xff");
        assert_eq!(parse(Some(value)), Err(Malformed(value)));
        let mut warnings = Vec::new();
        assert_eq!(or_default(Some(value), &mut warnings), 4);
        assert!(String::from_utf8(warnings).unwrap().contains(r#"UV_THREADPOOL_SIZE="4\xFF""#));
    }

    #[test]
    fn a_refused_value_means_4_and_one_line_that_names_variable_and_value() {
        for text in REFUSED {
            let mut warnings = Vec::new();
            assert_eq!(or_default(Some(OsStr::new(text)), &mut warnings), 4);
            let warnings = String::from_utf8(warnings).unwrap();
            assert!(warnings.contains(&format!("UV_THREADPOOL_SIZE={text:?} ")), "{warnings}");
            assert_eq!(warnings.matches('\n').count(), 1, "{warnings}");
        }
    }

    #[test]
    fn a_good_value_is_not_commented_on() {
        for value in [None, Some(""), Some("8")] {
            let mut warnings = Vec::new();
            or_default(value.map(OsStr::new), &mut warnings);
            assert_eq!(warnings, b"");
        }
    }
}
