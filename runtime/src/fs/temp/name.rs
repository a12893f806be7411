//! Names that nothing has yet.

use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Letters that are one letter on any file system, whether it tells capitals from others or not.
const LETTERS: [char; 32] = [
    'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's',
    't', 'u', 'v', 'w', 'x', 'y', 'z', '2', '3', '4', '5', '6', '7',
];

/// 60 bits: nobody makes all those files before us.
const LENGTH: usize = 12;

/// The first name is free unless something is very wrong; then it is wrong for all others, too.
const ATTEMPTS: usize = 100;

/// Creates something at `prefix` and random letters.
///
/// `create` has to fail with `AlreadyExists` if something is there. That, and no lack of luck, is why nobody can put
/// something in the way.
pub(in crate::fs) fn at_free_name<T>(
    prefix: &Path,
    mut create: impl FnMut(&Path) -> io::Result<T>,
) -> io::Result<(PathBuf, T)> {
    let mut attempts = 1;
    loop {
        let path = with_letters(prefix);
        match create(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && attempts < ATTEMPTS => {
                attempts += 1;
            }
            created => return created.map(|created| (path, created)),
        }
    }
}

fn with_letters(prefix: &Path) -> PathBuf {
    // What keys the maps of the standard library is the system's randomness: enough for a name, and no crate.
    let mut bits = RandomState::new().hash_one(prefix);
    let mut path = OsString::from(prefix);
    for _ in 0..LENGTH {
        path.push(LETTERS[(bits % 32) as usize].encode_utf8(&mut [0; 4]));
        bits /= 32;
    }
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_name_that_is_taken_is_tried_with_others_but_not_for_ever() {
        let mut tried = HashSet::new();
        let (path, nth) = at_free_name(Path::new("dir/prefix-"), |path| {
            tried.insert(path.to_owned());
            if tried.len() < 5 { Err(ErrorKind::AlreadyExists.into()) } else { Ok(tried.len()) }
        })
        .unwrap();
        assert_eq!(nth, 5);
        assert!(tried.contains(&path));
        let name = path.to_str().unwrap().strip_prefix("dir/prefix-").unwrap();
        assert!(
            name.len() == LENGTH && name.chars().all(|letter| LETTERS.contains(&letter)),
            "{name}"
        );

        let mut count = 0;
        let taken = at_free_name(Path::new("prefix-"), |_| {
            count += 1;
            Err::<(), _>(ErrorKind::AlreadyExists.into())
        });
        assert_eq!((taken.unwrap_err().kind(), count), (ErrorKind::AlreadyExists, ATTEMPTS));
    }

    #[test]
    fn another_error_is_told_at_once() {
        let mut count = 0;
        let refused = at_free_name(Path::new("prefix-"), |_| {
            count += 1;
            Err::<(), _>(ErrorKind::PermissionDenied.into())
        });
        assert_eq!((refused.unwrap_err().kind(), count), (ErrorKind::PermissionDenied, 1));
    }
}
