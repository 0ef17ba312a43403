//! One store, ours and real Dovecot in turns.
