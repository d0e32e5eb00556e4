//! The leaf at index 0: what the log is, and which log it continues.

use super::{LeafError, lines};
use crate::hash::Hash;

pub(super) const KIND: &str = "muster-audit-genesis/v1";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// The log's origin.
    pub log: String,
    pub stream: String,
    /// The stream sequence at index 1.
    pub first_seq: u64,
    /// The largest known checkpoint of the epoch before.
    pub previous: Option<Previous>,
    /// The verifier key that signs the log at its beginning.
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

impl Genesis {
    pub(super) fn to_text(&self) -> Result<String, LeafError> {
        let log = lines::word("log", &self.log)?;
        let stream = lines::word("stream", &self.stream)?;
        let key = lines::word("key", &self.key)?;
        let previous = match &self.previous {
            None => "none".to_owned(),
            Some(old) => format!("{} {} sha256:{}", lines::word("previous", &old.origin)?, old.size, old.root),
        };
        let first = self.first_seq;
        Ok(format!("{KIND}\nlog {log}\nstream {stream}\nfirst-seq {first}\nprevious {previous}\nkey {key}\n"))
    }
}

pub(super) fn parse(mut rest: &str) -> Result<Genesis, LeafError> {
    let rest = &mut rest;
    let log = lines::take(rest, "log")?.to_owned();
    let stream = lines::take(rest, "stream")?.to_owned();
    let first_seq = lines::number("first-seq", lines::take(rest, "first-seq")?)?;
    let previous = previous(lines::take(rest, "previous")?)?;
    let key = lines::take(rest, "key")?.to_owned();
    lines::end(rest)?;
    Ok(Genesis { log, stream, first_seq, previous, key })
}

fn previous(text: &str) -> Result<Option<Previous>, LeafError> {
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        ["none"] => Ok(None),
        [origin, size, root] => Ok(Some(Previous {
            origin: (*origin).to_owned(),
            size: lines::number("previous", size)?,
            root: lines::digest("previous", root)?,
        })),
        _ => Err(lines::wrong("previous", text)),
    }
}
