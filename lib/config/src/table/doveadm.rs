//! doveadm over the network, dsync and replication.

use super::{NOBODY, Setting};

pub const SETTINGS: &[Setting] = settings! {
    doveadm_allowed_commands:       Text = "",                         NOBODY, NotYet("doveadm over the network");
    doveadm_api_key:                Secret = "",                       NOBODY, NotYet("doveadm over the network");
    doveadm_http_rawlog_dir:        Text = "",                         NOBODY, NotYet("doveadm over the network");
    doveadm_password:               Secret = "",                       NOBODY, NotYet("doveadm over the network");
    doveadm_port:                   Port = "0",                        NOBODY, NotYet("doveadm over the network");
    doveadm_socket_path:            Text = "doveadm-server",           NOBODY, NotYet("doveadm over the network");
    doveadm_ssl:                    Enum(&["no", "ssl", "starttls"]) = "no", NOBODY, NotYet("doveadm over the network");
    doveadm_username:               Text = "doveadm",                  NOBODY, NotYet("doveadm over the network");
    doveadm_worker_count:           Number = "0",                      NOBODY, NotYet("doveadm over the network");
    dsync_alt_char:                 Text = "_",                        NOBODY, NotYet("dsync");
    dsync_commit_msgs_interval:     Number = "100",                    NOBODY, NotYet("dsync");
    dsync_features:                 Text = "",                         NOBODY, NotYet("dsync");
    dsync_hashed_headers:           Text = "Date Message-ID",          NOBODY, NotYet("dsync");
    dsync_remote_cmd:               Text = "ssh -l%{login} %{host} doveadm dsync-server -u%u -U", NOBODY, NotYet("dsync");
    replication_dsync_parameters:   Text = "-d -N -l 30 -U",           NOBODY, NotYet("replication");
    replication_full_sync_interval: Seconds = "1 days",                NOBODY, NotYet("replication");
    replication_max_conns:          Number = "10",                     NOBODY, NotYet("replication");
    replicator_host:                Text = "replicator",               NOBODY, NotYet("replication");
    replicator_port:                Port = "0",                        NOBODY, NotYet("replication");
};
