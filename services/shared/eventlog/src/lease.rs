//! Who does a piece of background work at the moment: a key that expires on the server unless its holder renews it.
//!
//! A lease saves double work, it does not prevent it: a holder that was suspended believes for a moment in what has
//! expired. What must not happen twice is claimed by an append with an expectation instead.

use std::time::Duration;

use async_nats::{HeaderMap, header};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    EventLog,
    error::LogError,
    record::text,
    retry::REQUEST_TIMEOUT,
    streams::LONGEST_LEASE,
    wire::{self, Failure, Stored},
};

/// The server counts in seconds.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
/// How far our clock may be ahead of the server's. Farther apart, two may do the same work, which a lease permits.
const CLOCKS_APART: Duration = Duration::from_secs(30);
const OPERATION: &str = "KV-Operation";

/// A lease that was acquired. Dropping it gives it back, as far as the connection allows.
#[derive(Debug)]
pub struct Lease(Held);

#[derive(Debug, Clone)]
struct Held {
    log: EventLog,
    name: String,
    holder: String,
    ttl: Duration,
    /// The key's last entry of ours, 0 if it is not ours.
    revision: u64,
    held_until: Instant,
}

impl Lease {
    /// `None`: somebody else holds it. `holder` is unique to the caller: who has the same name holds the same lease.
    /// `ttl` is rounded up to whole seconds, 1 s to 1 h.
    pub async fn acquire(log: &EventLog, name: &str, holder: &str, ttl: Duration) -> Result<Option<Self>, LogError> {
        check_name(name)?;
        let ttl = ttl.clamp(SHORTEST_LEASE, LONGEST_LEASE);
        let mut held = Held {
            log: log.clone(),
            name: name.to_owned(),
            holder: holder.to_owned(),
            ttl,
            revision: 0,
            held_until: Instant::now(),
        };
        match held.current().await? {
            None => {}
            Some(entry) if is_free(&entry, holder) => held.revision = entry.sequence,
            Some(_) => return Ok(None),
        }
        Ok(held.renew().await?.then_some(Self(held)))
    }

    /// Prolongs it by its whole length. `false`: it was lost, and its work must stop.
    pub async fn renew(&mut self) -> Result<bool, LogError> {
        self.0.renew().await
    }

    /// Whether it is held for certain: an answer of the server is younger than the lease's length.
    pub fn is_held(&self) -> bool {
        self.0.is_held()
    }

    /// Gives it back, so that the next one need not wait for it to expire.
    pub async fn release(mut self) {
        let held = self.0.take();
        if held.is_held() {
            held.give_back().await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let held = self.0.take();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if held.is_held() {
            runtime.spawn(async move { held.give_back().await });
        }
    }
}

impl Held {
    fn is_held(&self) -> bool {
        self.revision != 0 && Instant::now() < self.held_until
    }

    /// Leaves nothing to give back behind.
    fn take(&mut self) -> Self {
        let held = self.clone();
        self.revision = 0;
        held
    }

    async fn current(&self) -> Result<Option<Stored>, LogError> {
        let names = self.log.names();
        wire::leader_last(&self.log, &names.lease_stream(), &names.lease(&self.name)).await.map_err(failed)
    }

    async fn renew(&mut self) -> Result<bool, LogError> {
        // Counted from before the request: never longer than the server counts.
        let until = Instant::now() + self.ttl;
        let mut result = self.put(&self.holder, HeaderMap::new(), self.ttl).await;
        if let Err(Failure::Refused {
            code: wire::WRONG_LAST_SEQUENCE | wire::WRONG_LAST_SEQUENCE_IN_FLIGHT | wire::STORE_FAILED,
            ..
        }) = result
        {
            // Lost; or expired and free again; or an earlier renewal without an answer was stored after all.
            self.revision = match self.current().await? {
                None => 0,
                Some(entry) if is_free(&entry, &self.holder) => entry.sequence,
                Some(_) => return Ok(self.lost()),
            };
            result = self.put(&self.holder, HeaderMap::new(), self.ttl).await;
        }
        match result {
            Ok(revision) => {
                (self.revision, self.held_until) = (revision, until);
                Ok(true)
            }
            Err(Failure::Refused {
                code: wire::WRONG_LAST_SEQUENCE | wire::WRONG_LAST_SEQUENCE_IN_FLIGHT | wire::STORE_FAILED,
                ..
            }) => Ok(self.lost()),
            Err(failure) => Err(failed(failure)),
        }
    }

