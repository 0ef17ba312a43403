//! `mailbox mutf7`: names between UTF-8 and IMAP's modified UTF-7.

use imap_proto::mutf7;

use crate::cli::mail::Mutf7;
use crate::failure::Failure;
use crate::output;

/// Prints each name, converted.
pub fn convert(args: &Mutf7) -> Result<(), Failure> {
    for name in &args.names {
        let converted = match args.from_mutf7 {
            false => mutf7::encode(name),
            true => mutf7::decode(name.as_bytes())
                .ok_or_else(|| Failure::Data(format!("Mailbox name not valid mUTF-7: {name}")))?,
        };
        output::put(&format!("{converted}\n"));
    }
    Ok(())
}
