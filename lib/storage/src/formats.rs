//! What opens a mailbox: the only place that knows the formats apart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dbox::AttachmentDir;
use format_maildir::{Maildir, settings::Options as MaildirOptions};
use format_mbox::digest::Md5Headers;
use format_mbox::{LockMethod, Mbox, Syncs, Writes};
use format_mdbox::{Dirs, Mdbox, Naming};
use format_sdbox::{Options as SdboxOptions, Sdbox};
use index::{Thresholds, cache};
use mailbox::{Context, Error, StoredMailbox};
use sys::fs::Fs;

use crate::list::List;
use crate::location::{Expand, Format, Index, Location, below};
use crate::settings::{MboxMd5, Settings};
use crate::shared::Shared;
use crate::user::MailUser;

/// What the configuration says to each format.
#[derive(Clone, Debug)]
pub struct Options {
    cache: cache::Settings,
    thresholds: Thresholds,
    maildir: MaildirOptions,
    sdbox: SdboxOptions,
    mdbox: MdboxOptions,
    mbox: format_mbox::Settings,
}

/// Of one storage, but for where it is.
#[derive(Clone, Debug)]
struct MdboxOptions {
    common: mailbox::Settings,
    attachments: Option<PathBuf>,
    rotate_size: u64,
    rotate_interval: Duration,
}

impl Options {
    /// Reads them.
    ///
    /// # Errors
    /// [`Error::Config`]
    pub fn of(settings: &Settings, user: &MailUser) -> Result<Self, Error> {
        let common = settings.of_mailboxes();
        let attachments = match settings.mail_attachment_dir.as_str() {
            "" => None,
            dir => Some(PathBuf::from(user.expand(dir)?)),
        };
        Ok(Self {
            cache: settings.of_caches(),
            thresholds: settings.of_indexes(),
            maildir: settings.of_maildirs(),
            sdbox: SdboxOptions {
                attachments: attachments.clone(),
                encoding: common.compression,
            },
            mdbox: MdboxOptions {
                common,
                attachments,
                rotate_size: settings.mdbox_rotate_size.0,
                rotate_interval: settings.mdbox_rotate_interval.duration(),
            },
            mbox: of_mboxes(settings, user)?,
        })
    }

    /// What it says about caches.
    pub(crate) fn cache(&self) -> &cache::Settings {
        &self.cache
    }

    /// Where attachments are that are not in their messages.
    #[must_use]
    pub fn attachments(&self) -> Option<&Path> {
        self.mdbox.attachments.as_deref()
    }

    /// A mailbox in memory; nothing is read yet.
    pub(crate) fn open(
        &self,
        shared: &Shared,
        (list, levels): (&List, &[String]),
        context: Context,
    ) -> Result<Arc<dyn StoredMailbox>, Error> {
        let listed = list.listed_as(levels, &context.place);
        match list.location.format {
            Format::Maildir => {
                let maildir = Maildir::new(context, self.maildir);
                let maildir = maildir.watched_by(Arc::clone(&shared.watcher));
                let maildir = maildir.cached_as(self.cache.clone());
                Ok(Arc::new(maildir.rotated_as(self.thresholds)))
            }
            Format::Sdbox => {
                let sdbox = Sdbox::new(context, self.sdbox.clone());
                let sdbox = sdbox.listed_as(listed).cached_as(self.cache.clone());
                Ok(Arc::new(sdbox.rotated_as(self.thresholds)))
            }
            Format::Mdbox => {
                let storage = shared.mdbox(&self.mdbox.place(&list.location)?, |dirs| {
                    let settings = self.mdbox.settings(&context.fs);
                    format_mdbox::Storage::new(context.fs.clone(), dirs, settings)
                });
                let naming = match listed {
                    Some(listed) => Naming::Index(listed),
                    None => Naming::Directories(levels.join("/")),
                };
                let mdbox = Mdbox::new(storage, context, naming);
                let mdbox = mdbox.cached_as(self.cache.clone());
                Ok(Arc::new(mdbox.rotated_as(self.thresholds)))
            }
            Format::Mbox => {
                let mbox = Mbox::new(context, self.mbox.clone());
                let mbox = mbox.cached_as(self.cache.clone());
                Ok(Arc::new(mbox.rotated_as(self.thresholds)))
            }
        }
    }
}

fn of_mboxes(settings: &Settings, user: &MailUser) -> Result<format_mbox::Settings, Error> {
    let locks = |name: &str, words: &[String]| {
        let locks = LockMethod::parse_list(&words.join(" "));
        locks.map_err(|error| Error::Config(format!("{name}: {error}")))
    };
    let sender = match user.name.contains('@') {
        true => user.name.clone(),
        false => {
            let host = String::from_utf8_lossy(sys::fs::dotlock::host_name());
            format!("{}@{host}", user.name)
        }
    };
    let mbox = format_mbox::Settings {
        read_locks: locks("mbox_read_locks", &settings.mbox_read_locks)?,
        write_locks: locks("mbox_write_locks", &settings.mbox_write_locks)?,
        lock_timeout: settings.mbox_lock_timeout.duration(),
        dotlock_change_timeout: settings.mbox_dotlock_change_timeout.duration(),
        syncs: match (settings.mbox_dirty_syncs, settings.mbox_very_dirty_syncs) {
            (_, true) => Syncs::VeryDirty,
            (true, false) => Syncs::Dirty,
            (false, false) => Syncs::Clean,
        },
        writes: match settings.mbox_lazy_writes {
            true => Writes::Lazy,
            false => Writes::Prompt,
        },
        md5: match settings.mbox_md5 {
            MboxMd5::Apop3d => Md5Headers::Apop3d,
            MboxMd5::All => Md5Headers::All,
        },
        sender,
    };
    mbox.check()
        .map_err(|error| Error::Config(error.to_owned()))?;
    Ok(mbox)
}

impl MdboxOptions {
    fn place(&self, location: &Location) -> Result<Dirs, Error> {
        let mail = location.root.join(STORAGE);
        let index = match &location.index {
            Index::Beside => &location.root,
            Index::Under(index) => index,
            Index::Memory => {
                let text = "mail_location: mdbox needs index files: INDEX=MEMORY would lose mail";
                return Err(Error::Config(text.to_owned()));
            }
        };
        Ok(Dirs {
            alt: location.alt.as_ref().map(|alt| alt.join(STORAGE)),
            map: index.join(STORAGE),
            mailboxes: below(index, &location.mailbox_dir),
            mail,
        })
    }

    fn settings(&self, fs: &Fs) -> format_mdbox::Settings {
        let attachments = self.attachments.clone();
        format_mdbox::Settings {
            common: self.common,
            encoding: self.common.compression,
            attachments: attachments.map(|dir| AttachmentDir::new(fs.clone(), dir)),
            rotate_size: self.rotate_size,
            rotate_interval: self.rotate_interval,
        }
    }
}

/// Where mdbox has the messages of all mailboxes.
const STORAGE: &str = "storage";
