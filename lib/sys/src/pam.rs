//! libpam: asks the system's modules whether a password is right and the account may be used.
//!
//! Behind the feature `pam`: modules are loaded at run time, which statically linked services cannot do.
//! Modules run in this process. They may block for as long as they like, leak, or crash: give them a process of their own.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr::NonNull;

use zeroize::Zeroizing;

/// What is asked.
pub struct Question<'a> {
    /// File in /etc/pam.d. The caller keeps it free of slashes.
    pub service: &'a str,
    /// Whose account.
    pub user: &'a str,
    /// Answer to every hidden prompt.
    pub password: &'a [u8],
    /// `PAM_RHOST`: the client's address.
    pub remote_host: Option<&'a str>,
    /// `PAM_TTY`: modules such as pam_access want one, even of services that have none.
    pub tty: &'a str,
    /// What to do besides authentication and account management.
    pub extras: Extras,
}

/// Steps that only some modules need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// Open a session and close it at once, for modules that make home directories.
    pub session: bool,
    /// Establish credentials, for modules that fetch tickets.
    pub setcred: bool,
}

/// The modules' verdict. `messages` are what they said to the user.
#[derive(Debug)]
pub struct Answer {
    /// The name that the modules settled on; may differ from the one asked.
    pub user: Option<String>,
    /// `None`: the password is right and the account may be used.
    pub failure: Option<Failure>,
    /// Texts and errors for the user, in the order they came.
    pub messages: Vec<String>,
}

/// Which step failed and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// `pam_authenticate`, `pam_acct_mgmt`, …
    pub call: &'static str,
    /// What it means.
    pub reason: Reason,
    /// libpam's text.
    pub text: String,
}

/// Return values of libpam, as far as a mail server acts on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// `PAM_AUTH_ERR`: most likely a wrong password.
    Mismatch,
    /// `PAM_USER_UNKNOWN`.
    UnknownUser,
    /// `PAM_ACCT_EXPIRED`, `PAM_PERM_DENIED`: the user exists and must stay outside.
    Disabled,
    /// `PAM_NEW_AUTHTOK_REQD`, `PAM_AUTHTOK_EXPIRED`.
    PasswordExpired,
    /// The modules could not decide.
    Internal,
}

/// Asks. Blocks until the modules have decided.
#[must_use]
pub fn ask(question: &Question<'_>) -> Answer {
    let mut conversation = Conversation {
        user: question.user.as_bytes().to_vec(),
        password: Zeroizing::new(question.password.to_vec()),
        messages: Vec::new(),
    };
    let (user, failure) = match Handle::start(question, &mut conversation) {
        Ok(mut handle) => {
            let failure = handle.run(question).err();
            (handle.user(), failure)
        }
        Err(failure) => (None, Some(failure)),
    };
    Answer {
        user,
        failure,
        messages: conversation.messages,
    }
}

// --- libpam ---------------------------------------------------------------

#[repr(C)]
struct PamHandle {
    _private: [u8; 0],
}

