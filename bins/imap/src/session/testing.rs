//! A store in memory and a client at the other end of a socket pair, for tests of sessions.

use std::io::{self, Cursor, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use broker::Stop;
use ipc::worker::Back;
use mailbox::{
    Access, Appended, Change, Copied, Error, Expunges, FlagChange, FlagState, Flags, Keyword,
    ListEntry, Mail, MailDate, MailStore, Mailbox, MailboxName, NamespaceInfo, NewMail, ReadSeek,
    Save, Seq, SpecialUse, Status, Uid, UidSet, UidValidity,
};

use super::expected::changed;
use super::{Begin, Context, Ended, Outcome, Parked, Returned, Settings, Who, run};

/// One mail.
#[derive(Clone)]
struct Item {
    uid: Uid,
    state: FlagState,
    body: Arc<Vec<u8>>,
    date: MailDate,
}

/// One mailbox as it is on "disk".
struct Disk {
    name: MailboxName,
    items: Vec<Item>,
    next: u32,
    keywords: Vec<Keyword>,
    subscribed: bool,
    exists: bool,
    watchers: Vec<UnixStream>,
}

/// All mailboxes of a user; clones are the same.
#[derive(Clone, Default)]
pub struct Memory {
    disks: Arc<Mutex<Vec<Arc<Mutex<Disk>>>>>,
}

impl Memory {
    /// With an empty INBOX.
    pub fn new() -> Self {
        let mut memory = Self::default();
        memory.create(&MailboxName::new("INBOX").unwrap()).unwrap();
        memory
    }

    /// Delivers a message, as another process would.
    pub fn deliver(&self, name: &str, body: &[u8]) {
        let disk = self.disk(&MailboxName::new(name).unwrap()).unwrap();
        let mail = NewMail {
            internal_date: Some(MailDate {
                seconds: 0,
                offset_minutes: 0,
            }),
            ..NewMail::default()
        };
        disk.lock().unwrap().append(&mail, body.to_vec());
    }

    fn disk(&self, name: &MailboxName) -> Result<Arc<Mutex<Disk>>, Error> {
        let disks = self.disks.lock().unwrap();
        let found = disks.iter().find(|disk| {
            let disk = disk.lock().unwrap();
            disk.name == *name && disk.exists
        });
        found.cloned().ok_or_else(|| Error::NotFound {
            mailbox: name.clone(),
        })
    }

    fn entries(&self, wanted: impl Fn(&Disk) -> bool, patterns: &[String]) -> Vec<ListEntry> {
        let disks = self.disks.lock().unwrap();
        let mut entries = Vec::new();
        for disk in disks.iter() {
            let disk = disk.lock().unwrap();
            let name = disk.name.as_str();
            if wanted(&disk)
                && patterns
                    .iter()
                    .any(|pattern| pattern == "*" || pattern == "%" || pattern == name)
            {
                entries.push(ListEntry {
                    name: disk.name.clone(),
                    separator: '/',
                    selectable: true,
                    exists: disk.exists,
                    has_children: false,
                    no_inferiors: false,
                    subscribed: disk.subscribed,
                    special_use: special_use(&disk.name),
                });
            }
        }
        entries
    }
}

fn special_use(name: &MailboxName) -> Vec<SpecialUse> {
    match name.as_str() {
        "Trash" => vec![SpecialUse("\\Trash".into())],
        _ => vec![],
    }
}

impl Disk {
    fn append(&mut self, mail: &NewMail, body: Vec<u8>) -> Uid {
        let uid = Uid::new(self.next).unwrap();
        self.next += 1;
        self.intern(&mail.keywords);
        let change = FlagChange::Replace(mail.flags, mail.keywords.clone());
        let mut state = changed(&FlagState::default(), &change, &self.keywords);
        state.flags = state.flags.with(Flags::RECENT);
        let date = mail.internal_date.unwrap_or(MailDate {
            seconds: 1_000_000_000,
            offset_minutes: 0,
        });
        self.items.push(Item {
            uid,
            state,
            body: Arc::new(body),
            date,
        });
        self.wake();
        uid
    }

    fn intern(&mut self, keywords: &[Keyword]) {
        for keyword in keywords {
            if !self.keywords.contains(keyword) {
                self.keywords.push(keyword.clone());
            }
        }
    }

    fn wake(&mut self) {
        for watcher in &mut self.watchers {
            let _ = watcher.write(b"x");
        }
    }
}

/// A session's view.
struct View {
    name: MailboxName,
    disk: Arc<Mutex<Disk>>,
    access: Access,
    items: Vec<Item>,
    keywords: Vec<Keyword>,
    next: u32,
    changes: UnixStream,
}

impl View {
    fn item(&self, seq: Seq) -> Option<&Item> {
        self.items.get(seq.get() as usize - 1)
    }
}

fn seq_at(index: usize) -> Seq {
    Seq::new(u32::try_from(index).unwrap() + 1).unwrap()
}

impl Mailbox for View {
    fn name(&self) -> &MailboxName {
        &self.name
    }

    fn access(&self) -> Access {
        self.access
    }

    fn status(&self) -> Status {
        let count = |test: &dyn Fn(&Item) -> bool| {
            u32::try_from(self.items.iter().filter(|item| test(item)).count()).unwrap()
        };
        Status {
            messages: self.len(),
            recent: count(&|item| item.state.flags.contains(Flags::RECENT)),
            unseen: count(&|item| !item.state.flags.contains(Flags::SEEN)),
            uid_next: Uid::new(self.next).unwrap(),
            uid_validity: UidValidity::new(7).unwrap(),
            highest_modseq: None,
        }
    }

    fn first_unseen(&self) -> Option<Seq> {
        self.items
            .iter()
            .position(|item| !item.state.flags.contains(Flags::SEEN))
            .map(seq_at)
    }

    fn keywords(&self) -> &[Keyword] {
        &self.keywords
    }

    fn accepts_new_keywords(&self) -> bool {
        true
    }

    fn len(&self) -> u32 {
        u32::try_from(self.items.len()).unwrap()
    }

    fn uid(&self, seq: Seq) -> Option<Uid> {
        self.item(seq).map(|item| item.uid)
    }

    fn seq(&self, uid: Uid) -> Option<Seq> {
        self.items
            .binary_search_by_key(&uid, |item| item.uid)
            .ok()
            .map(seq_at)
    }

    fn seq_at_least(&self, uid: Uid) -> Option<Seq> {
        let index = self.items.partition_point(|item| item.uid < uid);
        (index < self.items.len()).then(|| seq_at(index))
    }

    fn flags(&self, seq: Seq) -> Option<FlagState> {
        self.item(seq).map(|item| item.state.clone())
    }

    fn sync(&mut self, expunges: Expunges) -> Result<Vec<Change>, Error> {
        let mut byte = [0; 64];
        while self.changes.read(&mut byte).is_ok_and(|count| count > 0) {}
        let disk = self.disk.lock().unwrap();
        if !disk.exists {
            return Err(Error::NotFound {
                mailbox: self.name.clone(),
            });
        }
        let mut changes = Vec::new();
        let mut index = 0;
        while expunges == Expunges::Show && index < self.items.len() {
            let uid = self.items[index].uid;
            if disk.items.iter().any(|item| item.uid == uid) {
                index += 1;
            } else {
                self.items.remove(index);
                changes.push(Change::Expunged {
                    seq: seq_at(index),
                    uid,
                });
            }
        }
        for (index, mine) in self.items.iter_mut().enumerate() {
            if let Some(item) = disk
                .items
                .iter()
                .find(|item| item.uid == mine.uid && item.state != mine.state)
            {
                mine.state = item.state.clone();
                changes.push(Change::Flags { seq: seq_at(index) });
            }
        }
        let new = disk
            .items
            .iter()
            .filter(|item| item.uid.get() >= self.next)
            .cloned()
            .collect::<Vec<_>>();
        let grown = !new.is_empty();
        self.items.extend(new);
        self.next = disk.next;
        self.keywords.clone_from(&disk.keywords);
        drop(disk);
        if grown {
            changes.push(Change::Grown {
                messages: self.len(),
                recent: self.status().recent,
            });
        }
        Ok(changes)
    }

    fn mail(&mut self, seq: Seq) -> Result<Box<dyn Mail + '_>, Error> {
        let item = self.item(seq).ok_or(Error::Expunged)?.clone();
        let there = self
            .disk
            .lock()
            .unwrap()
            .items
            .iter()
            .any(|other| other.uid == item.uid);
        if there {
            Ok(Box::new(item))
        } else {
            Err(Error::Expunged)
        }
    }

    fn store_flags(&mut self, uids: &UidSet, change: &FlagChange) -> Result<(), Error> {
        let mut disk = self.disk.lock().unwrap();
        let (FlagChange::Add(_, words)
        | FlagChange::Remove(_, words)
        | FlagChange::Replace(_, words)) = change;
        disk.intern(words);
        let keywords = disk.keywords.clone();
        for item in disk.items.iter_mut().filter(|item| uids.contains(item.uid)) {
            item.state = changed(&item.state, change, &keywords);
        }
        disk.wake();
        Ok(())
    }

    fn expunge(&mut self, within: Option<&UidSet>) -> Result<(), Error> {
        let mut disk = self.disk.lock().unwrap();
        let wanted = |item: &Item| within.is_none_or(|uids| uids.contains(item.uid));
        disk.items
            .retain(|item| !(item.state.flags.contains(Flags::DELETED) && wanted(item)));
        disk.wake();
        Ok(())
    }

    fn remove(&mut self, uids: &UidSet) -> Result<(), Error> {
        let mut disk = self.disk.lock().unwrap();
        disk.items.retain(|item| !uids.contains(item.uid));
        disk.wake();
        Ok(())
    }

    fn change_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.changes.as_fd())
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

