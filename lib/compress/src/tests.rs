//! All methods together: there and back, cut short, broken, seeked.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use proptest::prelude::*;

use crate::{Corrupted, Encoding, Method, Reader, Writer};

fn compress(method: Method, plain: &[u8]) -> Vec<u8> {
    let encoding = Encoding::new(method, None).unwrap();
    let mut writer = Writer::new(Vec::new(), encoding).unwrap();
    writer.write_all(plain).unwrap();
    writer.finish().unwrap()
}

fn read(method: Method, packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    Reader::new(method, Cursor::new(packed))?.read_to_end(&mut plain)?;
    Ok(plain)
}

/// A mail of some kilobytes that does not compress to nothing.
fn mail(lines: u32) -> Vec<u8> {
    let mut mail = b"Subject: test\n\n".to_vec();
    let mut state = 1_u32;
    for line in 0..lines {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        mail.extend_from_slice(format!("line {line} says {state:x}\n").as_bytes());
    }
    mail
}

/// Has it checksums over the mail?
fn is_checked(method: Method) -> bool {
    method != Method::Lz4
}

/// "Subject: x\n\nbody\n", by gzip(1), bzip2(1), xz(1) and zstd(1); lz4 by hand, with one block of literals.
const KNOWN: [(Method, &[u8]); 5] = [
    (
        Method::Gz,
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x0b\x2e\x4d\xca\x4a\x4d\x2e\xb1\x52\xa8\xe0\xe2\x4a\xca\x4f\xa9\xe4\x02\x00\xc1\x82\xdb\x95\x11\x00\x00\x00",
    ),
    (Method::Bz2, b"\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\xca\x5e\x5e\x37\x00\x00\x02\xdb\x80\x00\x10\x40\x00\x00\x10\x08\x00\x1e\x10\x86\x60\x20\x00\x31\x00\x00\x0a\x34\x01\xbc\xa8\x31\x82\x1b\x4a\xcd\x00\x7e\x2e\xe4\x8a\x70\xa1\x21\x94\xbc\xbc\x6e"),
    (Method::Xz, b"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\x01\x00\x10\x53\x75\x62\x6a\x65\x63\x74\x3a\x20\x78\x0a\x0a\x62\x6f\x64\x79\x0a\x00\x00\x00\x00\x1b\xcd\xb0\x25\x01\xd6\x56\x85\x00\x01\x29\x11\x32\x0a\x70\x0e\x1f\xb6\xf3\x7d\x01\x00\x00\x00\x00\x04\x59\x5a"),
    (
        Method::Lz4,
        b"Dovecot-LZ4\x0d\x2a\x9b\xc5\x00\x01\x00\x00\x00\x00\x00\x13\xf0\x02Subject: x\n\nbody\n",
    ),
    (Method::Zstd, b"\x28\xb5\x2f\xfd\x24\x11\x89\x00\x00\x53\x75\x62\x6a\x65\x63\x74\x3a\x20\x78\x0a\x0a\x62\x6f\x64\x79\x0a\xf2\x57\x20\x0a"),
];

#[test]
fn known_bytes() {
    for (method, packed) in KNOWN {
        assert_eq!(Method::recognise(packed), Some(method));
        assert_eq!(read(method, packed).unwrap(), b"Subject: x\n\nbody\n");
    }
}

#[test]
fn there_and_back() {
    for method in Method::ALL {
        for plain in [Vec::new(), b"x".to_vec(), mail(200), mail(20_000)] {
            let packed = compress(method, &plain);
            assert_eq!(Method::recognise(&packed), Some(method));
            assert_eq!(Method::of(&mut Cursor::new(&packed)).unwrap(), Some(method));
            assert!(read(method, &packed).unwrap() == plain, "{method}");
        }
    }
}

#[test]
fn every_level_is_read() {
    let plain = mail(100);
    for method in Method::ALL {
        for level in 0..=22 {
            // xz asks for hundreds of megabytes above.
            if method == Method::Xz && level > 6 {
                continue;
            }
            let Ok(encoding) = Encoding::new(method, Some(level)) else {
                continue;
            };
            let mut writer = Writer::new(Vec::new(), encoding).unwrap();
            writer.write_all(&plain).unwrap();
            let packed = writer.finish().unwrap();
            assert!(read(method, &packed).unwrap() == plain, "{method} {level}");
        }
    }
}

#[test]
fn two_in_one_file_are_one_mail() {
    for method in [Method::Gz, Method::Bz2, Method::Xz, Method::Zstd] {
        let both = [compress(method, b"Subject: "), compress(method, b"x\n")].concat();
        assert_eq!(read(method, &both).unwrap(), b"Subject: x\n");
    }
}

#[test]
fn every_truncation_is_an_error() {
    for method in Method::ALL {
        let plain = mail(30);
        let packed = compress(method, &plain);
        for end in 0..packed.len() {
            let cut = &packed[..end];
            match read(method, cut) {
                // Between two chunks nothing tells.
                Ok(short) => assert!(!is_checked(method) && short.is_empty() && end == 19),
                Err(error) => {
                    let corrupted = Corrupted::of(&error).unwrap();
                    assert!(corrupted.offset <= end as u64, "{method} {end}");
                    assert_eq!(corrupted.method, method);
                }
            }
        }
    }
}