#[repr(C)]
struct PamMessage {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct PamResponse {
    text: *mut c_char,
    /// Unused, says libpam: always 0.
    code: c_int,
}

#[repr(C)]
struct PamConv {
    conv: extern "C" fn(c_int, *mut *const PamMessage, *mut *mut PamResponse, *mut c_void) -> c_int,
    data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start(
        service: *const c_char,
        user: *const c_char,
        conv: *const PamConv,
        handle: *mut *mut PamHandle,
    ) -> c_int;
    fn pam_end(handle: *mut PamHandle, status: c_int) -> c_int;
    fn pam_set_item(handle: *mut PamHandle, item: c_int, value: *const c_void) -> c_int;
    fn pam_get_item(handle: *const PamHandle, item: c_int, value: *mut *const c_void) -> c_int;
    fn pam_authenticate(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_open_session(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_close_session(handle: *mut PamHandle, flags: c_int) -> c_int;
    fn pam_strerror(handle: *mut PamHandle, error: c_int) -> *const c_char;
}

// From security/_pam_types.h of Linux-PAM.
const PAM_SUCCESS: c_int = 0;
const PAM_BUF_ERR: c_int = 5;
const PAM_PERM_DENIED: c_int = 6;
const PAM_AUTH_ERR: c_int = 7;
const PAM_USER_UNKNOWN: c_int = 10;
const PAM_NEW_AUTHTOK_REQD: c_int = 12;
const PAM_ACCT_EXPIRED: c_int = 13;
const PAM_CONV_ERR: c_int = 19;
const PAM_AUTHTOK_EXPIRED: c_int = 27;
const PAM_USER: c_int = 2;
const PAM_TTY: c_int = 3;
const PAM_RHOST: c_int = 4;
const PAM_RUSER: c_int = 8;
const PAM_FAIL_DELAY: c_int = 10;
const PAM_ESTABLISH_CRED: c_int = 2;
const PAM_PROMPT_ECHO_OFF: c_int = 1;
const PAM_PROMPT_ECHO_ON: c_int = 2;
const PAM_ERROR_MSG: c_int = 3;
const PAM_TEXT_INFO: c_int = 4;
/// `PAM_MAX_NUM_MSG`.
const MAX_MESSAGES: usize = 32;

/// A PAM transaction between pam_start and pam_end. The conversation is borrowed for as long.
struct Handle<'a> {
    raw: NonNull<PamHandle>,
    last: c_int,
    _conversation: std::marker::PhantomData<&'a mut Conversation>,
}

impl<'a> Handle<'a> {
    fn start(question: &Question<'_>, conversation: &'a mut Conversation) -> Result<Self, Failure> {
        let service = c_string("pam_start", question.service)?;
        let user = c_string("pam_start", question.user)?;
        let conv = PamConv {
            conv: converse,
            data: (&raw mut *conversation).cast(),
        };
        let mut raw = std::ptr::null_mut();
        // SAFETY: the strings end in NUL and `conv` is complete; libpam copies all three. `conversation`, which `conv`
        // points to, is borrowed by the Handle until pam_end. `raw` is valid for writing.
        let status = unsafe { pam_start(service.as_ptr(), user.as_ptr(), &conv, &raw mut raw) };
        match NonNull::new(raw) {
            Some(raw) if status == PAM_SUCCESS => Ok(Self {
                raw,
                last: status,
                _conversation: std::marker::PhantomData,
            }),
            _ => Err(Failure {
                call: "pam_start",
                reason: Reason::Internal,
                text: format!("error {status}"),
            }),
        }
    }

    /// The steps, in order, up to the first that fails.
    fn run(&mut self, question: &Question<'_>) -> Result<(), Failure> {
        if let Some(host) = question.remote_host {
            self.set_text("pam_set_item(RHOST)", PAM_RHOST, host)?;
        }
        self.set_text("pam_set_item(RUSER)", PAM_RUSER, question.user)?;
        self.set_text("pam_set_item(TTY)", PAM_TTY, question.tty)?;
        self.disable_delay()?;
        self.step("pam_authenticate", |raw| {
            // SAFETY: `raw` is the live handle of this transaction.
            unsafe { pam_authenticate(raw, 0) }
        })?;
        if question.extras.setcred {
            self.step("pam_setcred", |raw| {
                // SAFETY: as above.
                unsafe { pam_setcred(raw, PAM_ESTABLISH_CRED) }
            })?;
        }
        self.step("pam_acct_mgmt", |raw| {
            // SAFETY: as above.
            unsafe { pam_acct_mgmt(raw, 0) }
        })?;
        if question.extras.session {
            self.step("pam_open_session", |raw| {
                // SAFETY: as above.
                unsafe { pam_open_session(raw, 0) }
            })?;
            self.step("pam_close_session", |raw| {
                // SAFETY: as above.
                unsafe { pam_close_session(raw, 0) }
            })?;
        }
        Ok(())
    }

    fn step(
        &mut self,
        call: &'static str,
        run: impl FnOnce(*mut PamHandle) -> c_int,
    ) -> Result<(), Failure> {
        self.last = run(self.raw.as_ptr());
        if self.last == PAM_SUCCESS {
            return Ok(());
        }
        Err(Failure {
            call,
            reason: reason(self.last),
            text: self.strerror(),
        })
    }

    fn set_text(&mut self, call: &'static str, item: c_int, value: &str) -> Result<(), Failure> {
        let value = c_string(call, value)?;
        self.step(call, |raw| {
            // SAFETY: a live handle; a NUL-terminated string, which libpam copies, is what these items take.
            unsafe { pam_set_item(raw, item, value.as_ptr().cast()) }
        })
    }

