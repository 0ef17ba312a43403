//! What the suites share: machines, clients, corpora, Dovecot as oracle.
