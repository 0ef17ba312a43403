//! Mail of other servers: imapc and pop3c.

use super::{NOBODY, Setting};

pub const SETTINGS: &[Setting] = settings! {
    imapc_cmd_timeout:               Seconds = "5 mins",                NOBODY, NotYet("imapc");
    imapc_connection_retry_count:    Number = "1",                      NOBODY, NotYet("imapc");
    imapc_connection_retry_interval: Millis = "1 secs",                 NOBODY, NotYet("imapc");
    imapc_features:                  Text = "",                         NOBODY, NotYet("imapc");
    imapc_host:                      Text = "",                         NOBODY, NotYet("imapc");
    imapc_list_prefix:               Text = "",                         NOBODY, NotYet("imapc");
    imapc_master_user:               Text = "",                         NOBODY, NotYet("imapc");
    imapc_max_idle_time:             Seconds = "29 mins",               NOBODY, NotYet("imapc");
    imapc_max_line_length:           Size = "0",                        NOBODY, NotYet("imapc");
    imapc_password:                  Secret = "",                       NOBODY, NotYet("imapc");
    imapc_port:                      Port = "143",                      NOBODY, NotYet("imapc");
    imapc_rawlog_dir:                Text = "",                         NOBODY, NotYet("imapc");
    imapc_sasl_mechanisms:           Text = "",                         NOBODY, NotYet("imapc");
    imapc_ssl:                       Enum(&["no", "imaps", "starttls"]) = "no", NOBODY, NotYet("imapc");
    imapc_ssl_verify:                Bool = "yes",                      NOBODY, NotYet("imapc");
    imapc_user:                      Text = "",                         NOBODY, NotYet("imapc");
    pop3c_features:                  Text = "",                         NOBODY, NotYet("pop3c");
    pop3c_host:                      Text = "",                         NOBODY, NotYet("pop3c");
    pop3c_master_user:               Text = "",                         NOBODY, NotYet("pop3c");
    pop3c_password:                  Secret = "",                       NOBODY, NotYet("pop3c");
    pop3c_port:                      Port = "110",                      NOBODY, NotYet("pop3c");
    pop3c_quick_received_date:       Bool = "no",                       NOBODY, NotYet("pop3c");
    pop3c_rawlog_dir:                Text = "",                         NOBODY, NotYet("pop3c");
    pop3c_ssl:                       Enum(&["no", "pop3s", "starttls"]) = "no", NOBODY, NotYet("pop3c");
    pop3c_ssl_verify:                Bool = "yes",                      NOBODY, NotYet("pop3c");
    pop3c_user:                      Text = "%u",                       NOBODY, NotYet("pop3c");
};
