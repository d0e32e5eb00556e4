//! From what the stream holds to the leaves of the log.

use muster_domain::{audit::AuditLog, pb::audit::v1::EpochOpened};
use muster_eventlog::RawEntry;
use muster_tlog::{
    Hash, Leaf,
    leaf::{Event, Gap, Genesis, LeafError, Previous, canonical_headers},
};

use super::fault::Fault;

/// What the leaves of one epoch have in common.
#[derive(Debug, Clone)]
pub(crate) struct Leaves {
    opened: EpochOpened,
}

impl Leaves {
    pub(crate) fn new(opened: &EpochOpened) -> Self {
        Self { opened: opened.clone() }
    }

    pub(crate) fn first_sequence(&self) -> u64 {
        self.opened.first_sequence
    }

    /// The index of a sequence's leaf. Sequences before the epoch's first have none.
    pub(crate) fn index_of(&self, sequence: u64) -> Option<u64> {
        Some(sequence.checked_sub(self.opened.first_sequence)? + 1)
    }

    /// The sequence whose leaf comes next in a log of `size` leaves, of which the genesis leaf is one.
    pub(crate) fn next_sequence(&self, size: u64) -> u64 {
        self.opened.first_sequence + size.max(1) - 1
    }

    pub(crate) fn genesis(&self) -> Result<String, Fault> {
        let previous = self.opened.previous.as_ref().map(|old| {
            let root = Hash::from_hex(&old.root).unwrap_or_else(Hash::empty_root);
            Previous { origin: old.origin.clone(), size: old.size, root }
        });
        let leaf = Leaf::Genesis(Genesis {
            log: self.opened.origin.clone(),
            stream: AuditLog::ID.to_owned(),
            first_seq: self.opened.first_sequence,
            previous,
            key: self.opened.verifier_key.clone(),
        });
        leaf.to_text().map_err(Fault::Genesis)
    }

    pub(crate) fn event(&self, entry: &RawEntry) -> Result<String, LeafError> {
        let headers = entry.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let leaf = Leaf::Event(Event {
            log: self.opened.origin.clone(),
            stream: AuditLog::ID.to_owned(),
            seq: entry.sequence,
            subject: entry.subject.clone(),
            // The server's clock is after 1970.
            time_ns: u64::try_from(entry.stored_at.as_nanosecond()).unwrap_or(0),
            headers_sha256: canonical_headers(headers)?,
            payload_len: entry.payload.len() as u64,
            payload_sha256: Hash::of(&entry.payload),
        });
        leaf.to_text()
    }

    pub(crate) fn gap(&self, sequence: u64, reason: &str) -> Result<String, LeafError> {
        let (log, stream) = (self.opened.origin.clone(), AuditLog::ID.to_owned());
        Leaf::Gap(Gap { log, stream, seq: sequence, reason: reason.to_owned() }).to_text()
    }
}

/// Whether two leaves say the same about a sequence. Why a sequence is missing may be known better later.
pub(crate) fn same(logged: &[u8], derived: &str) -> bool {
    if logged == derived.as_bytes() {
        return true;
    }
    let gap = |bytes: &[u8]| match Leaf::parse(bytes) {
        Ok(Leaf::Gap(gap)) => Some((gap.log, gap.stream, gap.seq)),
        _ => None,
    };
    gap(logged).is_some_and(|logged| gap(derived.as_bytes()) == Some(logged))
}

