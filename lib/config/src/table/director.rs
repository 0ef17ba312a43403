//! The director, which sent each user to one of several servers.

use super::{NOBODY, Setting};

pub const SETTINGS: &[Setting] = settings! {
    director_flush_socket:       Text = "",           NOBODY, NoMeaning("there is no director: a user's sessions meet in one worker");
    director_mail_servers:       Text = "",           NOBODY, NoMeaning("there is no director: a user's sessions meet in one worker");
    director_max_parallel_kicks: Number = "100",      NOBODY, NoMeaning("there is no director: a user's sessions meet in one worker");
    director_max_parallel_moves: Number = "100",      NOBODY, NoMeaning("there is no director: a user's sessions meet in one worker");
    director_output_buffer_size: Size = "10 M",       NOBODY, NoMeaning("there is no director: a user's sessions meet in one worker");
    director_ping_idle_timeout:  Seconds = "30 secs", NOBODY, NoMeaning("there is no director: a user's sessions meet in one worker");
    director_ping_max_timeout:   Seconds = "1 mins",  NOBODY, NoMeaning("there is no director: a user's sessions meet in one worker");
    director_servers:            Text = "",           NOBODY, NoMeaning("there is no director: a user's sessions meet in one worker");
    director_user_expire:        Seconds = "15 mins", NOBODY, NoMeaning("there is no director: a user's sessions meet in one worker");
    director_user_kick_delay:    Seconds = "2 secs",  NOBODY, NoMeaning("there is no director: a user's sessions meet in one worker");
    director_username_hash:      Text = "%Lu",        NOBODY, NoMeaning("there is no director: a user's sessions meet in one worker");
};
