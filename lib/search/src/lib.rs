//! Which mails match: conditions on the mails of one view.
//!
//! IMAP's SEARCH and doveadm's search queries both end up as a [`Key`]; [`Search::new`] makes it ready for one
//! view, and [`Search::matches`] is asked of each mail. No more is read of a mail than its answer needs.

mod key;
mod known;
mod plan;
mod sets;
mod test;

pub use key::{Key, When};
pub use known::Trouble;
pub use plan::Search;
pub use sets::{seqs_of_spans, seqs_of_uids};
