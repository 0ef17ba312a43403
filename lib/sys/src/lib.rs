//! The only crate with unsafe code: system calls behind safe signatures.
//!
//! Called by every other crate; holds no policy. Anything that only names a rule of mail,
//! of users or of services belongs elsewhere.

pub mod clock;
pub mod confine;
#[cfg(feature = "crypt")]
pub mod crypt;
pub mod fs;
pub mod inherited;
#[cfg(feature = "pam")]
pub mod pam;
pub mod peer;
pub mod privileges;
pub mod process;
pub mod random;
#[cfg(feature = "async")]
pub mod reactor;
pub mod seqpacket;
#[cfg(feature = "users")]
pub mod users;
