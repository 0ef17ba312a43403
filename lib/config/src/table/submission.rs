//! Submission.

use super::{NOBODY, Setting};

pub const SETTINGS: &[Setting] = settings! {
    submission_client_workarounds:    Text = "",                         NOBODY, NotYet("submission");
    submission_host:                  Text = "",                         NOBODY, NotYet("submission");
    submission_logout_format:         Text = "in=%i out=%o",             NOBODY, NotYet("submission");
    submission_max_mail_size:         Size = "0",                        NOBODY, NotYet("submission");
    submission_max_recipients:        Number = "0",                      NOBODY, NotYet("submission");
    submission_relay_command_timeout: Millis = "5 mins",                 NOBODY, NotYet("submission");
    submission_relay_connect_timeout: Millis = "30 secs",                NOBODY, NotYet("submission");
    submission_relay_host:            Text = "",                         NOBODY, NotYet("submission");
    submission_relay_master_user:     Text = "",                         NOBODY, NotYet("submission");
    submission_relay_max_idle_time:   Seconds = "29 mins",               NOBODY, NotYet("submission");
    submission_relay_password:        Secret = "",                       NOBODY, NotYet("submission");
    submission_relay_port:            Port = "25",                       NOBODY, NotYet("submission");
    submission_relay_rawlog_dir:      Text = "",                         NOBODY, NotYet("submission");
    submission_relay_ssl:             Enum(&["no", "smtps", "starttls"]) = "no", NOBODY, NotYet("submission");
    submission_relay_ssl_verify:      Bool = "yes",                      NOBODY, NotYet("submission");
    submission_relay_trusted:         Bool = "no",                       NOBODY, NotYet("submission");
    submission_relay_user:            Text = "",                         NOBODY, NotYet("submission");
    submission_ssl:                   Enum(&["no", "smtps", "submissions", "starttls"]) = "no", NOBODY, NotYet("submission");
    submission_timeout:               Seconds = "30 secs",               NOBODY, NotYet("submission");
};