    /// Failures are delayed by `auth`, for all passdbs alike; here it would only hold a process.
    fn disable_delay(&mut self) -> Result<(), Failure> {
        let delay: extern "C" fn(c_int, c_uint, *mut c_void) = no_delay;
        self.step("pam_set_item(FAIL_DELAY)", |raw| {
            // SAFETY: a live handle; the item takes a pointer to a function of exactly this type, which lives forever.
            unsafe { pam_set_item(raw, PAM_FAIL_DELAY, delay as *const c_void) }
        })
    }

    fn user(&self) -> Option<String> {
        let mut value = std::ptr::null();
        // SAFETY: a live handle; `value` is valid for writing.
        let status = unsafe { pam_get_item(self.raw.as_ptr(), PAM_USER, &raw mut value) };
        if status != PAM_SUCCESS || value.is_null() {
            return None;
        }
        // SAFETY: PAM_USER is a NUL-terminated string that libpam owns until it is set anew; it is copied at once.
        let user = unsafe { CStr::from_ptr(value.cast()) };
        user.to_str().ok().map(str::to_owned)
    }

    fn strerror(&self) -> String {
        // SAFETY: a live handle; any number is allowed.
        let text = unsafe { pam_strerror(self.raw.as_ptr(), self.last) };
        if text.is_null() {
            return format!("error {}", self.last);
        }
        // SAFETY: not null, so a static string of libpam.
        unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned()
    }
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is live, and nobody uses it after this.
        unsafe { pam_end(self.raw.as_ptr(), self.last) };
    }
}

fn reason(status: c_int) -> Reason {
    match status {
        PAM_AUTH_ERR => Reason::Mismatch,
        PAM_USER_UNKNOWN => Reason::UnknownUser,
        PAM_ACCT_EXPIRED | PAM_PERM_DENIED => Reason::Disabled,
        PAM_NEW_AUTHTOK_REQD | PAM_AUTHTOK_EXPIRED => Reason::PasswordExpired,
        _ => Reason::Internal,
    }
}

fn c_string(call: &'static str, value: &str) -> Result<CString, Failure> {
    CString::new(value).map_err(|_| Failure {
        call,
        reason: Reason::Internal,
        text: "NUL inside a value".to_owned(),
    })
}

extern "C" fn no_delay(_status: c_int, _microseconds: c_uint, _data: *mut c_void) {}

// --- the conversation -----------------------------------------------------

/// Answers for the user, who is not there: the name to visible prompts, the password to hidden ones.
struct Conversation {
    user: Vec<u8>,
    password: Zeroizing<Vec<u8>>,
    messages: Vec<String>,
}

/// libpam's callback. `data` is the [`Conversation`] that was given to pam_start.
extern "C" fn converse(
    count: c_int,
    messages: *mut *const PamMessage,
    responses: *mut *mut PamResponse,
    data: *mut c_void,
) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    if count == 0
        || count > MAX_MESSAGES
        || messages.is_null()
        || responses.is_null()
        || data.is_null()
    {
        return PAM_CONV_ERR;
    }
    // SAFETY: `data` is the Conversation that the Handle borrows mutably: nobody else touches it during the call.
    let conversation = unsafe { &mut *data.cast::<Conversation>() };
    // SAFETY: libpam frees responses with free(3), so they come from calloc(3), which also zeroes them: no answer yet.
    let replies = unsafe { libc::calloc(count, size_of::<PamResponse>()) }.cast::<PamResponse>();
    if replies.is_null() {
        return PAM_BUF_ERR;
    }
    for index in 0..count {
        // SAFETY: Linux-PAM passes an array of `count` pointers to messages, and `replies` has `count` elements.
        let (message, reply) = unsafe { (&**messages.add(index), &mut *replies.add(index)) };
        match conversation.answer(message) {
            Ok(text) => reply.text = text,
            Err(status) => {
                free_replies(replies, count);
                return status;
            }
        }
    }
    // SAFETY: not null, and libpam's to be filled.
    unsafe { *responses = replies };
    PAM_SUCCESS
}

