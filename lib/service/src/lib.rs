//! Start-up ladder of every service: sockets, confinement, readiness, signals, journal.
