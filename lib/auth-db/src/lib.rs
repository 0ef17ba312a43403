//! passdb and userdb drivers, password schemes.
