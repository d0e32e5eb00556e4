//! What a producer signs: everything that it knows of the event's leaf when it publishes.

use async_nats::HeaderMap;
use muster_tlog::{
    hash::Hash,
    leaf::{LeafError, canonical_headers},
};

pub(crate) const PRODUCER: &str = "Muster-Producer";
/// Digests of statements, in hex, separated by commas; `none` in a process' first event.
pub(crate) const PREVIOUS: &str = "Muster-Prev";
/// Ed25519 over the statement, base64.
pub(crate) const SIGNATURE: &str = "Muster-Sig";

/// What is added to an event after it was sealed.
pub(crate) const HEADERS: [&str; 3] = [PRODUCER, PREVIOUS, SIGNATURE];

/// Events that one event names. More than that are written at once rarely, and the one after it names the rest.
pub(crate) const MAX_PREVIOUS: usize = 16;
const NONE: &str = "none";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    text: String,
}

impl Statement {
    /// `headers`: names and values as sent, with or without the signature.
    pub(crate) fn of<'h>(
        subject: &str,
        event_id: &str,
        headers: impl IntoIterator<Item = (&'h str, &'h str)>,
        payload: &[u8],
    ) -> Result<Self, LeafError> {
        let unsigned = headers.into_iter().filter(|(name, _)| *name != SIGNATURE);
        let headers = canonical_headers(unsigned)?;
        let text = format!(
            "muster-producer-statement/v1\nsubject {subject}\nid {event_id}\nheaders sha256:{headers}\npayload {} sha256:{}\n",
            payload.len(),
            Hash::of(payload)
        );
        Ok(Self { text })
    }

    pub(crate) fn of_message(
        subject: &str,
        event_id: &str,
        headers: &HeaderMap,
        payload: &[u8],
    ) -> Result<Self, LeafError> {
        Self::of(subject, event_id, pairs(headers), payload)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn digest(&self) -> Hash {
        Hash::of(self.text.as_bytes())
    }
}

/// Every value of every header.
pub(crate) fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name.as_ref(), value.as_str())))
}

pub(crate) fn write_previous(previous: &[Hash]) -> String {
    match previous {
        [] => NONE.to_owned(),
        digests => digests.iter().map(Hash::to_hex).collect::<Vec<_>>().join(","),
    }
}

/// `None`: not as [`write_previous`] writes it.
pub(crate) fn read_previous(text: &str) -> Option<Vec<Hash>> {
    if text == NONE {
        return Some(Vec::new());
    }
    let digests: Vec<Hash> = text.split(',').map(Hash::from_hex).collect::<Option<_>>()?;
    (digests.len() <= MAX_PREVIOUS).then_some(digests)
}