/// What differs between the leaf that was logged and the one that the stream gives now, for people.
pub(crate) fn difference(logged: &[u8], derived: &str) -> String {
    let what = |leaf: &Leaf| match leaf {
        Leaf::Gap(_) => "nothing".to_owned(),
        Leaf::Genesis(_) => "the beginning of the log".to_owned(),
        Leaf::Event(event) => format!("the event {}", event.subject),
    };
    match (Leaf::parse(logged), Leaf::parse(derived.as_bytes())) {
        (Ok(Leaf::Event(then)), Ok(Leaf::Event(now))) => {
            let mut parts = Vec::new();
            let mut note = |differs: bool, what: &str| parts.extend(differs.then(|| what.to_owned()));
            note(then.subject != now.subject, &format!("its subject (logged {}, now {})", then.subject, now.subject));
            note(then.time_ns != now.time_ns, &format!("its time (logged {}, now {})", then.time_ns, now.time_ns));
            note(then.headers_sha256 != now.headers_sha256, "its headers");
            let payload = (then.payload_len, then.payload_sha256) != (now.payload_len, now.payload_sha256);
            note(payload, &format!("its payload (logged {} bytes, now {})", then.payload_len, now.payload_len));
            note(then.log != now.log || then.stream != now.stream, "the log it belongs to");
            format!("event {} ({}) was edited: {} differ", then.seq, then.subject, parts.join(", "))
        }
        (Ok(then), Ok(now)) => format!("logged was {}, the stream now has {}", what(&then), what(&now)),
        (Err(error), _) => format!("the logged leaf is damaged: {error}"),
        (_, Err(error)) => format!("the stream's entry cannot be a leaf: {error}"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::pb::audit::v1::CheckpointRef;

    use super::*;

    fn leaves(first_sequence: u64) -> Leaves {
        let previous = CheckpointRef { origin: "a/b/record/1".into(), size: 9, root: "ab".repeat(32) };
        Leaves::new(&EpochOpened {
            origin: "a/b/record/2".into(),
            first_sequence,
            verifier_key: "a/b/record/2+00000000+AQ==".into(),
            previous: Some(previous),
            ..EpochOpened::default()
        })
    }

    fn entry(sequence: u64) -> RawEntry {
        RawEntry {
            sequence,
            stored_at: "2026-11-22T10:00:00.123456789Z".parse().unwrap(),
            subject: "rec.acme.request.x.1".into(),
            headers: vec![("ce-type".into(), "request.created".into()), ("Nats-Sequence".into(), "7".into())],
            payload: "payload".into(),
        }
    }

    #[test]
    fn the_index_never_slips() {
        for first in [1, 40] {
            let leaves = leaves(first);
            assert_eq!(leaves.index_of(first), Some(1));
            assert_eq!(leaves.index_of(first - 1), None, "before the epoch's first");
            assert_eq!(
                (leaves.next_sequence(0), leaves.next_sequence(1), leaves.next_sequence(5)),
                (first, first, first + 4)
            );
            assert_eq!(leaves.index_of(leaves.next_sequence(5)), Some(5));
        }
    }

    #[test]
    fn a_leaf_has_the_exact_time_and_no_header_of_the_transport() {
        let text = leaves(1).event(&entry(3)).unwrap();
        assert!(text.contains("\ntime 1795341600123456789\n"), "{text}");
        let mut other = entry(3);
        other.headers.pop();
        assert_eq!(leaves(1).event(&other).unwrap(), text);
        assert!(leaves(1).genesis().unwrap().contains(&format!("previous a/b/record/1 9 sha256:{}", "ab".repeat(32))));
    }

    #[test]
    fn a_difference_is_named_in_words() {
        let (leaves, logged) = (leaves(1), leaves(1).event(&entry(3)).unwrap());
        let now = leaves.event(&RawEntry { payload: "PAYLOAD".into(), ..entry(3) }).unwrap();
        assert!(!same(logged.as_bytes(), &now));
        let text = difference(logged.as_bytes(), &now);
        assert!(text.starts_with("event 3 (rec.acme.request.x.1) was edited: its payload"), "{text}");
        let gap = leaves.gap(3, "deleted").unwrap();
        assert!(same(gap.as_bytes(), &leaves.gap(3, "lost").unwrap()) && !same(gap.as_bytes(), &logged));
        assert!(!same(gap.as_bytes(), &leaves.gap(4, "deleted").unwrap()));
        assert!(difference(logged.as_bytes(), &gap).contains("the stream now has nothing"));
    }
}
