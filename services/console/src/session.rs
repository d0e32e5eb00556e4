//! Who is at this browser. Tokens stay here; the browser holds only a random cookie.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::Engine as _;
use http::{HeaderMap, HeaderValue, header};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

/// Longest that a browser stays logged in without a new login, whatever the token says.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(8);
/// A session that nobody used for this long is over.
pub(crate) const MAX_IDLE: SignedDuration = SignedDuration::from_hours(1);
/// Above this the oldest go: an attacker cannot fill the memory with logins.
const MAX_SESSIONS: usize = 10_000;

const COOKIE: &str = "muster_session";

#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) token: String,
    /// Sent with every call and form and compared: a page elsewhere cannot know it.
    pub(crate) form_key: String,
    /// Under which the map holds it.
    fingerprint: String,
    started: Timestamp,
    used: Timestamp,
    ends: Timestamp,
}

/// Whether a person did something, or a page that stands open asked by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    ByHand,
    InBackground,
}

/// The sessions of this process. Lost with it: people log in again, which costs a click.
#[derive(Default)]
pub(crate) struct Sessions {
    by_id: Mutex<HashMap<String, Session>>,
}

impl Sessions {
    /// Opens a session and returns the cookie that names it.
    pub(crate) fn open(&self, token: String, token_ends: Timestamp, now: Timestamp, secure: bool) -> HeaderValue {
        let id = random_key();
        let fingerprint = fingerprint(&id);
        let ends = token_ends.min(now + MAX_AGE);
        let session =
            Session { token, form_key: random_key(), fingerprint: fingerprint.clone(), started: now, used: now, ends };
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.holds(now));
        if sessions.len() >= MAX_SESSIONS
            && let Some(oldest) = sessions.iter().min_by_key(|(_, session)| session.started).map(|(id, _)| id.clone())
        {
            sessions.remove(&oldest);
        }
        sessions.insert(fingerprint, session);
        cookie(&id, MAX_AGE.as_secs(), secure)
    }

    pub(crate) fn find(&self, headers: &HeaderMap, now: Timestamp) -> Option<Session> {
        self.find_for(headers, now, Use::ByHand)
    }

    /// Only what a person does keeps a session from going idle.
    pub(crate) fn find_for(&self, headers: &HeaderMap, now: Timestamp, how: Use) -> Option<Session> {
        let id = fingerprint(&session_id(headers)?);
        let mut sessions = self.lock();
        let session = sessions.get_mut(&id)?;
        if !session.holds(now) {
            sessions.remove(&id);
            return None;
        }
        if how == Use::ByHand {
            session.used = now;
        }
        Some(session.clone())
    }

    /// Whether a session that was found before still holds.
    pub(crate) fn lasts(&self, session: &Session, now: Timestamp) -> bool {
        self.lock().get(&session.fingerprint).is_some_and(|session| session.holds(now))
    }

    pub(crate) fn close(&self, headers: &HeaderMap, secure: bool) -> HeaderValue {
        if let Some(id) = session_id(headers) {
            self.lock().remove(&fingerprint(&id));
        }
        cookie("", 0, secure)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        // A panic while holding it leaves a whole map: inserts and removes are single steps.
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    pub(crate) fn ends(&self) -> Timestamp {
        self.ends
    }

    /// By digest, so that the time it takes tells nothing.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        fingerprint(&self.form_key) == fingerprint(key)
    }

    fn holds(&self, now: Timestamp) -> bool {
        now < self.ends && now.duration_since(self.used) < MAX_IDLE
    }
}

/// The map holds digests, so that looking one up tells nothing by its timing.
fn fingerprint(id: &str) -> String {
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(Sha256::digest(id.as_bytes()))
}

fn session_id(headers: &HeaderMap) -> Option<String> {
    named_cookie(headers, COOKIE)
}

pub(crate) fn named_cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE);
    let pairs = all.iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value.to_owned())
}

fn cookie(value: &str, max_age_seconds: i64, secure: bool) -> HeaderValue {
    http_only_cookie(COOKIE, value, max_age_seconds, secure)
}

pub(crate) fn http_only_cookie(name: &str, value: &str, max_age_seconds: i64, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// 244 random bits, URL-safe.
pub(crate) fn random_key() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "a session key is never replayed; it must not come from the clock's ids"
    )]
    let (a, b) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let mut bytes = Vec::with_capacity(32);
    bytes.extend_from_slice(a.as_bytes());
    bytes.extend_from_slice(b.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    fn headers(cookie: &HeaderValue) -> HeaderMap {
        let first = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(&format!("other=1; {first}")).unwrap())])
    }

    #[test]
    fn a_session_ends_by_age_idleness_token_and_logout() {
        let sessions = Sessions::default();
        let start = Timestamp::from_second(1_790_000_000).unwrap();
        let minutes = |m| start + SignedDuration::from_mins(m);
        let open = |ends| headers(&sessions.open("t".into(), ends, start, true));

        let idle = open(minutes(600));
        assert!(sessions.find(&idle, minutes(59)).is_some());
        assert!(sessions.find(&idle, minutes(120)).is_none());

        let short_token = open(minutes(10));
        assert!(sessions.find(&short_token, minutes(11)).is_none());

        let logged_out = open(minutes(600));
        sessions.close(&logged_out, true);
        assert!(sessions.find(&logged_out, minutes(1)).is_none());
        assert!(sessions.find(&HeaderMap::new(), minutes(1)).is_none());
    }

    #[test]
    fn a_page_that_only_stands_open_does_not_keep_a_session_alive() {
        let sessions = Sessions::default();
        let start = Timestamp::from_second(1_790_000_000).unwrap();
        let minutes = |m| start + SignedDuration::from_mins(m);
        let cookie = headers(&sessions.open("t".into(), minutes(600), start, true));
        let session = sessions.find(&cookie, minutes(1)).unwrap();
        assert!(sessions.find_for(&cookie, minutes(50), Use::InBackground).is_some());
        assert!(sessions.lasts(&session, minutes(60)) && !sessions.lasts(&session, minutes(62)));
        assert!(sessions.find_for(&cookie, minutes(62), Use::InBackground).is_none());
    }

    #[test]
    fn a_logout_ends_what_was_found_before_and_keys_are_of_one_session() {
        let sessions = Sessions::default();
        let start = Timestamp::from_second(1_790_000_000).unwrap();
        let open = || headers(&sessions.open("t".into(), Timestamp::MAX, start, true));
        let (mine, other) = (open(), open());
        let (session, foreign) = (sessions.find(&mine, start).unwrap(), sessions.find(&other, start).unwrap());
        assert!(session.has_key(&session.form_key) && !session.has_key(&foreign.form_key) && !session.has_key(""));
        sessions.close(&mine, true);
        assert!(!sessions.lasts(&session, start) && sessions.lasts(&foreign, start));
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        let cookie = Sessions::default().open("t".into(), Timestamp::MAX, Timestamp::UNIX_EPOCH, true);
        let text = cookie.to_str().unwrap();
        assert!(text.contains("HttpOnly") && text.contains("SameSite=Lax") && text.contains("Secure"));
        assert!(!text.contains("=t;"));
    }
}
