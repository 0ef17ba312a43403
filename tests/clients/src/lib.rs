//! Real mail clients and servers, as they come from Debian, against ours; `UNDER_TEST=dovecot` runs the same against
//! Debian's Dovecot. Each test has a user of its own in one machine.

#[cfg(test)]
mod curl;
#[cfg(test)]
mod fetchers;
#[cfg(test)]
mod imaplib;
#[cfg(test)]
mod mbsync;
#[cfg(test)]
mod neomutt;
#[cfg(test)]
mod postfix;
#[cfg(test)]
mod site;
#[cfg(test)]
mod swaks;
