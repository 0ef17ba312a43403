//! Why a login service cannot start, or cannot serve a client.

use crate::tls;

/// For the administrator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A socket is missing, or the process is not confined.
    #[error(transparent)]
    Service(#[from] service::Error),
    /// The snapshot cannot be read, or a setting in it makes no sense.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// Auth cannot be reached.
    #[error("auth: {0}")]
    Auth(#[from] ipc::Error),
    /// Auth takes connections and says nothing.
    #[error("auth does not answer")]
    AuthSilent,
    /// A system call failed.
    #[error(transparent)]
    Syscall(#[from] std::io::Error),
}
