//! Statistics.

use super::{NOBODY, Setting};

pub const SETTINGS: &[Setting] = settings! {
    old_stats_carbon_interval:  Seconds = "30 secs",   NOBODY, NoMeaning("the old statistics are gone");
    old_stats_carbon_name:      Text = "",             NOBODY, NoMeaning("the old statistics are gone");
    old_stats_carbon_server:    Text = "",             NOBODY, NoMeaning("the old statistics are gone");
    old_stats_command_min_time: Seconds = "1 mins",    NOBODY, NoMeaning("the old statistics are gone");
    old_stats_domain_min_time:  Seconds = "12 hours",  NOBODY, NoMeaning("the old statistics are gone");
    old_stats_ip_min_time:      Seconds = "12 hours",  NOBODY, NoMeaning("the old statistics are gone");
    old_stats_memory_limit:     Size = "16 M",         NOBODY, NoMeaning("the old statistics are gone");
    old_stats_session_min_time: Seconds = "15 mins",   NOBODY, NoMeaning("the old statistics are gone");
    old_stats_user_min_time:    Seconds = "1 hours",   NOBODY, NoMeaning("the old statistics are gone");
    stats_http_rawlog_dir:      Text = "",             NOBODY, NotYet("statistics");
    stats_writer_socket_path:   Text = "stats-writer", NOBODY, NotYet("statistics");
};
