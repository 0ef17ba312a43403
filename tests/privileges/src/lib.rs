//! What every process may do and see, asked of the kernel while the machine is under load.

#[cfg(test)]
mod jail;
#[cfg(test)]
mod process;
#[cfg(test)]
mod security;
#[cfg(test)]
mod table;
#[cfg(test)]
mod view;
