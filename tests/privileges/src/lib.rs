//! What every process may do and see.
