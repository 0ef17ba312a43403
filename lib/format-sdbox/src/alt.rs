//! ALT storage: older messages on slower disks. FORMATS.md §3.1.

use std::path::Path;

use dbox::{Place, Writer};
use index::Transaction;
use mailbox::{Error, Uid, UidSet};

use crate::name;
use crate::placed::Temp;
use crate::sdbox::Sdbox;
use crate::sync::IN_ALT;

impl Sdbox {
    /// Moves messages to ALT storage or back. Those that are there already stay.
    ///
    /// # Errors
    /// [`Error::Config`] without ALT storage; messages that were moved before the failure stay moved.
    pub fn move_to(&self, uids: &UidSet, to: Place) -> Result<(), Error> {
        if self.places.dir(Place::Alt).is_none() {
            let name = &self.context.name;
            return Err(Error::Config(format!("{name}: mail_location has no ALT=")));
        }
        let state = self.synced()?;
        let wanted = state.records().filter_map(|record| {
            let is_there = (record.flags() & IN_ALT != 0) == (to == Place::Alt);
            Uid::new(record.uid()).filter(|uid| !is_there && uids.contains(*uid))
        });
        for uid in wanted {
            self.move_one(uid, to)?;
        }
        Ok(())
    }

    /// The flag is a request; whoever finds it without the move does the rest.
    fn move_one(&self, uid: Uid, to: Place) -> Result<(), Error> {
        self.locked(|sync| {
            let mut transaction = Transaction::internal();
            let uids = UidSet::from_iter([uid]);
            match to {
                Place::Alt => transaction.update_flags(&uids, IN_ALT, 0),
                Place::Primary => transaction.update_flags(&uids, 0, IN_ALT),
            }
            sync.commit(&transaction).map(drop)
        })
    }

    /// Moves a message's file. A copy is durable before the original goes; both are the same until then.
    pub(crate) fn move_file(&self, uid: Uid, to: Place) -> Result<(), Error> {
        let (fs, settings) = (&self.context.fs, &self.context.settings);
        let name = name::of_mail(uid);
        let from = match to {
            Place::Primary => Place::Alt,
            Place::Alt => Place::Primary,
        };
        let (Some(from), Some(to)) = (self.places.dir(from), self.places.dir(to)) else {
            return Ok(());
        };
        let (original, copy) = (from.join(&name), to.join(&name));
        if fs.stat_opt(&original)?.is_none() {
            return Ok(());
        }
        if fs.stat_opt(&copy)?.is_none() {
            fs.mkdir_all(to, settings.dir_mode)?;
            let mut temp = self.write_copy(&original, to)?;
            temp.place(&copy)?;
            settings.durability.sync_dir(fs, to)?;
        }
        Ok(fs.unlink_if_exists(&original)?)
    }

    fn write_copy(&self, original: &Path, to: &Path) -> Result<Temp, Error> {
        let (fs, settings) = (&self.context.fs, &self.context.settings);
        let mut file = dbox::DboxFile::open(fs, original)?;
        let message = file.only_message()?;
        let mut writer = Writer::create(fs, to, settings.file_mode)?;
        let temp = Temp::new(fs.clone(), writer.file().path().to_owned());
        writer.copy(&file, &message, &message.metadata)?;
        settings.durability.sync_data(writer.file())?;
        Ok(temp)
    }
}
