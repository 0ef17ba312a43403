//! What this host knows: users and groups through NSS, host names through the resolver.

use std::net::{IpAddr, ToSocketAddrs};

use config::Names;

/// The host that the configuration is compiled for.
pub struct Host;

impl Names for Host {
    fn user(&self, name: &str) -> Option<u32> {
        sys::users::by_name(name)
            .ok()
            .flatten()
            .map(|user| user.uid)
    }

    fn group(&self, name: &str) -> Option<u32> {
        sys::users::group_id(name).ok().flatten()
    }

    fn host(&self, name: &str) -> Vec<IpAddr> {
        let addresses = (name, 0).to_socket_addrs();
        let mut found: Vec<IpAddr> = addresses
            .map(|all| all.map(|address| address.ip()).collect())
            .unwrap_or_default();
        found.dedup();
        found
    }
}
