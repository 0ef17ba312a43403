//! One message into one mailbox of one user.
