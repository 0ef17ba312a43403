//! Every transcript is a test.

macro_rules! transcripts {
    ($kind:ident: $($name:ident)*) => {
        mod $kind {
            $(
                #[test]
                fn $name() {
                    transcripts::replay(stringify!($kind), stringify!($name));
                }
            )*

            #[test]
            fn all_files_are_replayed() {
                transcripts::complete(stringify!($kind), &[$(stringify!($name)),*]);
            }
        }
    };
}

transcripts! {
    imap:
    append
    append_errors
    append_several
    append_to_selected
    authenticate_errors
    authenticate_login
    authenticate_login_initial
    authenticate_plain
    authenticate_plain_initial
    capability
    close
    close_after_examine
    copy
    copy_errors
    copy_to_selected
    create_bad_names
    create_delete
    create_nested
    delete_selected
    delete_with_children
    enable
    examine_changes_nothing
    expunge
    fetch_bodystructure
    fetch_changes_told
    fetch_envelope
    fetch_errors
    fetch_header_fields
    fetch_macros
    fetch_partial
    fetch_sections
    fetch_sets
    fetch_whole
    fixture_maildir
    fixture_unsynced
    greeting
    id
    idle
    idle_expunge
    idle_long
    idle_odd
    imaps
    list_children
    list_odd_names
    list_patterns
    list_special_use
    literals
    login_disabled
    login_literals
    login_pipelined
    login_states
    login_syntax
    login_wrong
    logout
    move_errors
    move_messages
    move_within
    mutf7
    namespace
    noop_check
    notify_deleted_mailbox
    notify_expunge
    notify_flags
    notify_new_mail
    pipelined
    recreated_uidvalidity
    rename
    rename_inbox
    search_charset
    search_dates_sizes
    search_errors
    search_flags
    search_sets
    search_text
    select
    select_empty
    select_nonexistent
    select_recent
    starttls
    starttls_under_tls
    status
    store
    store_errors
    store_keywords
    subscribe
    syntax
    uid_expunge
    uidnext_after_expunge
    unselect
}

transcripts! {
    lmtp:
    commands_out_of_order
    data_interrupted
    deliver
    detail
    dot_stuffing
    duplicate_recipient
    eight_bit
    empty_message
    headers_added
    lhlo
    one_reply_per_recipient
    paths
    pipelining
    quit_in_transaction
    rset
    syntax
    two_transactions
    unknown_user
    upper_case_user
}