    fn lost(&mut self) -> bool {
        self.revision = 0;
        false
    }

    async fn give_back(&self) {
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, "DEL");
        if let Err(failure) = self.put("", headers, SHORTEST_LEASE).await {
            tracing::debug!(lease = self.name, ?failure, "lease not given back, it will expire");
        }
    }

    async fn put(&self, value: &str, mut headers: HeaderMap, ttl: Duration) -> Result<u64, Failure> {
        headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, self.revision.to_string());
        headers.insert(header::NATS_MESSAGE_TTL, format!("{}s", ttl.as_secs_f64().ceil()));
        wire::publish(&self.log, self.log.names().lease(&self.name), headers, value.to_owned().into()).await
    }
}

/// Given back, ours already, or long over.
fn is_free(entry: &Stored, holder: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "the entry's time is the server's, so its age is by the real clock")]
    let now = Timestamp::now();
    text(&entry.headers, OPERATION).is_some() || entry.payload == holder.as_bytes() || is_left_behind(entry, now)
}

/// A server that was killed can start with an entry that had expired or was replaced, and then keeps it until the
/// bucket's own limit, an hour: nobody would do the work until then.
fn is_left_behind(entry: &Stored, now: Timestamp) -> bool {
    let seconds = text(&entry.headers, header::NATS_MESSAGE_TTL.as_ref())
        .and_then(|ttl| ttl.strip_suffix('s').unwrap_or(ttl).parse::<i64>().ok());
    let ttl = seconds.map_or(LONGEST_LEASE, |s| Duration::from_secs(s.max(0).unsigned_abs()).min(LONGEST_LEASE));
    let age = Duration::try_from(now.duration_since(entry.stored_at)).unwrap_or_default();
    age > ttl + CLOCKS_APART
}

fn failed(failure: Failure) -> LogError {
    match failure {
        Failure::Refused { code, description } => LogError::Refused { doing: "taking a lease", code, description },
        Failure::Unknown(last) => LogError::Unavailable { doing: "taking a lease", tried_for: REQUEST_TIMEOUT, last },
        Failure::TooMany => {
            LogError::Refused { doing: "taking a lease", code: 413, description: "too many".to_owned() }
        }
    }
}

fn check_name(name: &str) -> Result<(), LogError> {
    let token =
        |token: &str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if name.len() <= 128 && name.split('.').all(token) {
        return Ok(());
    }
    Err(LogError::InvalidName {
        what: "lease",
        value: name.to_owned(),
        rule: "use up to 128 characters: letters, digits, '-', '_', and single '.' between them",
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    fn entry(ttl: Option<&str>) -> Stored {
        let mut headers = HeaderMap::new();
        if let Some(ttl) = ttl {
            headers.insert(header::NATS_MESSAGE_TTL, ttl);
        }
        Stored {
            subject: "$KV.LEASES.work".into(),
            sequence: 1,
            stored_at: Timestamp::from_second(1_600_000_000).unwrap(),
            headers,
            payload: "somebody".into(),
        }
    }

    #[test]
    fn what_the_server_should_have_removed_holds_nobody_up() {
        let after = |seconds: i64| Timestamp::from_second(1_600_000_000 + seconds).unwrap();
        let held = entry(Some("15s"));
        for early in [-60, 0, 14, 44] {
            assert!(!is_left_behind(&held, after(early)), "{early} s");
        }
        assert!(is_left_behind(&held, after(46)));
        assert!(!is_left_behind(&entry(Some("never")), after(3_600)));
        assert!(!is_left_behind(&entry(None), after(3_600)));
        assert!(is_left_behind(&entry(None), after(3_700)));
        assert!(is_free(&held, "somebody") && is_free(&held, "another"), "stored in the past of this test");
    }
}