impl Conversation {
    /// An answer from malloc(3), NULL where none is wanted, or an error of libpam.
    fn answer(&mut self, message: &PamMessage) -> Result<*mut c_char, c_int> {
        match message.style {
            PAM_PROMPT_ECHO_ON => duplicate(&self.user),
            PAM_PROMPT_ECHO_OFF => duplicate(&self.password),
            PAM_ERROR_MSG | PAM_TEXT_INFO => {
                if !message.text.is_null() {
                    // SAFETY: not null, so a NUL-terminated string of the module.
                    let text = unsafe { CStr::from_ptr(message.text) };
                    self.messages.push(text.to_string_lossy().into_owned());
                }
                Ok(std::ptr::null_mut())
            }
            _ => Err(PAM_CONV_ERR),
        }
    }
}

/// A NUL-terminated copy in memory from calloc(3), for libpam to wipe and free.
fn duplicate(value: &[u8]) -> Result<*mut c_char, c_int> {
    if value.contains(&0) {
        return Err(PAM_CONV_ERR);
    }
    // SAFETY: one byte more than the value, zeroed.
    let copy = unsafe { libc::calloc(value.len() + 1, 1) }.cast::<u8>();
    if copy.is_null() {
        return Err(PAM_BUF_ERR);
    }
    // SAFETY: `copy` is fresh and longer than `value`.
    unsafe { std::ptr::copy_nonoverlapping(value.as_ptr(), copy, value.len()) };
    Ok(copy.cast())
}

fn free_replies(replies: *mut PamResponse, count: usize) {
    for index in 0..count {
        // SAFETY: `replies` has `count` elements; each text is NULL or from calloc(3), and freed once.
        unsafe { libc::free((*replies.add(index)).text.cast()) };
    }
    // SAFETY: from calloc(3), and nobody has it but us.
    unsafe { libc::free(replies.cast()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question<'a>(service: &'a str, user: &'a str) -> Question<'a> {
        Question {
            service,
            user,
            password: b"secret",
            remote_host: Some("192.0.2.1"),
            tty: "culver",
            extras: Extras::default(),
        }
    }

    #[test]
    fn an_unknown_service_admits_nobody() {
        // Falls to the `other` service, which refuses or cannot verify nobody's password.
        let answer = ask(&question("culver-test-no-such-service", "no-such-user"));
        assert!(answer.failure.is_some());
    }

    #[test]
    fn names_with_nul_are_refused() {
        assert_eq!(
            ask(&question("a\0b", "x")).failure.unwrap().call,
            "pam_start"
        );
        assert_eq!(
            ask(&question("other", "a\0b")).failure.unwrap().call,
            "pam_start"
        );
    }

    #[test]
    fn the_conversation_answers_by_style() {
        let mut conversation = Conversation {
            user: b"alice".to_vec(),
            password: Zeroizing::new(b"secret".to_vec()),
            messages: Vec::new(),
        };
        let prompts =
            [PAM_PROMPT_ECHO_ON, PAM_TEXT_INFO, PAM_PROMPT_ECHO_OFF].map(|style| PamMessage {
                style,
                text: c"hello".as_ptr(),
            });
        let mut pointers = prompts.each_ref().map(|message| &raw const *message);
        let mut replies = std::ptr::null_mut();
        let data: *mut c_void = (&raw mut conversation).cast();
        assert_eq!(
            converse(3, pointers.as_mut_ptr(), &raw mut replies, data),
            PAM_SUCCESS
        );
        // SAFETY: the call succeeded: three replies, the middle one empty.
        let texts = unsafe {
            assert!((*replies.add(1)).text.is_null());
            [
                CStr::from_ptr((*replies).text),
                CStr::from_ptr((*replies.add(2)).text),
            ]
        };
        assert_eq!(texts, [c"alice", c"secret"]);
        free_replies(replies, 3);
        assert_eq!(conversation.messages, ["hello"]);

        let unknown = PamMessage {
            style: 99,
            text: std::ptr::null(),
        };
        let mut pointers = [&raw const unknown];
        assert_eq!(
            converse(1, pointers.as_mut_ptr(), &raw mut replies, data),
            PAM_CONV_ERR
        );
        assert_eq!(
            converse(33, pointers.as_mut_ptr(), &raw mut replies, data),
            PAM_CONV_ERR
        );
    }
}
