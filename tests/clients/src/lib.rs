//! Real mail clients and servers against ours.
