//! Checking producers' signatures over a tenant's stored entries, in order.

use std::collections::{BTreeMap, HashSet, VecDeque};

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use muster_domain::pb::audit::v1::{ProducerEvent, producer_event::Event};
use muster_tlog::hash::Hash;
use prost::Message as _;

use super::{
    is_announcement,
    statement::{PREVIOUS, PRODUCER, SIGNATURE, Statement, read_previous},
};
use crate::{names::Names, raw::RawEntry};

/// Events of one producer that are remembered. What an event names was acknowledged just before it, so it is among
/// the last few hundred of its producer.
const REMEMBERED: usize = 20_000;
/// Findings are for people; a stream that was changed throughout needs no more of them.
const MAX_FINDINGS: usize = 10_000;

/// One event that is not as its producer wrote it, or one that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerFinding {
    pub sequence: u64,
    pub subject: String,
    /// As the event names it; empty when it names none.
    pub producer: String,
    pub flaw: ProducerFlaw,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProducerFlaw {
    /// It, or one of its headers, was changed after it was signed; or it was never written by that process.
    WrongSignature,
    /// The producer had this event stored before, and it is not there (any more) as it was.
    PreviousMissing(Hash),
    /// No announcement before it says whose signature that is.
    NotAnnounced,
    /// A second key for one name.
    AnnouncedTwice,
    /// It carries no signature, and events before it do.
    Unsigned,
}

impl std::fmt::Display for ProducerFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { sequence, subject, producer, flaw } = self;
        write!(f, "event {sequence} ({subject}) ")?;
        match flaw {
            ProducerFlaw::WrongSignature => write!(f, "is not what its producer {producer} signed: it was changed"),
            ProducerFlaw::PreviousMissing(digest) => write!(
                f,
                "names an earlier event of its producer {producer} that is not there as it was written: an event was removed or changed (statement {digest})"
            ),
            ProducerFlaw::NotAnnounced => write!(f, "is signed by {producer}, which nothing before it announces"),
            ProducerFlaw::AnnouncedTwice => write!(f, "announces another key for the producer {producer}"),
            ProducerFlaw::Unsigned => write!(f, "carries no signature of a producer, though earlier events do"),
        }
    }
}

/// Takes a tenant's entries in order, from the first one on.
#[derive(Default)]
pub struct ProducerCheck {
    producers: BTreeMap<String, Known>,
    findings: Vec<ProducerFinding>,
    /// Entries that carry a good signature.
    good: u64,
    /// Entries from before the first signature: older than the feature.
    older: u64,
}

struct Known {
    key: Vec<u8>,
    order: VecDeque<Hash>,
    written: HashSet<Hash>,
}

impl ProducerCheck {
    pub fn findings(&self) -> &[ProducerFinding] {
        &self.findings
    }

    /// How many entries had a good signature, and how many were written before there were any.
    pub fn counts(&self) -> (u64, u64) {
        (self.good, self.older)
    }

    pub fn take(&mut self, entry: &RawEntry) {
        let (Some(producer), Some(signature)) = (entry.header(PRODUCER), entry.header(SIGNATURE)) else {
            return self.take_unsigned(entry);
        };
        if let Some(key) = announced_key(entry, producer) {
            self.announce(entry, producer, key);
        }
        let headers = entry.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let event_id = entry.header(crate::record::CE_ID).unwrap_or_default();
        let statement = Statement::of(&entry.subject, event_id, headers, &entry.payload);
        let previous = entry.header(PREVIOUS).and_then(read_previous);
        let Some(known) = self.producers.get_mut(producer) else {
            return self.find(entry, producer, ProducerFlaw::NotAnnounced);
        };
        let (Ok(statement), Some(previous)) = (statement, previous) else {
            return self.find(entry, producer, ProducerFlaw::WrongSignature);
        };
        let is_good = BASE64.decode(signature).is_ok_and(|bytes| {
            UnparsedPublicKey::new(&ED25519, &known.key).verify(statement.text().as_bytes(), &bytes).is_ok()
        });
        if !is_good {
            return self.find(entry, producer, ProducerFlaw::WrongSignature);
        }
        let missing: Vec<Hash> = previous.into_iter().filter(|digest| !known.written.contains(digest)).collect();
        known.remember(statement.digest());
        self.good += 1;
        for digest in missing {
            self.find(entry, producer, ProducerFlaw::PreviousMissing(digest));
        }
    }

    fn announce(&mut self, entry: &RawEntry, producer: &str, key: Vec<u8>) {
        match self.producers.get(producer) {
            Some(known) if known.key != key => self.find(entry, producer, ProducerFlaw::AnnouncedTwice),
            Some(_) => {}
            None => {
                let known = Known { key, order: VecDeque::new(), written: HashSet::new() };
                self.producers.insert(producer.to_owned(), known);
            }
        }
    }

    fn take_unsigned(&mut self, entry: &RawEntry) {
        if self.producers.is_empty() {
            self.older += 1;
        } else {
            self.find(entry, "", ProducerFlaw::Unsigned);
        }
    }

    fn find(&mut self, entry: &RawEntry, producer: &str, flaw: ProducerFlaw) {
        if self.findings.len() < MAX_FINDINGS {
            let (sequence, subject, producer) = (entry.sequence, entry.subject.clone(), producer.to_owned());
            self.findings.push(ProducerFinding { sequence, subject, producer, flaw });
        }
    }
}

impl Known {
    fn remember(&mut self, digest: Hash) {
        self.written.insert(digest);
        self.order.push_back(digest);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.written.remove(&oldest);
        }
    }
}

/// The key, if this is an announcement of `producer` at that producer's own place.
fn announced_key(entry: &RawEntry, producer: &str) -> Option<Vec<u8>> {
    let address = Names::new("").parse_event(&entry.subject)?;
    if !is_announcement(&address.kind) || address.id.as_str() != producer {
        return None;
    }
    let Event::Announced(announced) = ProducerEvent::decode(entry.payload.clone()).ok()?.event?;
    BASE64.decode(announced.public_key).ok()
}
