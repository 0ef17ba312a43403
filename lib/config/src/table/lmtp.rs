//! LMTP and delivery.

use super::{Kind, Readers, Setting, setting};

const LMTP: Readers = Readers::LMTP.and(Readers::DELIVER);

pub const SETTINGS: &[Setting] = &[
    setting("lmtp_add_received_header", Kind::Bool, "yes", LMTP),
    setting("lmtp_client_workarounds", Kind::List, "", LMTP),
    setting(
        "lmtp_hdr_delivery_address",
        Kind::Enum(&["none", "final", "original"]),
        "final",
        LMTP,
    ),
    setting("lmtp_rcpt_check_quota", Kind::Bool, "no", LMTP),
    setting("lmtp_save_to_detail_mailbox", Kind::Bool, "no", LMTP),
    setting("lmtp_user_concurrency_limit", Kind::Number, "0", LMTP),
    setting("lmtp_verbose_replies", Kind::Bool, "no", LMTP),
];
