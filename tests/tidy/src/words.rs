//! Words that the code may not say: panics on the way of a byte from outside, unsafe, silenced lints.

use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::Violation;
use crate::source::Source;

/// Macros that end a thread, or were meant for an afternoon.
const MACROS: [&str; 5] = ["panic", "todo", "unimplemented", "unreachable", "dbg"];
/// Methods that end a thread.
const METHODS: [&str; 4] = ["unwrap", "unwrap_err", "expect", "expect_err"];
/// Who may ask the clock what time it is: names and ages of files, and dates that people read. What waits or
/// measures uses `Instant`, which does not jump.
const CLOCKS: [&str; 12] = [
    "bins/doveadm/src/mail/query/when.rs",
    "bins/lmtp/src/session.rs",
    "lib/dbox/src/temp.rs",
    "lib/format-maildir/src/clean.rs",
    "lib/format-maildir/src/stamp.rs",
    "lib/format-maildir/src/unique.rs",
    "lib/format-mbox/src/clock.rs",
    "lib/index/src/clock.rs",
    "lib/mailbox/src/guid.rs",
    "lib/storage/src/changelog.rs",
    "lib/storage/src/uidvalidity.rs",
    "lib/sys/src/fs/dotlock.rs",
];
/// How far above an unsafe block its reason may begin.
const REASON_ABOVE: usize = 12;

/// All words of one source.
#[must_use]
pub fn of_source(source: &Source) -> Vec<Violation> {
    let mut words = Words {
        source,
        violations: Vec::new(),
    };
    words.visit_file(&source.syntax);
    words.violations
}

struct Words<'a> {
    source: &'a Source,
    violations: Vec<Violation>,
}

impl Words<'_> {
    fn violation(&mut self, line: usize, what: impl Into<String>) {
        self.violations
            .push(Violation::new(&self.source.path, line, what));
    }

    /// A word that ends a thread; tests may say it.
    fn panics(&mut self, line: usize, word: &str) {
        let unfinished = matches!(word, "todo" | "unimplemented" | "dbg");
        if unfinished || !self.source.is_test(line) {
            self.violation(line, format!("{word} outside of tests"));
        }
    }

    fn clock(&mut self, line: usize) {
        let may = CLOCKS
            .iter()
            .any(|path| self.source.path == Path::new(path));
        if !may && !self.source.is_test(line) {
            self.violation(
                line,
                "asks the clock, which jumps: use Instant, or tell tests/tidy why not",
            );
        }
    }

    fn unsafe_word(&mut self, line: usize) {
        if self.source.package() != "lib/sys" {
            self.violation(line, "unsafe outside of lib/sys");
        } else if !self.has_reason(line) {
            self.violation(line, "unsafe without a `SAFETY:` comment");
        }
    }

    fn has_reason(&self, line: usize) -> bool {
        let first = line.saturating_sub(REASON_ABOVE).max(1);
        (first..=line).any(|line| {
            let line = self.source.line(line).trim_start();
            line.starts_with("// SAFETY:") || line.starts_with("/// # Safety")
        })
    }

    /// What stands in a macro is not parsed: look at its words.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut after_dot = false;
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            let line = token.span().start().line;
            let word = token.to_string();
            match &token {
                TokenTree::Ident(_) if word == "unsafe" => self.unsafe_word(line),
                TokenTree::Ident(_) => {
                    let panics = match tokens.peek() {
                        Some(TokenTree::Punct(mark)) if mark.as_char() == '!' => {
                            MACROS.contains(&word.as_str())
                        }
                        Some(TokenTree::Group(arguments)) if after_dot => {
                            may_panic(&word, &arguments.stream().to_string())
                        }
                        _ => false,
                    };
                    if panics {
                        self.panics(line, &word);
                    }
                }
                TokenTree::Group(group) => self.tokens(group.stream()),
                _ => {}
            }
            after_dot = word == ".";
        }
    }
}

/// `expect` may also be a method of a parser, that takes a byte: that of `Option` and `Result` takes a text.
fn may_panic(method: &str, arguments: &str) -> bool {
    METHODS.contains(&method)
        && if method.starts_with("unwrap") {
            arguments.is_empty()
        } else {
            arguments.starts_with('"') || arguments.starts_with('&') && !arguments.contains(',')
        }
}

