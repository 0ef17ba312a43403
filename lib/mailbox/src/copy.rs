//! Copying between mailboxes of any two formats: by reading and saving.

use crate::{Copied, Error, FlagState, Keyword, Mailbox, NewMail, Save, Seq, Uid, UidSet};

/// Copies the messages of a view into a transaction, with flags, keywords and INTERNALDATE, and commits
/// it. Those that are gone are left out.
///
/// # Errors
/// Nothing was copied.
pub fn copy_by_saving(
    from: &mut dyn Mailbox,
    uids: &UidSet,
    mut saving: Box<dyn Save>,
) -> Result<Copied, Error> {
    let mut copied = Vec::new();
    for (seq, uid) in wanted(from, uids) {
        match copy_one(from, seq, saving.as_mut()) {
            Ok(()) => copied.push(uid),
            Err(Error::Expunged) => {}
            Err(error) => return Err(error),
        }
    }
    let appended = saving.commit()?;
    Ok(Copied {
        uid_validity: appended.uid_validity,
        from: copied,
        to: appended.uids,
    })
}

fn wanted(view: &dyn Mailbox, uids: &UidSet) -> Vec<(Seq, Uid)> {
    let mut wanted = Vec::new();
    for &(first, last) in uids.ranges() {
        let from = view.seq_at_least(first).map_or(u32::MAX, Seq::get);
        let seqs = (from..=view.len()).filter_map(Seq::new);
        let in_range = seqs
            .filter_map(|seq| Some((seq, view.uid(seq)?)))
            .take_while(|&(_, uid)| uid <= last);
        wanted.extend(in_range);
    }
    wanted
}

fn copy_one(from: &mut dyn Mailbox, seq: Seq, saving: &mut dyn Save) -> Result<(), Error> {
    let FlagState { flags, keywords } = from.flags(seq).ok_or(Error::Expunged)?;
    let names = from.keywords();
    let keywords: Vec<Keyword> = keywords
        .iter()
        .filter_map(|index| names.get(index).cloned())
        .collect();
    let mut mail = from.mail(seq)?;
    let new = NewMail {
        flags: flags.without(crate::Flags::RECENT),
        keywords,
        internal_date: Some(mail.internal_date()?),
        guid: Some(mail.guid()?).filter(|guid| !guid.is_empty()),
        envelope_sender: mail.envelope_sender()?,
    };
    let saved = saving.save(&new, &mut mail.body()?);
    saved.map_err(|error| match error {
        // Who sends is a mailbox, and has told why.
        Error::Input(error) => error.downcast().unwrap_or_else(Error::Input),
        error => error,
    })
}
