//! Maildir on disk: uidlist, keywords, file names.
