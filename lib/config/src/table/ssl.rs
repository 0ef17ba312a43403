//! TLS. Private keys go to those who speak TLS with strangers and to nobody else.

use super::{Kind, Readers, Setting, setting};

const TLS: Readers = Readers::LOGIN;

/// Anything below TLS 1.2 is understood and means TLS 1.2: there is no older one here.
const VERSIONS: Kind = Kind::Enum(&[
    "ANY", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "LATEST",
]);

const CIPHERS: &str =
    "ALL:!kRSA:!SRP:!kDHd:!DSS:!aNULL:!eNULL:!EXPORT:!DES:!3DES:!MD5:!PSK:!RC4:!ADH:!LOW@STRENGTH";

pub const SETTINGS: &[Setting] = &[
    setting(
        "ssl",
        Kind::Enum(&["yes", "no", "required"]),
        "yes",
        TLS.and(Readers::AUTH),
    ),
    setting("ssl_alt_cert", Kind::Text, "", TLS),
    setting("ssl_alt_key", Kind::Secret, "", TLS),
    setting("ssl_ca", Kind::Text, "", TLS),
    setting("ssl_cert", Kind::Text, "", TLS),
    setting("ssl_cert_username_field", Kind::Text, "commonName", TLS),
    setting("ssl_cipher_list", Kind::Text, CIPHERS, TLS),
    setting("ssl_cipher_suites", Kind::Text, "", TLS),
    setting("ssl_client_ca_dir", Kind::Text, "", TLS),
    setting("ssl_client_ca_file", Kind::Text, "", TLS),
    setting("ssl_curve_list", Kind::Text, "", TLS),
    setting("ssl_dh", Kind::Secret, "", TLS),
    setting("ssl_key", Kind::Secret, "", TLS),
    setting("ssl_key_password", Kind::Secret, "", TLS),
    setting("ssl_min_protocol", VERSIONS, "TLSv1.2", TLS),
    setting("ssl_options", Kind::List, "", TLS),
    setting("ssl_prefer_server_ciphers", Kind::Bool, "no", TLS),
    setting("ssl_require_crl", Kind::Bool, "yes", TLS),
    setting("ssl_verify_client_cert", Kind::Bool, "no", TLS),
    setting("verbose_ssl", Kind::Bool, "no", TLS),
];
