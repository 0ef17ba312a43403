//! passdb and userdb drivers, password schemes.

pub mod password;
pub mod template;