impl Mail for Item {
    /// A message that begins with `SHORT` is shorter than its store believes.
    fn size(&mut self) -> Result<u64, Error> {
        if self.body.starts_with(b"SHORT") {
            return Ok(1000);
        }
        let body = &self.body;
        let bare = body.iter().enumerate().filter(|(at, byte)| {
            **byte == b'\n' && at.checked_sub(1).and_then(|before| body.get(before)) != Some(&b'\r')
        });
        Ok((body.len() + bare.count()) as u64)
    }

    fn internal_date(&mut self) -> Result<MailDate, Error> {
        Ok(self.date)
    }

    fn save_date(&mut self) -> Result<Option<MailDate>, Error> {
        Ok(None)
    }

    fn guid(&mut self) -> Result<String, Error> {
        Ok(self.uid.to_string())
    }

    /// A message that begins with `BROKEN` cannot be opened.
    fn body(&mut self) -> Result<Box<dyn ReadSeek + '_>, Error> {
        if self.body.starts_with(b"BROKEN") {
            let source = io::Error::from(io::ErrorKind::PermissionDenied);
            return Err(Error::Syscall {
                call: "open",
                path: "/x".into(),
                source,
            });
        }
        Ok(Box::new(Cursor::new(self.body.as_slice())))
    }
}

