//! Authentication.

use super::{NOBODY, Readers, Setting};

const AUTH: Readers = Readers::AUTHS;
const CHARS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@";

pub const SETTINGS: &[Setting] = settings! {
    auth_anonymous_username:                Text = "anonymous",                AUTH,                     NotYet("anonymous logins");
    auth_cache_negative_ttl:                Seconds = "1 hours",               AUTH,                     Works;
    auth_cache_size:                        Size = "0",                        AUTH,                     Works;
    auth_cache_ttl:                         Seconds = "1 hours",               AUTH,                     Works;
    auth_cache_verify_password_with_worker: Bool = "no",                       AUTH,                     NoMeaning("hashes are always computed off the event loop");
    auth_debug:                             Bool = "no",                       AUTH.and(Readers::LOGIN), NotYet("debug messages of authentication");
    auth_debug_passwords:                   Bool = "no",                       AUTH,                     NoMeaning("passwords are never logged");
    auth_default_realm:                     Text = "",                         AUTH,                     Works;
    auth_failure_delay:                     Seconds = "2 secs",                AUTH,                     Works;
    auth_gssapi_hostname:                   Text = "",                         NOBODY,                   NotYet("GSSAPI");
    auth_krb5_keytab:                       Text = "",                         NOBODY,                   NotYet("GSSAPI");
    auth_master_user_separator:             Text = "",                         AUTH,                     Works;
    auth_mechanisms:                        List = "plain",                    AUTH.and(Readers::LOGIN), Works;
    auth_policy_check_after_auth:           Bool = "yes",                      NOBODY,                   NotYet("auth policy server");
    auth_policy_check_before_auth:          Bool = "yes",                      NOBODY,                   NotYet("auth policy server");
    auth_policy_hash_mech:                  Text = "sha256",                   NOBODY,                   NotYet("auth policy server");
    auth_policy_hash_nonce:                 Secret = "",                       NOBODY,                   NotYet("auth policy server");
    auth_policy_hash_truncate:              Number = "12",                     NOBODY,                   NotYet("auth policy server");
    auth_policy_log_only:                   Bool = "no",                       NOBODY,                   NotYet("auth policy server");
    auth_policy_reject_on_fail:             Bool = "no",                       NOBODY,                   NotYet("auth policy server");
    auth_policy_report_after_auth:          Bool = "yes",                      NOBODY,                   NotYet("auth policy server");
    auth_policy_request_attributes:         Text = "login=%{requested_username} pwhash=%{hashed_password} remote=%{rip} device_id=%{client_id} protocol=%s session_id=%{session}", NOBODY,                   NotYet("auth policy server");
    auth_policy_server_api_header:          Text = "",                         NOBODY,                   NotYet("auth policy server");
    auth_policy_server_timeout_msecs:       Number = "2000",                   NOBODY,                   NotYet("auth policy server");
    auth_policy_server_url:                 Text = "",                         NOBODY,                   Refused("there is no client of policy servers yet, so nobody would be kept out");
    auth_proxy_self:                        Text = "",                         NOBODY,                   NotYet("proxying");
    auth_realms:                            List = "",                         AUTH,                     NotYet("DIGEST-MD5");
    auth_socket_path:                       Text = "auth-userdb",              Readers::ALL,             NoMeaning("sockets are in /run/culver");
    auth_ssl_require_client_cert:           Bool = "no",                       AUTH.and(Readers::LOGIN), Refused("client certificates are not there yet, and this can't be passed over");
    auth_ssl_username_from_cert:            Bool = "no",                       AUTH.and(Readers::LOGIN), Refused("client certificates are not there yet, and this can't be passed over");
    auth_stats:                             Bool = "no",                       NOBODY,                   NotYet("statistics");
    auth_use_winbind:                       Bool = "no",                       NOBODY,                   NoMeaning("NTLM is not there");
    auth_username_chars:                    Text = CHARS,                      AUTH,                     Works;
    auth_username_format:                   Text = "%Lu",                      AUTH,                     Works;
    auth_username_translation:              Text = "",                         AUTH,                     Works;
    auth_verbose:                           Bool = "no",                       AUTH.and(Readers::LOGIN), Works;
    auth_verbose_passwords:                 Text = "no",                       AUTH,                     Works;
    auth_winbind_helper_path:               Text = "/usr/bin/ntlm_auth",       NOBODY,                   NoMeaning("NTLM is not there");
    auth_worker_max_count:                  Number = "30",                     AUTH,                     Works;
    master_user_separator:                  Text = "",                         NOBODY,                   NoMeaning("auth_master_user_separator is the one that counts");
};
