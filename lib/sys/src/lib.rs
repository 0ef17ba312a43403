//! The only crate with unsafe code: system calls behind safe signatures.
//!
//! Called by every other crate; holds no policy. Anything that only names a rule of mail,
//! of users or of services belongs elsewhere.

pub mod fs;
pub mod inherited;
pub mod peer;
pub mod privileges;
#[cfg(feature = "async")]
pub mod reactor;
pub mod seqpacket;