struct Saving {
    disk: Arc<Mutex<Disk>>,
    mails: Vec<(NewMail, Vec<u8>)>,
}

impl Save for Saving {
    fn save(&mut self, mail: &NewMail, body: &mut dyn Read) -> Result<(), Error> {
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).map_err(Error::Input)?;
        self.mails.push((mail.clone(), bytes));
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<Appended, Error> {
        let mut disk = self.disk.lock().unwrap();
        let uids = self
            .mails
            .into_iter()
            .map(|(mail, body)| disk.append(&mail, body))
            .collect();
        Ok(Appended {
            uid_validity: UidValidity::new(7).unwrap(),
            uids,
        })
    }
}

impl MailStore for Memory {
    fn namespaces(&self) -> Vec<NamespaceInfo> {
        vec![NamespaceInfo {
            prefix: String::new(),
            separator: '/',
            kind: mailbox::NamespaceKind::Personal,
        }]
    }

    fn list(&mut self, patterns: &[String]) -> Result<Vec<ListEntry>, Error> {
        Ok(self.entries(|disk| disk.exists, patterns))
    }

    fn list_subscribed(&mut self, patterns: &[String]) -> Result<Vec<ListEntry>, Error> {
        Ok(self.entries(|disk| disk.subscribed, patterns))
    }

    fn special_use(&self, name: &MailboxName) -> Vec<SpecialUse> {
        special_use(name)
    }

