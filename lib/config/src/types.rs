//! The types that a service's settings struct may use beside `bool`, numbers, `String`, `Vec` and its own enums.
//!
//! A newtype says the unit: a field of type [`Seconds`] refuses a setting that is a size, so that a
//! mistaken unit is found when the struct is first read and not in production.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, de};
use zeroize::Zeroizing;

/// A number of bytes, 0 to 2⁶⁴-1 (`vsz_limit = 256 M`). What 0 means is said by the setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Size(pub u64);

/// A time in whole seconds, 0 to 2³²-1 (`auth_failure_delay = 2 secs`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seconds(pub u64);

/// A time in milliseconds, 0 to 2³²-1 (settings whose Dovecot type counts milliseconds).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Millis(pub u64);

/// The number of a user of this host, looked up when the configuration was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UserId(pub u32);

/// The number of a group of this host, looked up when the configuration was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub u32);

impl Size {
    /// The size as a memory size; 2⁶⁴-1 and whatever the address space can't hold become `usize::MAX`.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Seconds {
    /// The same time for timers.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

impl Millis {
    /// The same time for timers.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// Text that nobody may read in a log: a key, a password. Overwritten when dropped, `…` in `Debug`, no `Display`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps `text` secret from now on.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the one place that uses it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// True when nothing was configured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.is_empty() {
            "Secret()"
        } else {
            "Secret(…)"
        })
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_newtype_struct("Secret", self.reveal())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Secret")]
        struct Plain(String);
        Plain::deserialize(input).map(|plain| Self::new(plain.0))
    }
}

/// Networks: `10.0.0.0/8 192.168.1.1 fe80::/10`. An address without a length is a network of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(pub Vec<IpNet>);

impl Networks {
    /// Is this address in one of the networks? An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }

    /// Reads the list; the error is the word that is no network.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.split([' ', ',', '\t'])
            .filter(|word| !word.is_empty())
            .map(network)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// One network, or one address as a network of one.
pub(crate) fn network(word: &str) -> Result<IpNet, String> {
    let bare = || word.parse::<IpAddr>().map(IpNet::from);
    word.parse::<IpNet>()
        .or_else(|_| bare())
        .map(|net| net.trunc())
        .map_err(|_| word.to_owned())
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename = "Networks")]
        struct Plain(String);
        let plain = Plain::deserialize(input)?;
        Self::parse(&plain.0).map_err(|word| de::Error::custom(format!("Invalid network: {word}")))
    }
}
