//! The leaf in place of one sequence that the stream does not have.

use super::{LeafError, lines};

pub(super) const KIND: &str = "muster-audit-gap/v1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The log's origin.
    pub log: String,
    pub stream: String,
    pub seq: u64,
    /// What is known about it, in one line.
    pub reason: String,
}

impl Gap {
    pub(super) fn to_text(&self) -> Result<String, LeafError> {
        let log = lines::word("log", &self.log)?;
        let stream = lines::word("stream", &self.stream)?;
        let reason = lines::line("reason", &self.reason)?;
        Ok(format!("{KIND}\nlog {log}\nstream {stream}\nseq {}\nreason {reason}\n", self.seq))
    }
}

pub(super) fn parse(mut rest: &str) -> Result<Gap, LeafError> {
    let rest = &mut rest;
    let log = lines::take(rest, "log")?.to_owned();
    let stream = lines::take(rest, "stream")?.to_owned();
    let seq = lines::number("seq", lines::take(rest, "seq")?)?;
    let reason = lines::take(rest, "reason")?.to_owned();
    lines::end(rest)?;
    Ok(Gap { log, stream, seq, reason })
}
