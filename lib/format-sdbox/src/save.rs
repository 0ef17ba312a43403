//! Saving messages. FORMATS.md §3.2: a temporary file, synced → lock → its name → the log → sync →
//! unlock. One transaction, all or none; memory does not grow with a message.

use std::io::Read;
use std::sync::Arc;

use dbox::{Key, Sizes, Writer, temp};
use index::cache::FieldId;
use mailbox::{Appended, Error, Flags, Guid, NewMail};

use crate::placed::{Pending, Source, Temp};
use crate::sdbox::Sdbox;

/// Messages on their way into one mailbox. What is not committed vanishes.
pub(crate) struct Saving {
    sdbox: Arc<Sdbox>,
    pending: Vec<Pending>,
}

impl Saving {
    pub fn begin(sdbox: Arc<Sdbox>) -> Self {
        Self {
            sdbox,
            pending: Vec::new(),
        }
    }

    fn write(&mut self, mail: &NewMail, body: &mut dyn Read) -> Result<(), Error> {
        let sdbox = &self.sdbox;
        let received = mail
            .internal_date
            .map_or(i64::from(temp::now()), |date| date.seconds);
        // A copy keeps the name of its original.
        let guid = match &mail.guid {
            Some(guid) => guid.clone(),
            None => Guid::generate().to_string(),
        };
        let mut watch = sdbox.index_and_cache()?.cached.watch();
        let mut virtual_size = 0;
        let temp = sdbox.new_file(|writer| {
            let mut describe = |sizes: &Sizes| {
                virtual_size = sizes.virtual_size;
                let mut metadata = sizes.metadata(received);
                metadata.set(Key::GUID, guid.as_bytes());
                metadata
            };
            let mut see = |bytes: &[u8]| watch.see(bytes);
            let saved = writer.save(body, sdbox.body_format(), &mut see, &mut describe);
            saved.map(drop)
        })?;
        let date = |seconds: i64| u32::try_from(seconds).unwrap_or(0).to_le_bytes().to_vec();
        let known = vec![
            (FieldId::DATE_SAVE, date(temp::now().into())),
            (FieldId::DATE_RECEIVED, date(received)),
            (FieldId::SIZE_VIRTUAL, virtual_size.to_le_bytes().to_vec()),
            (FieldId::GUID, guid.into_bytes()),
        ];
        self.pending.push(Pending {
            source: Source::Temp(temp),
            flags: mail.flags.without(Flags::RECENT),
            keywords: mail.keywords.clone(),
            attachments: None,
            known: watch.finish(known),
        });
        Ok(())
    }
}

impl Sdbox {
    /// A temporary file with one message, durable.
    pub(crate) fn new_file(
        &self,
        write: impl FnOnce(&mut Writer) -> Result<(), Error>,
    ) -> Result<Temp, Error> {
        let settings = &self.context.settings;
        let dir = &self.context.place.mail;
        let writer = Writer::create(&self.context.fs, dir, settings.file_mode);
        let mut writer = writer.map_err(|error| self.gone(error))?;
        let path = writer.file().path().to_owned();
        let temp = Temp::new(self.context.fs.clone(), path);
        write(&mut writer)?;
        settings.durability.sync_data(writer.file())?;
        Ok(temp)
    }

    /// Without its directory a mailbox is gone.
    fn gone(&self, error: Error) -> Error {
        match error {
            Error::Syscall { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                self.not_found()
            }
            other => other,
        }
    }
}

impl mailbox::Save for Saving {
    fn save(&mut self, mail: &NewMail, body: &mut dyn Read) -> Result<(), Error> {
        self.write(mail, body)
    }

    fn commit(self: Box<Self>) -> Result<Appended, Error> {
        let committed = self.sdbox.commit(self.pending)?;
        Ok(committed.appended)
    }
}
