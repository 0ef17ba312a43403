//! LMTP and delivery.

use super::{NOBODY, Readers, Setting};

const LMTP: Readers = Readers::LMTP.and(Readers::DELIVER);

pub const SETTINGS: &[Setting] = settings! {
    lmtp_add_received_header:    Bool = "yes",                      LMTP,   Works;
    lmtp_client_workarounds:     List = "",                         LMTP,   Works;
    lmtp_hdr_delivery_address:   Enum(&["none", "final", "original"]) = "final", LMTP,   Works;
    lmtp_proxy:                  Bool = "no",                       NOBODY, NotYet("proxying");
    lmtp_proxy_rawlog_dir:       Text = "",                         NOBODY, NotYet("proxying");
    lmtp_rawlog_dir:             Text = "",                         NOBODY, NotYet("raw logs");
    lmtp_rcpt_check_quota:       Bool = "no",                       LMTP,   NotYet("quota");
    lmtp_save_to_detail_mailbox: Bool = "no",                       LMTP,   Works;
    lmtp_user_concurrency_limit: Number = "0",                      LMTP,   Works;
    lmtp_verbose_replies:        Bool = "no",                       LMTP,   NotYet("verbose replies of LMTP");
    rejection_reason:            Text = "Your message to <%t> was automatically rejected:%n%r", NOBODY, NotYet("rejections by mail");
    rejection_subject:           Text = "Rejected: %s",             NOBODY, NotYet("rejections by mail");
    sendmail_path:               Text = "/usr/sbin/sendmail",       NOBODY, NotYet("rejections by mail");
};
