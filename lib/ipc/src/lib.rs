//! Typed messages between our services: one file per pair, SOCK_SEQPACKET, fds.
