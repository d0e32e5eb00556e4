//! One stored event as an export writes it: enough to derive its leaf again.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    hash::Hash,
    leaf::{Event, Leaf, LeafError, canonical_headers},
};

/// One line of `events.jsonl`. A line may have more fields (the payload in clear, say): they are for people, and prove nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The stream's logical name.
    pub stream: String,
    pub seq: u64,
    pub subject: String,
    /// Unix time in nanoseconds, as stored.
    pub time_ns: u64,
    /// Names and values in stored order, repeated names included.
    pub headers: Vec<(String, String)>,
    /// The payload as stored, encrypted or not.
    pub payload_b64: String,
}

impl StoredEvent {
    /// The leaf that a log with this origin has for the event. None when the payload is not base64.
    pub fn leaf(&self, log: &str) -> Option<Result<Event, LeafError>> {
        let payload = BASE64_STANDARD.decode(&self.payload_b64).ok()?;
        let headers_sha256 = match canonical_headers(self.headers.iter().map(|(name, value)| (name, value))) {
            Ok(digest) => digest,
            Err(error) => return Some(Err(error)),
        };
        Some(Ok(Event {
            log: log.to_owned(),
            stream: self.stream.clone(),
            seq: self.seq,
            subject: self.subject.clone(),
            time_ns: self.time_ns,
            headers_sha256,
            payload_len: payload.len() as u64,
            payload_sha256: Hash::of(&payload),
        }))
    }
}

/// How an event is called in findings: "event 17 (rec.t.request.r.2)".
pub fn name_of(leaf: &Leaf) -> String {
    match leaf {
        Leaf::Genesis(_) => "the genesis leaf".to_owned(),
        Leaf::Event(event) => format!("event {} ({})", event.seq, event.subject),
        Leaf::Gap(gap) => format!("the gap at {}", gap.seq),
    }
}

/// What differs between the leaf that was logged and the one that the event gives now, in words; none when nothing does.
pub fn difference(logged: &Event, now: &Event) -> Option<String> {
    let mut parts = Vec::new();
    let mut part = |what: &str, logged: String, now: String| {
        if logged != now {
            parts.push(format!("{what} was {logged} and is {now}"));
        }
    };
    part("its sequence", logged.seq.to_string(), now.seq.to_string());
    part("its stream", logged.stream.clone(), now.stream.clone());
    part("its subject", logged.subject.clone(), now.subject.clone());
    part("its time (ns)", logged.time_ns.to_string(), now.time_ns.to_string());
    part("the digest of its headers", logged.headers_sha256.to_hex(), now.headers_sha256.to_hex());
    let payload = |leaf: &Event| format!("{} bytes, {}", leaf.payload_len, leaf.payload_sha256);
    part("its payload", payload(logged), payload(now));
    (!parts.is_empty()).then(|| parts.join("; "))
}
