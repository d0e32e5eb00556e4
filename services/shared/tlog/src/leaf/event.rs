//! The leaf of one stored event.

use super::{LeafError, lines};
use crate::hash::Hash;

pub(super) const KIND: &str = "muster-audit-leaf/v1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The log's origin.
    pub log: String,
    /// The stream's logical name: the same at every site.
    pub stream: String,
    pub seq: u64,
    pub subject: String,
    /// Unix time in nanoseconds, as JetStream stored it.
    pub time_ns: u64,
    /// Of the canonical headers ([`super::canonical_headers`]).
    pub headers_sha256: Hash,
    /// In bytes, as stored.
    pub payload_len: u64,
    /// Of the stored payload bytes, encrypted or not.
    pub payload_sha256: Hash,
}

impl Event {
    pub(super) fn to_text(&self) -> Result<String, LeafError> {
        let log = lines::word("log", &self.log)?;
        let stream = lines::word("stream", &self.stream)?;
        let subject = lines::word("subject", &self.subject)?;
        Ok(format!(
            "{KIND}\nlog {log}\nstream {stream}\nseq {}\nsubject {subject}\ntime {}\nheaders sha256:{}\npayload {} sha256:{}\n",
            self.seq, self.time_ns, self.headers_sha256, self.payload_len, self.payload_sha256
        ))
    }
}

pub(super) fn parse(mut rest: &str) -> Result<Event, LeafError> {
    let rest = &mut rest;
    let log = lines::take(rest, "log")?.to_owned();
    let stream = lines::take(rest, "stream")?.to_owned();
    let seq = lines::number("seq", lines::take(rest, "seq")?)?;
    let subject = lines::take(rest, "subject")?.to_owned();
    let time_ns = lines::number("time", lines::take(rest, "time")?)?;
    let headers_sha256 = lines::digest("headers", lines::take(rest, "headers")?)?;
    let payload = lines::take(rest, "payload")?;
    let (length, digest) = payload.split_once(' ').ok_or_else(|| lines::wrong("payload", payload))?;
    let payload_len = lines::number("payload", length)?;
    let payload_sha256 = lines::digest("payload", digest)?;
    lines::end(rest)?;
    Ok(Event { log, stream, seq, subject, time_ns, headers_sha256, payload_len, payload_sha256 })
}
