//! Hashes made slow on purpose that libcrypt does not know: ARGON2I, ARGON2ID, PBKDF2.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;

use super::encoding::{from_hex, to_hex};
use super::{Error, same};

/// Bytes of a new Argon2 hash, and of its salt: libsodium's choice.
const ARGON2_HASH: usize = 32;
/// Bytes of a PBKDF2 hash.
const PBKDF2_HASH: usize = 20;

/// `$argon2id$v=19$m=65536,t=3,p=1$salt$hash`. As in Dovecot, the string says whether it is i or id, and
/// anything that is no such string matches nothing.
pub(super) fn verify_argon2(data: &[u8], password: &[u8]) -> bool {
    let Some((argon2, salt, hash)) = str::from_utf8(data).ok().and_then(parse_argon2) else {
        return false;
    };
    let mut ours = vec![0; hash.len()];
    argon2
        .hash_password_into(password, &salt, &mut ours)
        .is_ok()
        && same(&ours, &hash)
}

fn parse_argon2(text: &str) -> Option<(Argon2<'static>, Vec<u8>, Vec<u8>)> {
    let mut fields = text.strip_prefix('$')?.split('$');
    let algorithm = match fields.next()? {
        "argon2i" => Algorithm::Argon2i,
        "argon2id" => Algorithm::Argon2id,
        _ => return None,
    };
    let version = match fields.next()? {
        "v=19" => Version::V0x13,
        "v=16" => Version::V0x10,
        _ => return None,
    };
    let (memory, time, lanes) = parse_costs(fields.next()?)?;
    let salt = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
    let hash = STANDARD_NO_PAD.decode(fields.next()?).ok()?;
    if fields.next().is_some() {
        return None;
    }
    let params = Params::new(memory, time, lanes, Some(hash.len())).ok()?;
    Some((Argon2::new(algorithm, version, params), salt, hash))
}

/// `m=KiB,t=passes,p=lanes`, in this order.
fn parse_costs(text: &str) -> Option<(u32, u32, u32)> {
    let mut costs = text.split(',');
    let mut cost = |name: &str| costs.next()?.strip_prefix(name)?.parse().ok();
    let found = (cost("m=")?, cost("t=")?, cost("p=")?);
    costs.next().is_none().then_some(found)
}

/// A new Argon2 string: `memory` in KiB, `time` passes.
pub(super) fn generate_argon2(
    algorithm: Algorithm,
    (memory, time): (u32, u32),
    salt: &[u8],
    password: &[u8],
) -> Result<String, Error> {
    let failed = |_| Error::Generate("Argon2 failed: cost out of range or not enough memory");
    let params = Params::new(memory, time, 1, Some(ARGON2_HASH)).map_err(failed)?;
    let mut hash = [0; ARGON2_HASH];
    Argon2::new(algorithm, Version::V0x13, params)
        .hash_password_into(password, salt, &mut hash)
        .map_err(failed)?;
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    Ok(format!(
        "${}$v=19$m={memory},t={time},p=1${salt}${hash}",
        algorithm.as_str()
    ))
}

/// `$1$salt$rounds$hex`. The salt counts as the text it is.
pub(super) fn verify_pbkdf2(data: &[u8], password: &[u8]) -> Result<bool, &'static str> {
    let text = str::from_utf8(data)
        .ok()
        .and_then(|text| text.strip_prefix("$1$"));
    let text = text.ok_or("Invalid PBKDF2 passdb entry prefix")?;
    let mut fields = text.split('$');
    let (Some(salt), Some(rounds), Some(hash), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err("Invalid PBKDF2 passdb entry format");
    };
    let rounds: u32 = rounds
        .parse()
        .map_err(|_| "Invalid PBKDF2 hash iteration count")?;
    let hash = from_hex(hash)
        .filter(|hash| hash.len() == PBKDF2_HASH)
        .ok_or("Invalid PBKDF2 hash")?;
    if rounds == 0 {
        return Err("Invalid PBKDF2 hash iteration count");
    }
    Ok(same(&hash, &pbkdf2(password, salt, rounds)))
}

/// A new PBKDF2 string.
pub(super) fn generate_pbkdf2(salt: &str, rounds: u32, password: &[u8]) -> String {
    format!(
        "$1${salt}${rounds}${}",
        to_hex(&pbkdf2(password, salt, rounds))
    )
}

fn pbkdf2(password: &[u8], salt: &str, rounds: u32) -> [u8; PBKDF2_HASH] {
    let mut hash = [0; PBKDF2_HASH];
    pbkdf2_hmac::<Sha1>(password, salt.as_bytes(), rounds, &mut hash);
    hash
}
