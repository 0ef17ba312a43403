//! Sizes, without tests: what is too large to hold in one's head is split before it is merged.

use std::collections::BTreeMap;
use std::path::Path;

use syn::visit::{self, Visit};

use crate::Violation;
use crate::source::Source;

/// Lines of a function, from `fn` to its closing brace.
const FUNCTION: usize = 60;
/// Parameters of a function beside `self`.
const PARAMETERS: usize = 5;
/// Lines of a file.
const FILE: usize = 500;
/// Lines of a `main.rs`.
const MAIN: usize = 60;
/// Lines of a crate.
const CRATE: usize = 8_000;

/// Files and functions of one source.
#[must_use]
pub fn of_source(source: &Source) -> Vec<Violation> {
    let mut functions = Functions {
        source,
        public_trait: false,
        violations: Vec::new(),
    };
    if !source.is_product() {
        return Vec::new();
    }
    functions.visit_file(&source.syntax);
    let mut violations = functions.violations;
    let limit = if source.path.ends_with("src/main.rs") {
        MAIN
    } else {
        FILE
    };
    let lines = source.lines();
    if lines > limit {
        let what = format!("{lines} lines, at most {limit}");
        violations.push(Violation::new(&source.path, 0, what));
    }
    violations
}

/// Every crate as a whole.
#[must_use]
pub fn of_crates(sources: &[Source]) -> Vec<Violation> {
    let mut crates: BTreeMap<String, usize> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_product()) {
        *crates.entry(source.package()).or_default() += source.lines();
    }
    crates
        .iter()
        .filter(|(_, lines)| **lines > CRATE)
        .map(|(package, lines)| {
            let what = format!("{lines} lines, at most {CRATE}");
            Violation::new(Path::new(package), 0, what)
        })
        .collect()
}

struct Functions<'a> {
    source: &'a Source,
    public_trait: bool,
    violations: Vec<Violation>,
}

impl Functions<'_> {
    fn violation(&mut self, line: usize, what: String) {
        self.violations
            .push(Violation::new(&self.source.path, line, what));
    }

    fn signature(&mut self, signature: &syn::Signature, public: bool) {
        let line = signature.fn_token.span.start().line;
        if self.source.is_test(line) {
            return;
        }
        let parameters: Vec<&syn::PatType> = signature
            .inputs
            .iter()
            .filter_map(|input| match input {
                syn::FnArg::Typed(parameter) => Some(parameter),
                syn::FnArg::Receiver(_) => None,
            })
            .collect();
        let name = &signature.ident;
        if parameters.len() > PARAMETERS {
            let count = parameters.len();
            self.violation(
                line,
                format!("{name} has {count} parameters, at most {PARAMETERS}"),
            );
        }
        if public && parameters.iter().any(|parameter| is_bool(&parameter.ty)) {
            self.violation(
                line,
                format!("{name} takes a bool: callers cannot tell what true means"),
            );
        }
    }

    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let first = signature.fn_token.span.start().line;
        let lines = block.brace_token.span.close().end().line + 1 - first;
        if lines > FUNCTION && !self.source.is_test(first) {
            let name = &signature.ident;
            self.violation(
                first,
                format!("{name} has {lines} lines, at most {FUNCTION}"),
            );
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.signature(&item.sig, is_public(&item.vis));
        self.body(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.signature(&item.sig, is_public(&item.vis));
        self.body(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.public_trait = is_public(&item.vis);
        visit::visit_item_trait(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.signature(&item.sig, self.public_trait);
        if let Some(block) = &item.default {
            self.body(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

fn is_public(visibility: &syn::Visibility) -> bool {
    !matches!(visibility, syn::Visibility::Inherited)
}

fn is_bool(ty: &syn::Type) -> bool {
    match ty {
        syn::Type::Path(path) => path.path.is_ident("bool"),
        syn::Type::Reference(reference) => is_bool(&reference.elem),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        of_source(&Source::parse("lib/x/src/lib.rs", text))
            .iter()
            .map(Violation::to_string)
            .collect()
    }

    #[test]
    fn long_functions_are_found() {
        let long = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(59));
        assert_eq!(
            found(&long),
            ["lib/x/src/lib.rs:1: f has 61 lines, at most 60"]
        );
        let short = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(58));
        assert_eq!(found(&short), [""; 0]);
    }

    #[test]
    fn many_parameters_are_found() {
        assert_eq!(found("fn f(a: u8, b: u8, c: u8, d: u8, e: u8) {}").len(), 0);
        assert_eq!(
            found("fn f(a: u8, b: u8, c: u8, d: u8, e: u8, g: u8) {}").len(),
            1
        );
        assert_eq!(
            found("impl A { fn f(&self, a: u8, b: u8, c: u8, d: u8, e: u8) {} }").len(),
            0
        );
    }

    #[test]
    fn bools_of_public_functions_are_found() {
        assert_eq!(found("pub fn f(a: bool) {}").len(), 1);
        assert_eq!(
            found("impl A { pub(crate) fn f(&self, a: &bool) {} }").len(),
            1
        );
        assert_eq!(found("pub trait T { fn f(&self, a: bool); }").len(), 1);
        assert_eq!(
            found("fn f(a: bool) {}\nimpl T for A { fn f(&self, a: bool) {} }").len(),
            0
        );
    }

    #[test]
    fn large_files_are_found_and_main_is_held_short() {
        let text = "//! Head.\n".to_owned() + &"const A: u8 = 0;\n".repeat(500);
        assert_eq!(found(&text).len(), 1);
        let main = "const A: u8 = 0;\n".repeat(61);
        assert_eq!(
            of_source(&Source::parse("bins/x/src/main.rs", &main)).len(),
            1
        );
        assert_eq!(
            of_source(&Source::parse("tests/x/src/main.rs", &main)).len(),
            0
        );
    }
}
