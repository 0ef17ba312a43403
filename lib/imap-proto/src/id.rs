//! ID's parameters. RFC 2971 §3.1, §3.3.

use std::borrow::Cow;

use crate::args::{Args, SyntaxError};

/// A parameter and its value; `None` for NIL.
pub type Parameter<'a> = (Cow<'a, [u8]>, Option<Cow<'a, [u8]>>);

/// Most parameters in one ID command. RFC 2971 §3.3.
const MAX_PARAMETERS: usize = 30;

/// Takes ID's arguments: NIL or a list of names and values. Nothing is kept of more than RFC 2971 allows.
pub fn take<'a>(args: &mut Args<'a>) -> Result<Vec<Parameter<'a>>, SyntaxError> {
    args.space()?;
    if args.take_word("NIL") {
        args.end()?;
        return Ok(Vec::new());
    }
    args.open()?;
    let mut parameters = Vec::new();
    args.skip_spaces();
    while !args.close() {
        if parameters.len() >= MAX_PARAMETERS {
            return Err(SyntaxError::new("Too many parameters."));
        }
        let name = args.string()?;
        args.space()?;
        parameters.push((name, args.nstring()?));
        args.skip_spaces();
    }
    args.end()?;
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nil_and_lists() {
        assert_eq!(take(&mut Args::new(b" NIL")), Ok(vec![]));
        assert_eq!(take(&mut Args::new(b" ()")), Ok(vec![]));
        let parameters = take(&mut Args::new(b" (\"name\" \"x\" \"os\" NIL)")).unwrap();
        assert_eq!(parameters.len(), 2);
        for wrong in [
            "",
            " ",
            " x",
            " (\"a\")",
            " (\"a\" \"b\"",
            " (\"a\" \"b\") x",
            " (a \"b\")",
        ] {
            assert!(take(&mut Args::new(wrong.as_bytes())).is_err(), "{wrong}");
        }
        let many = format!(" ({})", "\"k\" \"v\" ".repeat(MAX_PARAMETERS + 1));
        assert!(take(&mut Args::new(many.as_bytes())).is_err());
    }
}
