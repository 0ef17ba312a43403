//! passwd-file: `user:password:uid:gid:gecos:home:shell:extra fields`, as passdb and as userdb.
//!
//! The file is read whole and kept; a lookup looks whether it has changed since. Its name may have variables
//! (`/etc/mail/%d/passwd`): then there is one file for each domain.

mod file;
mod parse;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use config::expand::Template;

use super::{Answer, Record};
use crate::context::{self, Context};
use crate::outside::{Level, Note, Outside, Weight};

use file::{Loaded, Stamp};
use parse::Entry;

/// Files with variable names that are kept at the same time.
const MAX_FILES: usize = 100;

/// All password files of the service. Passdbs and userdbs that name the same file share its lines, nothing else.
#[derive(Debug, Default, Clone)]
pub(crate) struct Files(Rc<RefCell<HashMap<PathBuf, Loaded>>>);

/// One passdb's or userdb's view on a file.
#[derive(Debug)]
pub(crate) struct PasswdFile {
    files: Files,
    path: Template,
    username: Template,
    /// Scheme of passwords without `{SCHEME}`.
    default_scheme: String,
}

impl PasswdFile {
    /// Reads `[scheme=…] [username_format=…] path`.
    pub(crate) fn new(args: &str, files: &Files) -> Result<Self, String> {
        let (mut scheme, mut username, mut rest) = ("CRYPT", "%u", args.trim_start());
        loop {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            if let Some(value) = word.strip_prefix("scheme=") {
                scheme = value;
            } else if let Some(value) = word.strip_prefix("username_format=") {
                username = value;
            } else {
                break;
            }
            rest = after.trim_start();
        }
        if !rest.starts_with('/') {
            return Err("passwd-file: args need the file's absolute path".to_owned());
        }
        let template = |text| context::template(text).map_err(|error| error.to_string());
        Ok(Self {
            files: files.clone(),
            path: template(rest)?,
            username: template(username)?,
            default_scheme: scheme.to_owned(),
        })
    }

    /// What passdb wants.
    pub(crate) async fn password(
        &self,
        context: &Context<'_>,
        outside: &impl Outside,
    ) -> Answer<Record> {
        self.entry(context, outside).await.map(|entry| Record {
            password: entry.password.clone(),
            default_scheme: self.default_scheme.clone(),
            fields: entry.extra.expand(context),
        })
    }

    /// What userdb wants: uid, gid, home, and of the extra fields those that begin with `userdb_`.
    pub(crate) async fn user(
        &self,
        context: &Context<'_>,
        outside: &impl Outside,
    ) -> Answer<Vec<(String, String)>> {
        match self.entry(context, outside).await {
            Answer::Found(entry) => user_fields(&entry, context),
            Answer::Unknown => Answer::Unknown,
            Answer::Failed(why) => Answer::Failed(why),
        }
    }

    /// All users of the file, in its order; none where its name has variables.
    pub(crate) async fn users(&self, outside: &impl Outside) -> Result<Vec<String>, String> {
        let Some(path) = self.constant_path() else {
            return Ok(Vec::new());
        };
        let loaded = self.load(&path, outside).await?;
        Ok(loaded
            .map(|loaded| loaded.order.clone())
            .unwrap_or_default())
    }

    /// Reads the file ahead of the first lookup, so that its mistakes show at the start.
    pub(crate) async fn preload(&self, outside: &impl Outside) -> Result<(), String> {
        if let Some(path) = self.constant_path() {
            self.load(&path, outside).await?;
        }
        Ok(())
    }

    /// `None`: there is a file for each user or domain.
    fn constant_path(&self) -> Option<PathBuf> {
        let nothing = |_: &str| None;
        let path = self.path.is_constant().then(|| self.path.expand(&nothing));
        path?.ok().map(PathBuf::from)
    }

    async fn entry(&self, context: &Context<'_>, outside: &impl Outside) -> Answer<Arc<Entry>> {
        // A domain of `..`, or none, has no file.
        let Some(path) = context.expand_path(&self.path) else {
            return Answer::Unknown;
        };
        match self.load(Path::new(&path), outside).await {
            Ok(Some(file)) => match file.entries.get(&context.expand(&self.username)) {
                Some(entry) => Answer::Found(entry.clone()),
                None => Answer::Unknown,
            },
            Ok(None) => Answer::Unknown,
            Err(why) => Answer::Failed(why),
        }
    }

    /// The file's content, read anew if the file is another than it was. `None`: there is no such file, which is an
    /// error unless its name has variables.
    async fn load(
        &self,
        path: &Path,
        outside: &impl Outside,
    ) -> Result<Option<Arc<parse::Content>>, String> {
        let stamp = match Stamp::of(path) {
            Ok(stamp) => stamp,
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound && !self.path.is_constant() =>
            {
                return Ok(None);
            }
            Err(error) => return Err(format!("stat({}) failed: {error}", path.display())),
        };
        if let Some(content) = self.files.begin(path, stamp) {
            return Ok(Some(content));
        }
        let guard = Reading {
            files: &self.files,
            path,
        };
        let reading = path.to_owned();
        let read = outside
            .off_loop(Weight::Lookup, move || file::read(&reading))
            .await;
        drop(guard);
        let read = read
            .ok_or_else(|| "reading was given up".to_owned())
            .and_then(|read| read);
        if let Ok((_, content)) = &read {
            for problem in &content.problems {
                outside.note(Note {
                    level: Level::Error,
                    source: "passwd-file",
                    user: String::new(),
                    master: false,
                    text: format!("{}: {problem}", path.display()),
                });
            }
        }
        self.files.finish(path, read).map(Some)
    }
}

fn user_fields(entry: &Entry, context: &Context<'_>) -> Answer<Vec<(String, String)>> {
    let Some(user) = &entry.user else {
        return Answer::Unknown;
    };
    let mut fields = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        fields.extend(value.map(|value| (name.to_owned(), value)));
    };
    add("uid", user.uid.map(|uid| uid.to_string()));
    add("gid", user.gid.map(|gid| gid.to_string()));
    add("home", user.home.clone());
    for (name, value) in entry.extra.expand(context) {
        if let Some(name) = name.strip_prefix("userdb_") {
            add(name, Some(value));
        }
    }
    Answer::Found(fields)
}

/// While it lives, the file is being read anew. Whoever asked may give up in the middle.
struct Reading<'a> {
    files: &'a Files,
    path: &'a Path,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        if let Some(loaded) = self.files.0.borrow_mut().get_mut(self.path) {
            loaded.reading = false;
        }
    }
}

impl Files {
    /// The content, if it is fresh or somebody else is already reading the file anew; otherwise the caller reads it.
    fn begin(&self, path: &Path, stamp: Stamp) -> Option<Arc<parse::Content>> {
        let mut files = self.0.borrow_mut();
        let loaded = files.get_mut(path)?;
        if loaded.stamp == stamp || loaded.reading {
            return Some(loaded.content.clone());
        }
        loaded.reading = true;
        None
    }

    /// Keeps what was read, or forgets the file.
    fn finish(
        &self,
        path: &Path,
        read: Result<(Stamp, parse::Content), String>,
    ) -> Result<Arc<parse::Content>, String> {
        let mut files = self.0.borrow_mut();
        let (stamp, content) = read.inspect_err(|_| {
            files.remove(path);
        })?;
        let content = Arc::new(content);
        if files.len() >= MAX_FILES && !files.contains_key(path) {
            files.clear();
        }
        files.insert(
            path.to_owned(),
            Loaded {
                stamp,
                content: content.clone(),
                reading: false,
            },
        );
        Ok(content)
    }
}

#[cfg(test)]
mod tests;
