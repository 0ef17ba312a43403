//! Login processes: what a client meets before it is authenticated.

use super::{NOBODY, Readers, Setting};

const LOGIN: Readers = Readers::LOGIN;
const ELEMENTS: &str = "user=<%u> method=%m rip=%r lip=%l mpid=%e %c session=<%{session}>";

pub const SETTINGS: &[Setting] = settings! {
    disable_plaintext_auth:           Bool = "yes",                      LOGIN.and(Readers::AUTH), Works;
    login_access_sockets:             Text = "",                         NOBODY,                   Refused("nothing asks these sockets, so nobody would be kept out; IPAddressAllow= in the units does");
    // The one default that differs: a client is told who it speaks with.
    login_greeting:                   Text = "Culver ready.",            LOGIN.and(Readers::LMTP), Works;
    login_log_format:                 Text = "%$: %s",                   LOGIN,                    Works;
    login_log_format_elements:        Text = ELEMENTS,                   LOGIN,                    Works;
    login_plugin_dir:                 Text = "/usr/lib/dovecot/modules/login", NOBODY,                   NoMeaning("there are no plugins to load");
    login_plugins:                    Text = "",                         NOBODY,                   NoMeaning("there are no plugins to load");
    login_proxy_max_disconnect_delay: Seconds = "0",                     NOBODY,                   NotYet("proxying");
    login_proxy_max_reconnects:       Number = "3",                      NOBODY,                   NotYet("proxying");
    login_proxy_notify_path:          Text = "proxy-notify",             NOBODY,                   NotYet("proxying");
    login_proxy_rawlog_dir:           Text = "",                         NOBODY,                   NotYet("proxying");
    login_proxy_timeout:              Millis = "30 secs",                NOBODY,                   NotYet("proxying");
    login_source_ips:                 Text = "",                         NOBODY,                   NotYet("proxying");
    login_trusted_networks:           Networks = "",                     LOGIN.and(Readers::LMTP), Works;
};
