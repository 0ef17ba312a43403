//! New stored passwords, in the forms and at the costs that Dovecot 2.3's `doveadm pw` gives them.

use argon2::Algorithm;
use zeroize::Zeroizing;

use super::digest::Hash;
use super::scheme::{self, Kind, Scheme};
use super::{Error, crypt, keyed, stretched};

/// Random bytes for one hash: the longest salt of any scheme.
const RANDOM: usize = 16;
/// Bytes of salt in SSHA*, SMD5.
const DIGEST_SALT: usize = 4;
/// What may stand in a salt of PBKDF2: crypt's alphabet.
const SALT_ALPHABET: &[u8; 64] =
    b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Makes `{SCHEME}data` of a password. `scheme` may have a suffix (`SSHA.hex`); `user` counts in DIGEST-MD5.
/// `rounds`: cost in the scheme's own unit; 0: its default. Too low or high ones are raised or lowered to the limit.
///
/// # Errors
/// [`Error::UnknownScheme`]; [`Error::Generate`]: libcrypt, the kernel's randomness or memory failed us.
pub fn generate(scheme: &str, password: &[u8], user: &str, rounds: u32) -> Result<String, Error> {
    let (found, asked) = scheme::find(scheme)?;
    let mut random = [0_u8; RANDOM];
    sys::random::fill(&mut random).map_err(|_| Error::Generate("no random bytes"))?;
    let data = Zeroizing::new(data(found, password, user, Salt { random, rounds })?);
    let encoding = asked.unwrap_or(found.encoding);
    Ok(format!(
        "{{{}}}{}",
        scheme.to_ascii_uppercase(),
        encoding.encode(&data)
    ))
}

/// What makes two hashes of one password differ.
struct Salt {
    random: [u8; RANDOM],
    rounds: u32,
}

fn data(scheme: &Scheme, password: &[u8], user: &str, salt: Salt) -> Result<Vec<u8>, Error> {
    let rounds = salt.rounds;
    Ok(match scheme.kind {
        Kind::Plain | Kind::PlainTrunc => password.to_vec(),
        Kind::Crypt | Kind::Md5 => {
            let (prefix, cost) = method(scheme.name, rounds);
            crypt::generate(prefix, cost, &salt.random, password)?.into_bytes()
        }
        Kind::Digest(hash) => hash.digest(&[password]),
        Kind::Salted(hash) => salted(hash, password, &salt),
        Kind::CramMd5 => keyed::cram_md5(password),
        Kind::DigestMd5 => keyed::digest_md5(user, password),
        Kind::Scram(hash) => scram(hash, password, &salt).into_bytes(),
        Kind::Argon2 if scheme.name == "ARGON2I" => stretched::generate_argon2(
            Algorithm::Argon2i,
            argon2i_cost(rounds),
            &salt.random,
            password,
        )?
        .into_bytes(),
        Kind::Argon2 => stretched::generate_argon2(
            Algorithm::Argon2id,
            argon2id_cost(rounds),
            &salt.random,
            password,
        )?
        .into_bytes(),
        Kind::Pbkdf2 => {
            let text = salt
                .random
                .map(|byte| char::from(SALT_ALPHABET[usize::from(byte & 63)]));
            let rounds = if rounds == 0 { 5000 } else { rounds };
            stretched::generate_pbkdf2(&String::from_iter(text), rounds, password).into_bytes()
        }
    })
}

fn salted(hash: Hash, password: &[u8], salt: &Salt) -> Vec<u8> {
    let bytes = salt.random.get(..DIGEST_SALT).unwrap_or_default();
    let mut data = hash.digest(&[password, bytes]);
    data.extend_from_slice(bytes);
    data
}

/// RFC 5802 §5.1: at least 4096 iterations.
fn scram(hash: Hash, password: &[u8], salt: &Salt) -> String {
    keyed::generate_scram(hash, salt.rounds.max(4096), &salt.random, password)
}

/// Prefix and cost for libcrypt. CRYPT makes bcrypt, as Dovecot does.
fn method(name: &str, rounds: u32) -> (&'static str, u32) {
    let sha = if rounds == 0 {
        0
    } else {
        rounds.clamp(1000, 999_999_999)
    };
    let blowfish = if rounds == 0 { 5 } else { rounds.clamp(4, 31) };
    match name {
        "SHA256-CRYPT" => ("$5$", sha),
        "SHA512-CRYPT" => ("$6$", sha),
        "MD5" | "MD5-CRYPT" => ("$1$", 0),
        "DES-CRYPT" => ("", 0),
        _ => ("$2y$", blowfish),
    }
}

/// Memory in KiB and passes: libsodium's interactive, moderate and sensitive limits of Argon2i.
fn argon2i_cost(rounds: u32) -> (u32, u32) {
    let memory = match rounds {
        0..6 => 32 * 1024,
        6..8 => 128 * 1024,
        _ => 512 * 1024,
    };
    (memory, if rounds == 0 { 4 } else { rounds.max(3) })
}

/// Memory in KiB and passes: the same limits of Argon2id.
fn argon2id_cost(rounds: u32) -> (u32, u32) {
    let memory = match rounds {
        0..3 => 64 * 1024,
        3 => 256 * 1024,
        _ => 1024 * 1024,
    };
    (memory, rounds.max(3))
}