    fn open(&mut self, name: &MailboxName, access: Access) -> Result<Box<dyn Mailbox>, Error> {
        let disk = self.disk(name)?;
        let (watcher, changes) = UnixStream::pair().unwrap();
        changes.set_nonblocking(true).unwrap();
        watcher.set_nonblocking(true).unwrap();
        let mut locked = disk.lock().unwrap();
        locked.watchers.push(watcher);
        let items = locked.items.clone();
        if access == Access::ReadWrite {
            for item in &mut locked.items {
                item.state.flags = item.state.flags.without(Flags::RECENT);
            }
        }
        let (keywords, next) = (locked.keywords.clone(), locked.next);
        drop(locked);
        // `\Recent` belongs to this view from now on: changes on "disk" are seen against what it has without.
        let mut items: Vec<Item> = items;
        if access == Access::ReadWrite {
            for item in &mut items {
                item.state.flags = item.state.flags.without(Flags::RECENT);
            }
        }
        Ok(Box::new(View {
            name: name.clone(),
            disk,
            access,
            items,
            keywords,
            next,
            changes,
        }))
    }

    fn watch(&mut self, name: &MailboxName) -> Result<Option<OwnedFd>, Error> {
        let (watcher, changes) = UnixStream::pair().unwrap();
        watcher.set_nonblocking(true).unwrap();
        self.disk(name)?.lock().unwrap().watchers.push(watcher);
        Ok(Some(changes.into()))
    }

    fn status(&mut self, name: &MailboxName) -> Result<Status, Error> {
        self.open(name, Access::ReadOnly).map(|view| view.status())
    }

    fn create(&mut self, name: &MailboxName) -> Result<(), Error> {
        if self.disk(name).is_ok() {
            return Err(Error::Exists {
                mailbox: name.clone(),
            });
        }
        let disk = Disk {
            name: name.clone(),
            items: Vec::new(),
            next: 1,
            keywords: Vec::new(),
            subscribed: false,
            exists: true,
            watchers: Vec::new(),
        };
        self.disks.lock().unwrap().push(Arc::new(Mutex::new(disk)));
        Ok(())
    }

    fn delete(&mut self, name: &MailboxName) -> Result<(), Error> {
        let disk = self.disk(name)?;
        let mut disk = disk.lock().unwrap();
        disk.exists = false;
        disk.wake();
        Ok(())
    }

    fn rename(&mut self, from: &MailboxName, to: &MailboxName) -> Result<(), Error> {
        let disk = self.disk(from)?;
        if self.disk(to).is_ok() {
            return Err(Error::Exists {
                mailbox: to.clone(),
            });
        }
        disk.lock().unwrap().name = to.clone();
        Ok(())
    }

    fn subscribe(&mut self, name: &MailboxName) -> Result<(), Error> {
        self.disk(name)?.lock().unwrap().subscribed = true;
        Ok(())
    }

    fn unsubscribe(&mut self, name: &MailboxName) -> Result<(), Error> {
        if let Ok(disk) = self.disk(name) {
            disk.lock().unwrap().subscribed = false;
        }
        Ok(())
    }

    fn begin_save(&mut self, name: &MailboxName) -> Result<Box<dyn Save + '_>, Error> {
        Ok(Box::new(Saving {
            disk: self.disk(name)?,
            mails: Vec::new(),
        }))
    }

    fn copy(
        &mut self,
        from: &mut dyn Mailbox,
        uids: &UidSet,
        to: &MailboxName,
    ) -> Result<Copied, Error> {
        let disk = self.disk(to)?;
        let mut copied = Copied {
            uid_validity: UidValidity::new(7).unwrap(),
            from: vec![],
            to: vec![],
        };
        for seq in (1..=from.len()).filter_map(Seq::new) {
            let Some(uid) = from.uid(seq).filter(|uid| uids.contains(*uid)) else {
                continue;
            };
            let mut body = Vec::new();
            from.mail(seq)?
                .body()?
                .read_to_end(&mut body)
                .map_err(Error::Input)?;
            copied.from.push(uid);
            copied
                .to
                .push(disk.lock().unwrap().append(&NewMail::default(), body));
        }
        Ok(copied)
    }
}

/// A client that has just logged in with the tag `login`.
pub struct TestClient {
    stream: UnixStream,
    session: Option<JoinHandle<Outcome>>,
    stores: Box<dyn Fn() -> Box<dyn MailStore>>,
    settings: Settings,
    /// Tells the session to end.
    pub stop: Stop,
    received: Vec<u8>,
}