#[test]
fn no_flipped_bit_gives_wrong_bytes() {
    for method in Method::ALL {
        let plain = mail(8);
        let packed = compress(method, &plain);
        for bit in 0..packed.len() * 8 {
            let mut flipped = packed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match read(method, &flipped) {
                Ok(read) if is_checked(method) => assert!(read == plain, "{method} bit {bit}"),
                _ => {}
            }
        }
    }
}

#[test]
fn what_is_behind_is_an_error() {
    for method in Method::ALL {
        let mut packed = compress(method, b"x");
        packed.extend_from_slice(b"garbage");
        assert!(read(method, &packed).is_err(), "{method}");
    }
}

#[test]
fn broken_stays_broken() {
    for method in Method::ALL {
        let mut packed = compress(method, &mail(3000));
        packed.truncate(packed.len() - 3);
        let mut reader = Reader::new(method, Cursor::new(packed)).unwrap();
        let mut plain = Vec::new();
        assert!(reader.read_to_end(&mut plain).is_err());
        assert!(reader.read(&mut [0; 10]).is_err(), "{method}");
        assert!(reader.seek(SeekFrom::End(0)).is_err());
        // What is whole can be read again.
        reader.seek(SeekFrom::Start(0)).unwrap();
        let mut subject = [0; 8];
        reader.read_exact(&mut subject).unwrap();
        assert_eq!(&subject, b"Subject:");
    }
}

#[test]
fn sources_that_fail_are_not_broken_mail() {
    struct Failing(u32);
    impl Read for Failing {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => b"\x1f\x8b\x08\x00\x00".as_slice().read(to),
                2 => Err(io::ErrorKind::Interrupted.into()),
                _ => Err(io::Error::from_raw_os_error(5)),
            }
        }
    }
    impl Seek for Failing {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Ok(0)
        }
    }
    let mut reader = Reader::new(Method::Gz, Failing(0)).unwrap();
    let error = reader.read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(5));
}

#[test]
fn a_bomb_takes_no_memory() {
    for method in Method::ALL {
        let encoding = Encoding::new(method, None).unwrap();
        let mut writer = Writer::new(Vec::new(), encoding).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..16 {
            writer.write_all(&zeros).unwrap();
        }
        let packed = writer.finish().unwrap();
        let mut reader = Reader::new(method, Cursor::new(packed)).unwrap();
        assert_eq!(reader.size().unwrap(), 16 << 20);
        assert_eq!(reader.seek(SeekFrom::End(-5)).unwrap(), (16 << 20) - 5);
        assert_eq!(reader.read(&mut [0; 10]).unwrap(), 5);
    }
}

#[test]
fn windows_have_limits() {
    // A zstd frame whose window is 2 GiB, and an xz one whose dictionary is 4 GiB.
    let zstd = b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00";
    assert!(read(Method::Zstd, zstd).is_err());
    let lz4 = [&b"Dovecot-LZ4\x0d\x2a\x9b\xc5"[..], &[0xff; 8]].concat();
    assert!(read(Method::Lz4, &lz4).is_err());
    let chunk = [
        &b"Dovecot-LZ4\x0d\x2a\x9b\xc5\0\x10\0\0"[..],
        &[0x7f, 0xff, 0xff, 0xff, 1],
    ]
    .concat();
    assert!(read(Method::Lz4, &chunk).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_an_answer(
        method in prop::sample::select(&Method::ALL[..]),
        head in any::<bool>(),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut packed = if head { compress(method, b"") } else { Vec::new() };
        packed.truncate(19);
        packed.extend_from_slice(&bytes);
        let _ = read(method, &packed);
    }

    #[test]
    fn reads_as_a_plain_file_does(
        method in prop::sample::select(&Method::ALL[..]),
        steps in prop::collection::vec((0_u8..4, -3000_i64..9000, 0_usize..3000), 1..30),
    ) {
        let plain = mail(250);
        let mut expected = Cursor::new(&plain);
        let mut reader = Reader::new(method, Cursor::new(compress(method, &plain))).unwrap();
        for (kind, by, size) in steps {
            let to = match kind {
                0 => SeekFrom::Start(by.unsigned_abs()),
                1 => SeekFrom::Current(by),
                2 => SeekFrom::End(by),
                _ => SeekFrom::Current(0),
            };
            prop_assert_eq!(reader.seek(to).ok(), expected.seek(to).ok());
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            reader.by_ref().take(size as u64).read_to_end(&mut ours).unwrap();
            expected.by_ref().take(size as u64).read_to_end(&mut theirs).unwrap();
            prop_assert!(ours == theirs);
            prop_assert_eq!(reader.stream_position().unwrap(), expected.position());
        }
    }
}
