//! libcrypt: the hashes of crypt(3), as libxcrypt knows them (DES, MD5, SHA-256, SHA-512, bcrypt, yescrypt, …).
//!
//! Behind the feature `crypt`, so that statically linked services do not link libcrypt.

use std::ffi::{CStr, CString, c_char, c_int, c_ulong, c_void};

use zeroize::Zeroizing;

/// `sizeof(struct crypt_data)`, part of libxcrypt's ABI: crypt(3) "always at least 32768 bytes".
const DATA_SIZE: usize = 32 * 1024;
/// `CRYPT_GENSALT_OUTPUT_SIZE` of crypt.h.
const SETTING_SIZE: usize = 192;

#[link(name = "crypt")]
unsafe extern "C" {
    fn crypt_rn(
        phrase: *const c_char,
        setting: *const c_char,
        data: *mut c_void,
        size: c_int,
    ) -> *mut c_char;
    fn crypt_gensalt_rn(
        prefix: *const c_char,
        count: c_ulong,
        rbytes: *const c_char,
        nrbytes: c_int,
        output: *mut c_char,
        output_size: c_int,
    ) -> *mut c_char;
}

/// Hashes `phrase` as `setting` (a salt, or a whole stored hash) asks; `None`: libcrypt does not know such a setting,
/// or one of the two has a NUL inside. The result begins with the method and salt of `setting`.
///
/// Takes as long as the setting wants: seconds are possible.
#[must_use]
pub fn crypt(phrase: &[u8], setting: &[u8]) -> Option<String> {
    let phrase = Zeroizing::new(CString::new(phrase).ok()?.into_bytes_with_nul());
    let phrase = CStr::from_bytes_with_nul(&phrase).ok()?;
    let setting = CString::new(setting).ok()?;
    // u64s: crypt_data begins with a char array, but libxcrypt keeps aligned state inside.
    let mut data: Zeroizing<Vec<u64>> = Zeroizing::new(vec![0; DATA_SIZE / size_of::<u64>()]);
    // SAFETY: both strings end in NUL and outlive the call; `data` is zeroed, writable and DATA_SIZE bytes long, which
    // is what the last argument says; nothing else refers to it.
    let output = unsafe {
        crypt_rn(
            phrase.as_ptr(),
            setting.as_ptr(),
            data.as_mut_ptr().cast(),
            c_len(DATA_SIZE)?,
        )
    };
    if output.is_null() {
        return None;
    }
    // SAFETY: not null, so it points to a string that ends in NUL inside of `data`, which is still alive here.
    let hash = unsafe { CStr::from_ptr(output) };
    hash.to_str().ok().map(str::to_owned)
}

/// A new salt for the method that `prefix` (`$6$`, `$2y$`, `$y$`, …, empty: DES) names, made of `random` bytes. `cost` has the
/// method's own unit; 0 is its default. `None`: unknown method, bad cost or too few random bytes (give 16 or more).
#[must_use]
pub fn gensalt(prefix: &str, cost: u32, random: &[u8]) -> Option<String> {
    let prefix = CString::new(prefix).ok()?;
    let mut output = [0_u8; SETTING_SIZE];
    // SAFETY: `prefix` ends in NUL; `random` and `output` are valid for the lengths given with them.
    let setting = unsafe {
        crypt_gensalt_rn(
            prefix.as_ptr(),
            c_ulong::from(cost),
            random.as_ptr().cast(),
            c_len(random.len())?,
            output.as_mut_ptr().cast(),
            c_len(SETTING_SIZE)?,
        )
    };
    if setting.is_null() {
        return None;
    }
    CStr::from_bytes_until_nul(&output)
        .ok()?
        .to_str()
        .ok()
        .map(str::to_owned)
}

fn c_len(len: usize) -> Option<c_int> {
    c_int::try_from(len).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_what_dovecot_hashed() {
        // From `doveadm pw` 2.3.19 with the password `secret`, and yescrypt from `mkpasswd`.
        for stored in [
            "KQchYlCSGm02o",
            "$1$O20Wvo.u$4dWcXNKl4NNMAWRsdkLKn/",
            "$5$gtPftccG4hFiQOPu$6opLd2fMuOPe4f.CAy65JdgVeeOfAbEfEv/faXnUy69",
            "$2y$05$62FgNkJWknoDAdvSFykamucYIA1rDyjzd6Zk1xpy3RkzeA193CKle",
        ] {
            assert_eq!(crypt(b"secret", stored.as_bytes()).as_deref(), Some(stored));
            assert_ne!(crypt(b"Secret", stored.as_bytes()).as_deref(), Some(stored));
        }
    }

    #[test]
    fn salts_are_used() {
        for (prefix, cost) in [
            ("$6$", 1000),
            ("$5$", 0),
            ("$1$", 0),
            ("$2y$", 4),
            ("$y$", 1),
            ("", 0),
        ] {
            let salt = gensalt(prefix, cost, &[7; 16]).unwrap();
            assert!(salt.starts_with(prefix), "{salt}");
            let hash = crypt(b"secret", salt.as_bytes()).unwrap();
            assert_eq!(crypt(b"secret", hash.as_bytes()).unwrap(), hash);
        }
    }

    #[test]
    fn nonsense_is_no_hash() {
        for setting in [
            "",
            "*0",
            "x",
            "$9$abc",
            "!locked",
            "\0",
            "$6$rounds=99999999999$x",
        ] {
            assert_eq!(crypt(b"secret", setting.as_bytes()), None, "{setting}");
        }
        assert_eq!(crypt(b"a\0b", b"$1$O20Wvo.u$"), None);
        assert_eq!(gensalt("$nope$", 0, &[1; 16]), None);
        assert_eq!(gensalt("$6$", 0, &[]), None);
    }
}
