//! Golden files: what a crate makes, compared with what a person has looked at.
//!
//! They lie in the crate's `tests/golden/`. `UPDATE_GOLDEN=1 cargo test` writes them anew; the difference is then
//! read in the commit.

use std::fs;
use std::path::Path;

/// Compares `actual` (text or bytes) with the crate's `tests/golden/<path>`.
#[macro_export]
macro_rules! golden {
    ($path:expr, $actual:expr $(,)?) => {
        $crate::golden::compare(env!("CARGO_MANIFEST_DIR"), $path.as_ref(), $actual.as_ref())
    };
}

/// The work of [`golden!`](crate::golden!).
///
/// # Panics
/// When they differ: names the file and shows the first line that does. When the file cannot be read or written.
pub fn compare(manifest_dir: &str, path: &str, actual: &[u8]) {
    let file = Path::new(manifest_dir).join("tests/golden").join(path);
    if update() {
        let folder = file.parent().expect("the path was just joined from two parts");
        fs::create_dir_all(folder).unwrap_or_else(|e| panic!("cannot make {folder:?}: {e}"));
        fs::write(&file, actual).unwrap_or_else(|e| panic!("cannot write {file:?}: {e}"));
        return;
    }
    let expected = fs::read(&file).unwrap_or_else(|e| {
        panic!("cannot read {file:?}: {e}; UPDATE_GOLDEN=1 writes it from what the code makes now")
    });
    if expected == actual {
        return;
    }
    panic!("{}", first_difference(&file, &expected, actual));
}

fn first_difference(file: &Path, expected: &[u8], actual: &[u8]) -> String {
    let (expected, actual) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(actual));
    // split keeps the CR and a missing last line end visible, which lines() would hide.
    let mut pairs = expected.split('\n').map(Some).chain(std::iter::repeat(None));
    let mut theirs = actual.split('\n').map(Some).chain(std::iter::repeat(None));
    let mut line = 1;
    loop {
        let (want, got) = (pairs.next().flatten(), theirs.next().flatten());
        if want != got || want.is_none() {
            let show = |side: Option<&str>| side.map_or("(end)".into(), |s| format!("{s:?}"));
            return format!(
                "{} differs in line {line}:\n  golden: {}\n  now:    {}\nUPDATE_GOLDEN=1 accepts what the code makes now",
                file.display(),
                show(want),
                show(got)
            );
        }
        line += 1;
    }
}

#[expect(clippy::disallowed_methods, reason = "the test runner's environment is the argument here")]
fn update() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|v| v == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_shown_with_its_line_end() {
        let check = |expected: &str, actual: &str, line: &str| {
            let said = first_difference(Path::new("f"), expected.as_bytes(), actual.as_bytes());
            assert!(said.contains(line), "{said}");
        };
        check("a\r\nb\r\n", "a\r\nc\r\n", "line 2:\n  golden: \"b\\r\"\n  now:    \"c\\r\"");
        check("a\r\n", "a\n", "line 1:\n  golden: \"a\\r\"\n  now:    \"a\"");
        check("a\nb", "a", "line 2:\n  golden: \"b\"\n  now:    (end)");
    }
}
