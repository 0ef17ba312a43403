//! TLS. Private keys go to those who speak TLS with strangers and to nobody else.

use super::why::LIBRARY;
use super::{NOBODY, Readers, Setting};

const TLS: Readers = Readers::LOGIN;

const CIPHERS: &str =
    "ALL:!kRSA:!SRP:!kDHd:!DSS:!aNULL:!eNULL:!EXPORT:!DES:!3DES:!MD5:!PSK:!RC4:!ADH:!LOW@STRENGTH";

pub const SETTINGS: &[Setting] = settings! {
    ssl:                           Enum(&["yes", "no", "required"]) = "yes", TLS.and(Readers::AUTH), Works;
    ssl_alt_cert:                  Text = "",                         TLS,                    NotYet("a second certificate of another kind");
    ssl_alt_key:                   Secret = "",                       TLS,                    NotYet("a second certificate of another kind");
    ssl_ca:                        Text = "",                         TLS,                    NotYet("client certificates");
    ssl_cert:                      Text = "",                         TLS,                    Works;
    ssl_cert_username_field:       Text = "commonName",               TLS,                    NotYet("client certificates");
    ssl_cipher_list:               Text = CIPHERS,                    TLS,                    NoMeaning(LIBRARY);
    ssl_cipher_suites:             Text = "",                         TLS,                    NoMeaning(LIBRARY);
    ssl_client_ca_dir:             Text = "",                         TLS,                    NotYet("TLS to other servers");
    ssl_client_ca_file:            Text = "",                         TLS,                    NotYet("TLS to other servers");
    ssl_client_cert:               Text = "",                         NOBODY,                 NotYet("TLS to other servers");
    ssl_client_key:                Secret = "",                       NOBODY,                 NotYet("TLS to other servers");
    ssl_client_require_valid_cert: Bool = "yes",                      NOBODY,                 NotYet("TLS to other servers");
    ssl_crypto_device:             Text = "",                         NOBODY,                 NoMeaning(LIBRARY);
    ssl_curve_list:                Text = "",                         TLS,                    NoMeaning(LIBRARY);
    ssl_dh:                        Secret = "",                       TLS,                    NoMeaning(LIBRARY);
    ssl_key:                       Secret = "",                       TLS,                    Works;
    ssl_key_password:              Secret = "",                       TLS,                    NoMeaning("the key must not be encrypted; its file is readable by root only");
    ssl_min_protocol:              Text = "TLSv1.2",                  TLS,                    Works;
    ssl_options:                   List = "",                         TLS,                    NoMeaning(LIBRARY);
    ssl_prefer_server_ciphers:     Bool = "no",                       TLS,                    NoMeaning(LIBRARY);
    ssl_require_crl:               Bool = "yes",                      TLS,                    NotYet("client certificates");
    ssl_verify_client_cert:        Bool = "no",                       TLS,                    Refused("client certificates are not there yet, and this can't be passed over");
    verbose_ssl:                   Bool = "no",                       TLS,                    NotYet("log lines about TLS");
};
