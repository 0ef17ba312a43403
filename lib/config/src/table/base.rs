//! What concerns the whole server.

use super::why::{JOURNAL, SOCKETS, UNITS};
use super::{NOBODY, Readers, Setting};

const ALL: Readers = Readers::ALL;
const NETWORK: Readers = Readers::LOGIN.and(Readers::LMTP);

pub const SETTINGS: &[Setting] = settings! {
    base_dir:                 Text = "/run/dovecot",             ALL,     NoMeaning("sockets are in /run/culver");
    config_cache_size:        Size = "1 M",                      NOBODY,  NoMeaning("no process answers questions about the configuration");
    debug_log_path:           Text = "",                         ALL,     NoMeaning(JOURNAL);
    default_client_limit:     Number = "1000",                   ALL,     Works;
    default_idle_kill:        Seconds = "1 mins",                ALL,     Works;
    default_internal_group:   Text = "dovecot",                  ALL,     NoMeaning(UNITS);
    default_internal_user:    Text = "dovecot",                  ALL,     NoMeaning(UNITS);
    default_login_user:       Text = "dovenull",                 ALL,     NoMeaning(UNITS);
    default_process_limit:    Number = "100",                    ALL,     Works;
    default_vsz_limit:        Size = "256 M",                    ALL,     Works;
    dict_db_config:           Text = "",                         NOBODY,  NotYet("dictionaries");
    haproxy_timeout:          Seconds = "3 secs",                NETWORK, NotYet("the HAProxy protocol");
    haproxy_trusted_networks: Networks = "",                     NETWORK, NotYet("the HAProxy protocol");
    hostname:                 Text = "",                         ALL,     Works;
    import_environment:       Text = "TZ CORE_OUTOFMEM CORE_ERROR LISTEN_PID LISTEN_FDS NOTIFY_SOCKET", NOBODY,  NoMeaning("the environment of services is set in the units of systemd");
    info_log_path:            Text = "",                         ALL,     NoMeaning(JOURNAL);
    instance_name:            Text = "dovecot",                  ALL,     NoMeaning("systemd tells instances apart");
    libexec_dir:              Text = "/usr/lib/dovecot",         NOBODY,  NoMeaning("services are what their units start");
    listen:                   Text = "*, ::",                    ALL,     NoMeaning(SOCKETS);
    log_core_filter:          Text = "",                         NOBODY,  NotYet("filters of events");
    log_debug:                Text = "",                         NOBODY,  NotYet("filters of events");
    log_path:                 Text = "syslog",                   ALL,     NoMeaning(JOURNAL);
    log_timestamp:            Text = "%b %d %H:%M:%S ",          ALL,     NoMeaning(JOURNAL);
    process_shutdown_filter:  Text = "",                         NOBODY,  NotYet("filters of events");
    protocols:                List = "",                         ALL,     Works;
    shutdown_clients:         Bool = "yes",                      ALL,     NoMeaning("systemd ends the processes that a restart concerns");
    state_dir:                Text = "/var/lib/dovecot",         NOBODY,  NoMeaning("state is in /var/lib/culver");
    syslog_facility:          Text = "mail",                     ALL,     NoMeaning(JOURNAL);
    verbose_proctitle:        Bool = "no",                       ALL,     NoMeaning("systemctl status shows what services do");
    version_ignore:           Bool = "no",                       NOBODY,  NoMeaning("every service is of the same package");
};
