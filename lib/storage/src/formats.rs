//! What opens a mailbox: the only place that knows the formats apart.

use std::path::PathBuf;
use std::sync::Arc;

use format_maildir::{Maildir, settings::Options as MaildirOptions};
use format_sdbox::{Options as SdboxOptions, Sdbox};
use mailbox::{Context, Error, StoredMailbox};

use crate::list::List;
use crate::location::Format;
use crate::settings::Settings;
use crate::shared::Shared;

/// What the configuration says to each format.
#[derive(Clone, Debug)]
pub struct Options {
    maildir: MaildirOptions,
    sdbox: SdboxOptions,
}

impl Options {
    /// Reads them.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let attachments = Some(&settings.mail_attachment_dir).filter(|dir| !dir.is_empty());
        Self {
            maildir: settings.of_maildirs(),
            sdbox: SdboxOptions {
                attachments: attachments.map(PathBuf::from),
                encoding: settings.of_mailboxes().compression,
            },
        }
    }

    /// A mailbox in memory; nothing is read yet.
    pub(crate) fn open(
        &self,
        shared: &Shared,
        list: &List,
        context: Context,
    ) -> Result<Arc<dyn StoredMailbox>, Error> {
        match list.location.format {
            Format::Maildir => {
                let maildir = Maildir::new(context, self.maildir);
                Ok(Arc::new(maildir.watched_by(Arc::clone(&shared.watcher))))
            }
            Format::Sdbox => Ok(Arc::new(Sdbox::new(context, self.sdbox.clone()))),
            format @ (Format::Mbox | Format::Mdbox) => Err(Error::Config(format!(
                "mail_location: {} is not supported by this version",
                format.name()
            ))),
        }
    }
}
