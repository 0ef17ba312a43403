//! The installed package in a booted systemd.