/// The same question about a call that was parsed.
fn call_may_panic(method: &str, call: &syn::ExprMethodCall) -> bool {
    if !METHODS.contains(&method) {
        return false;
    }
    if method.starts_with("unwrap") {
        return call.args.is_empty();
    }
    match call.args.first() {
        Some(syn::Expr::Lit(literal)) => matches!(literal.lit, syn::Lit::Str(_)),
        Some(syn::Expr::Reference(_)) => call.args.len() == 1,
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Words<'_> {
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let method = call.method.to_string();
        if call_may_panic(&method, call) {
            self.panics(call.method.span().start().line, &method);
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(name) = call.path.segments.last() {
            let name = name.ident.to_string();
            if MACROS.contains(&name.as_str()) {
                self.panics(call.bang_token.spans[0].start().line, &name);
            }
        }
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        let mut names = path
            .path
            .segments
            .iter()
            .rev()
            .map(|segment| segment.ident.to_string());
        let (function, of) = (names.next(), names.next());
        let clock = ["SystemTime", "Timestamp", "Zoned"].map(|name| Some(name.to_owned()));
        if function.as_deref() == Some("now") && clock.contains(&of) {
            self.clock(
                path.path
                    .segments
                    .first()
                    .map_or(0, |first| first.ident.span().start().line),
            );
        }
        visit::visit_expr_path(self, path);
    }

    fn visit_expr_unsafe(&mut self, block: &'ast syn::ExprUnsafe) {
        self.unsafe_word(block.unsafe_token.span.start().line);
        visit::visit_expr_unsafe(self, block);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        if let Some(word) = &signature.unsafety {
            self.unsafe_word(word.span.start().line);
        }
        visit::visit_signature(self, signature);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if let Some(word) = &item.unsafety {
            self.unsafe_word(word.span.start().line);
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        if let Some(word) = &item.unsafety {
            self.unsafe_word(word.span.start().line);
        }
        visit::visit_item_trait(self, item);
    }

    fn visit_item_foreign_mod(&mut self, item: &'ast syn::ItemForeignMod) {
        // In sys it needs no reason of its own: each call of its functions gives one.
        if self.source.package() != "lib/sys" {
            self.unsafe_word(item.abi.extern_token.span.start().line);
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let line = attribute.pound_token.spans[0].start().line;
        let path = attribute.path();
        let arguments = match &attribute.meta {
            syn::Meta::List(list) => list.tokens.to_string(),
            _ => String::new(),
        };
        if path.is_ident("ignore") || path.is_ident("cfg_attr") && arguments.contains("ignore") {
            self.violation(line, "an ignored test: mend it or remove it");
        }
        if path.is_ident("unsafe") {
            self.unsafe_word(line);
        }
        if path.is_ident("allow") || path.is_ident("expect") {
            let above = self.source.line(line.saturating_sub(1)).trim_start();
            if !arguments.contains("reason =") && !above.starts_with("// ") {
                self.violation(line, "a lint is silenced without a reason");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<usize> {
        of_source(&Source::parse(path, text))
            .iter()
            .map(|violation| violation.line)
            .collect()
    }

    fn lines(text: &str) -> Vec<usize> {
        found("lib/x/src/lib.rs", text)
    }

    #[test]
    fn panics_are_found_also_in_macros() {
        assert_eq!(lines("fn f() {\n    a.unwrap();\n}"), [2]);
        assert_eq!(lines("fn f() {\n    a.expect(\"a\");\n}"), [2]);
        assert_eq!(lines("fn f() {\n    panic!();\n}"), [2]);
        assert_eq!(lines("fn f() {\n    std::todo!();\n}"), [2]);
        assert_eq!(lines("fn f() {\n    format!(\"{}\", a.unwrap());\n}"), [2]);
        assert_eq!(
            lines("macro_rules! m { () => {\n    unimplemented!()\n} }"),
            [2]
        );
    }

    #[test]
    fn words_that_only_look_like_it_are_not_found() {
        assert_eq!(
            lines(
                "//! todo!() unwrap()\nfn f() { a.unwrap_or(1); a.expect(b'(')?; a.expect(&b, c) }"
            ),
            [0; 0]
        );
        assert_eq!(
            lines("fn f() { \"panic!\"; write!(w, \"{}\", a.expect(b'x')); }"),
            [0; 0]
        );
        assert_eq!(lines("fn unwrap() {}\nfn f() { unwrap(); }"), [0; 0]);
    }

    #[test]
    fn tests_may_panic_but_not_be_unfinished() {
        let text = "#[cfg(test)]\nmod tests {\n    fn f() { a.unwrap(); panic!() }\n    fn g() { todo!() }\n}";
        assert_eq!(lines(text), [4]);
        assert_eq!(
            found("tests/x/src/lib.rs", "fn f() { a.unwrap(); }"),
            [0; 0]
        );
    }

    #[test]
    fn unsafe_is_only_in_sys_and_says_why() {
        let text = "fn f() {\n    // SAFETY: it is.\n    unsafe { g() }\n}";
        assert_eq!(lines(text), [3]);
        assert_eq!(found("lib/sys/src/lib.rs", text), [0; 0]);
        assert_eq!(
            found("lib/sys/src/lib.rs", "fn f() {\n    unsafe { g() }\n}"),
            [2]
        );
        assert_eq!(lines("unsafe impl Send for A {}"), [1]);
        assert_eq!(lines("fn f() { assert!(unsafe { g() }); }"), [1]);
        assert_eq!(
            found("lib/sys/src/lib.rs", "unsafe extern \"C\" { fn g(); }"),
            [0; 0]
        );
        assert_eq!(lines("unsafe extern \"C\" { fn g(); }"), [1]);
    }

    #[test]
    fn silenced_lints_give_a_reason() {
        assert_eq!(lines("#[allow(dead_code)]\nfn f() {}"), [1]);
        assert_eq!(
            lines("// The other half uses it.\n#[allow(dead_code)]\nfn f() {}"),
            [0; 0]
        );
        assert_eq!(
            lines("#[allow(dead_code, reason = \"x\")]\nfn f() {}"),
            [0; 0]
        );
        assert_eq!(lines("#![allow(dead_code)]\nfn f() {}"), [1]);
    }

    #[test]
    fn clocks_are_found() {
        assert_eq!(lines("fn f() { std::time::SystemTime::now(); }"), [1]);
        assert_eq!(lines("fn f() { let f = Zoned::now; }"), [1]);
        assert_eq!(
            lines("fn f() { Instant::now(); SystemTime::UNIX_EPOCH; }"),
            [0; 0]
        );
        assert_eq!(
            found("lib/mailbox/src/guid.rs", "fn f() { SystemTime::now(); }"),
            [0; 0]
        );
    }

    #[test]
    fn ignored_tests_are_found() {
        assert_eq!(
            found("lib/x/tests/a.rs", "#[test]\n#[ignore]\nfn f() {}"),
            [2]
        );
        assert_eq!(
            found(
                "lib/x/tests/a.rs",
                "#[test]\n#[ignore = \"slow\"]\nfn f() {}"
            ),
            [2]
        );
    }
}