impl TestClient {
    /// A session over `memory`, greeting already read.
    pub fn new(memory: &Memory) -> Self {
        Self::with(memory, Settings::default(), b"")
    }

    /// The same with settings, and with bytes that login had read already.
    pub fn with(memory: &Memory, settings: Settings, unread: &[u8]) -> Self {
        let memory = memory.clone();
        Self::over(move || Box::new(memory.clone()), settings, unread)
    }

    /// The same over any store.
    pub fn over(
        stores: impl Fn() -> Box<dyn MailStore> + 'static,
        settings: Settings,
        unread: &[u8],
    ) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut client = Self {
            stream: ours,
            session: None,
            stores: Box::new(stores),
            settings,
            stop: Stop::new().unwrap(),
            received: Vec::new(),
        };
        let (tag, unread) = ("login".to_owned(), unread.to_vec());
        client.begin(theirs, Begin::LoggedIn { tag, unread });
        client.until(|line| line.starts_with("login OK"));
        client
    }

    fn begin(&mut self, theirs: UnixStream, begin: Begin) {
        let (mut store, settings) = ((self.stores)(), self.settings.clone());
        let stop = self.stop.clone();
        self.session = Some(std::thread::spawn(move || {
            let context = Context {
                store: &mut *store,
                stop: &stop,
                settings: &settings,
                who: Who {
                    user: "test",
                    session: "session",
                },
                begin,
            };
            run(theirs, context)
        }));
    }

    /// Waits until the session has left its thread.
    pub fn parked(&mut self) -> Box<Parked> {
        match self.session.take().unwrap().join().unwrap() {
            Outcome::Parked(parked) => parked,
            Outcome::Ended(ended) => panic!("{ended}"),
        }
    }

    /// The session goes on in another thread, as in another process.
    pub fn back(&mut self, parked: Parked, why: Back) {
        let returned = Returned::decode(&parked.state, 7, why).unwrap();
        self.begin(parked.client.into(), Begin::Back(Box::new(returned)));
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The session may have ended meanwhile; what it said is what counts.
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends `x command` and returns the answer up to its tagged line, without line ends.
    pub fn run(&mut self, command: &str) -> Vec<String> {
        self.send(format!("x {command}\r\n"));
        self.until(|line| line.starts_with("x "))
    }

    /// The tagged line alone, without the tag.
    pub fn result(&mut self, command: &str) -> String {
        self.run(command).pop().unwrap()[2..].to_owned()
    }

    /// Reads lines up to one that `last` accepts.
    pub fn until(&mut self, last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self
                .next_line()
                .unwrap_or_else(|| panic!("the session ended after {lines:?}"));
            let is_last = last(&line);
            lines.push(line);
            if is_last {
                return lines;
            }
        }
    }

    /// The next line; `None` at the end.
    pub fn next_line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=at).collect();
                return Some(
                    String::from_utf8_lossy(&line)
                        .trim_end_matches(['\r', '\n'])
                        .to_owned(),
                );
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The bytes of the literal that the next line announces.
    pub fn literal(&mut self) -> Vec<u8> {
        let line = self.next_line().unwrap();
        let size = line
            .rsplit_once('{')
            .and_then(|(_, size)| size.strip_suffix('}'))
            .unwrap()
            .parse()
            .unwrap();
        while self.received.len() < size {
            let mut buffer = vec![0; 64 << 10];
            let count = self.stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the session ended in a literal");
            self.received.extend_from_slice(&buffer[..count]);
        }
        self.received.drain(..size).collect()
    }

    /// Reads to the end; how the session ended.
    pub fn ended(mut self) -> (Vec<String>, Ended) {
        let mut lines = Vec::new();
        while let Some(line) = self.next_line() {
            lines.push(line);
        }
        match self.session.take().unwrap().join().unwrap() {
            Outcome::Ended(ended) => (lines, ended),
            Outcome::Parked(parked) => panic!("{parked:?}"),
        }
    }

    /// Sends nothing more.
    pub fn hang_up(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// The descriptor, to close or shut down.
    pub fn into_fd(self) -> OwnedFd {
        self.stream.into()
    }
}
