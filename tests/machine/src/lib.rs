//! The installed package in a booted systemd. `root-tree` and `machine` beside this crate make the systems.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod load;
#[cfg(test)]
mod package;
#[cfg(test)]
mod reload;
