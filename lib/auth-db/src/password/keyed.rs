//! Passwords prepared for challenge-response mechanisms (CRAM-MD5, DIGEST-MD5, SCRAM), and PLAIN-TRUNC.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::block_api::compress;
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::digest::Hash;
use super::same;

/// Block of MD5 (RFC 1321), bytes.
const MD5_BLOCK: usize = 64;
/// State that MD5 begins with. RFC 1321 §3.3.
const MD5_START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// `length-prefix`: the password was cut to `length` bytes when it was stored. A longer one typed now matches by its
/// prefix; where the stored one is shorter than `length` nothing was cut, and all must match.
pub(super) fn plain_trunc(data: &[u8], password: &[u8]) -> Result<bool, &'static str> {
    let no_limit = "No limit value";
    let dash = data.iter().position(|byte| *byte == b'-').ok_or(no_limit)?;
    let (limit, stored) = (
        data.get(..dash).unwrap_or_default(),
        data.get(dash + 1..).unwrap_or_default(),
    );
    let limit: usize = str::from_utf8(limit)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(no_limit)?;
    if stored.len() == limit {
        return Ok(password
            .get(..limit)
            .is_some_and(|prefix| same(stored, prefix)));
    }
    Ok(same(stored, password))
}

/// The states of HMAC-MD5 after its padded keys: outer, then inner (RFC 2195 §3 suggests to store just these).
pub(super) fn cram_md5(password: &[u8]) -> Vec<u8> {
    let mut key = Zeroizing::new([0_u8; MD5_BLOCK]);
    let hashed = if password.len() > MD5_BLOCK {
        Hash::Md5.digest(&[password])
    } else {
        password.to_vec()
    };
    for (to, from) in key.iter_mut().zip(Zeroizing::new(hashed).iter()) {
        *to = *from;
    }
    let state = |pad: u8| {
        let block = Zeroizing::new(key.map(|byte| byte ^ pad));
        let mut state = MD5_START;
        compress(&mut state, &[*block]);
        state.map(u32::to_le_bytes).concat()
    };
    [state(0x5c), state(0x36)].concat()
}

/// MD5 of `user:realm:password`; the realm is what follows `@`. RFC 2831 §2.1.2.1.
pub(super) fn digest_md5(user: &str, password: &[u8]) -> Vec<u8> {
    let (name, realm) = user.split_once('@').unwrap_or((user, ""));
    Hash::Md5.digest(&[name.as_bytes(), b":", realm.as_bytes(), b":", password])
}

/// `iterations,salt,stored key,server key`, the last three in base64. RFC 5802 §3, without SASLprep, as Dovecot.
pub(super) fn verify_scram(hash: Hash, data: &[u8], password: &[u8]) -> Result<bool, &'static str> {
    let invalid = "Invalid SCRAM passdb entry format";
    let text = str::from_utf8(data).map_err(|_| invalid)?;
    let mut fields = text.split(',');
    let (Some(rounds), Some(salt), Some(stored), Some(server), None) = (
        fields.next(),
        fields.next(),
        fields.next(),
        fields.next(),
        fields.next(),
    ) else {
        return Err(invalid);
    };
    let rounds: u32 = rounds
        .parse()
        .ok()
        .filter(|rounds| *rounds > 0)
        .ok_or("Invalid iteration count")?;
    let decode = |field| STANDARD.decode(field).map_err(|_| invalid);
    let (salt, stored, server) = (decode(salt)?, decode(stored)?, decode(server)?);
    let (our_stored, our_server) = scram_keys(hash, password, &salt, rounds);
    Ok(same(&stored, &our_stored) & same(&server, &our_server))
}

/// A new SCRAM entry.
pub(super) fn generate_scram(hash: Hash, rounds: u32, salt: &[u8], password: &[u8]) -> String {
    let (stored, server) = scram_keys(hash, password, salt, rounds);
    let [salt, stored, server] = [salt, &stored, &server].map(|part| STANDARD.encode(part));
    format!("{rounds},{salt},{stored},{server}")
}

/// `StoredKey` and `ServerKey` of RFC 5802 §3.
fn scram_keys(hash: Hash, password: &[u8], salt: &[u8], rounds: u32) -> (Vec<u8>, Vec<u8>) {
    let mut salted = Zeroizing::new(vec![0; hash.size()]);
    match hash {
        Hash::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, &mut salted),
        _ => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, rounds, &mut salted),
    }
    let client = Zeroizing::new(mac(hash, &salted, b"Client Key"));
    (hash.digest(&[&client]), mac(hash, &salted, b"Server Key"))
}

fn mac(hash: Hash, key: &[u8], text: &[u8]) -> Vec<u8> {
    /// HMAC takes keys of every length, so there is no error to report.
    macro_rules! mac {
        ($hash:ty) => {
            Hmac::<$hash>::new_from_slice(key)
                .map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec())
                .unwrap_or_default()
        };
    }
    match hash {
        Hash::Sha256 => mac!(Sha256),
        _ => mac!(Sha1),
    }
}
