//! The Rust sources of the checkout, parsed, and which of their lines are tests.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use crate::checkout;

/// One file.
pub struct Source {
    /// From the root of the checkout.
    pub path: PathBuf,
    /// As it stands there.
    pub text: String,
    /// The same, parsed.
    pub syntax: syn::File,
    /// Lines of items that only tests have; all of them in a file of tests.
    pub tests: Vec<RangeInclusive<usize>>,
}

impl Source {
    /// A file that is not in the tree, for the tests of rules.
    ///
    /// # Panics
    /// It is not Rust.
    #[must_use]
    pub fn parse(path: &str, text: &str) -> Source {
        let syntax = syn::parse_file(text).unwrap_or_else(|error| {
            panic!("{path}:{}: {error}", error.span().start().line);
        });
        let mut tests = TestItems::default();
        tests.visit_file(&syntax);
        let mut source = Source {
            path: path.into(),
            text: text.to_owned(),
            syntax,
            tests: tests.lines,
        };
        if is_test_file(&source.path) {
            source.all_tests();
        }
        source
    }

    /// The crate it belongs to: `lib/sys`.
    #[must_use]
    pub fn package(&self) -> String {
        let parts: Vec<_> = self.path.iter().take(2).collect();
        parts.iter().collect::<PathBuf>().display().to_string()
    }

    /// Does only a test have this line?
    #[must_use]
    pub fn is_test(&self, line: usize) -> bool {
        self.tests.iter().any(|lines| lines.contains(&line))
    }

    /// Lines that are not tests.
    #[must_use]
    pub fn lines(&self) -> usize {
        (1..=self.text.lines().count())
            .filter(|&line| !self.is_test(line))
            .count()
    }

    /// A line, from 1; empty beyond the end.
    #[must_use]
    pub fn line(&self, line: usize) -> &str {
        line.checked_sub(1)
            .and_then(|index| self.text.lines().nth(index))
            .unwrap_or_default()
    }

    /// Is it part of what users run, not of a suite?
    #[must_use]
    pub fn is_product(&self) -> bool {
        self.path.starts_with("lib") || self.path.starts_with("bins")
    }

    fn all_tests(&mut self) {
        self.tests = vec![1..=usize::MAX];
    }
}

/// Every `.rs` file of lib, bins and tests.
///
/// # Panics
/// One cannot be read or is not Rust.
#[must_use]
pub fn sources() -> Vec<Source> {
    let root = checkout();
    let mut sources: Vec<Source> = ["lib", "bins", "tests"]
        .iter()
        .flat_map(|part| rust_files(&root.join(part)))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a readable source");
            let relative = path.strip_prefix(&root).expect("below the root");
            Source::parse(&relative.to_string_lossy(), &text)
        })
        .collect();
    let modules: BTreeSet<PathBuf> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let plain = source.path.with_extension("");
        if modules.iter().any(|module| plain.starts_with(module)) {
            source.all_tests();
        }
    }
    sources
}

/// In a directory and below it, sorted.
///
/// # Panics
/// A directory cannot be read.
#[must_use]
pub fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for entry in entries {
        let path = entry.expect("a directory entry").path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// By its name: integration tests, `tests.rs`, `x_tests.rs`, `testing.rs`, and all suites.
fn is_test_file(path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    path.starts_with("tests")
        || path
            .iter()
            .any(|part| part == "tests" || part == "examples" || part == "benches")
        || name == "tests"
        || name == "testing"
        || name.ends_with("_tests")
}

/// Files that `#[cfg(test)] mod name;` of this one names, without their extension.
fn test_modules(source: &Source) -> Vec<PathBuf> {
    let stem = source.path.file_stem().unwrap_or_default();
    let directory = if ["lib", "main", "mod"].iter().any(|root| stem == *root) {
        source.path.parent().expect("in a crate").to_owned()
    } else {
        source.path.with_extension("")
    };
    let items = source.syntax.items.iter();
    items
        .filter_map(|item| match item {
            syn::Item::Mod(module) if module.content.is_none() && only_tests(&module.attrs) => {
                Some(directory.join(module.ident.to_string()))
            }
            _ => None,
        })
        .collect()
}

/// `#[test]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`, `#[cfg(any(test, …))]`.
fn only_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        if attribute.path().is_ident("test") {
            return true;
        }
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<proc_macro2::TokenStream>()
                .is_ok_and(|condition| {
                    let condition = condition.to_string().replace(' ', "");
                    condition == "test"
                        || condition.starts_with("all(test,")
                        || condition.starts_with("any(test,")
                })
    })
}

/// From the first line to the last.
#[must_use]
pub fn lines_of(span: Span) -> RangeInclusive<usize> {
    span.start().line..=span.end().line
}

#[derive(Default)]
struct TestItems {
    lines: Vec<RangeInclusive<usize>>,
}

impl TestItems {
    fn take(&mut self, attributes: &[syn::Attribute], span: Span) -> bool {
        let only = only_tests(attributes);
        if only {
            self.lines.push(lines_of(span));
        }
        only
    }
}

impl<'ast> Visit<'ast> for TestItems {
    fn visit_file(&mut self, file: &'ast syn::File) {
        if only_tests(&file.attrs) {
            self.lines.push(1..=usize::MAX);
        }
        visit::visit_file(self, file);
    }

    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes: &[syn::Attribute] = match item {
            syn::Item::Const(item) => &item.attrs,
            syn::Item::Enum(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Macro(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Static(item) => &item.attrs,
            syn::Item::Struct(item) => &item.attrs,
            syn::Item::Trait(item) => &item.attrs,
            syn::Item::Type(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => &[],
        };
        if !self.take(attributes, item.span()) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.take(&item.attrs, item.span());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_tests_are_not_counted() {
        let text = "//! Head.\nfn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        let source = Source::parse("lib/x/src/lib.rs", text);
        assert_eq!(source.lines(), 2);
        assert!(source.is_test(5));
        assert!(!source.is_test(2));
    }

    #[test]
    fn files_of_tests_are_known_by_their_names_and_by_who_declares_them() {
        for name in [
            "lib/x/src/frame_tests.rs",
            "lib/x/src/a/tests.rs",
            "lib/x/tests/fuzz.rs",
            "tests/tidy/src/lib.rs",
        ] {
            assert!(Source::parse(name, "//! Head.").is_test(1), "{name}");
        }
        let parent = Source::parse("lib/x/src/a.rs", "#[cfg(test)]\nmod fake;\n");
        assert_eq!(test_modules(&parent), [Path::new("lib/x/src/a/fake")]);
    }

    #[test]
    fn a_feature_is_not_a_test() {
        let text = "#[cfg(feature = \"test\")]\nfn a() {}\n#[cfg(not(test))]\nfn b() {}\n";
        assert_eq!(Source::parse("lib/x/src/lib.rs", text).lines(), 4);
    }
}
