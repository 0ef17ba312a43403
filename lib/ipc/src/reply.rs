//! What every answer has in common.

use serde::de::DeserializeOwned;

/// What a client must know of the replies it gets.
pub trait Reply: DeserializeOwned + Send + 'static {
    /// Which request it answers; `None`: none, it comes unasked.
    fn id(&self) -> Option<u32>;

    /// The version, if this is the answer to the first message.
    fn version(&self) -> Option<u16>;
}
