#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use async_nats::HeaderMap;
use aws_lc_rs::signature::KeyPair as _;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use jiff::Timestamp;
use muster_domain::pb::audit::v1::{ProducerAnnounced, ProducerEvent, producer_event::Event};
use muster_tlog::hash::Hash;
use prost::Message as _;

use super::{Chain, Producer, ProducerCheck, ProducerFlaw, statement};
use crate::{raw::RawEntry, record::CE_ID};

/// What a process wrote into one tenant, as the stream would have it.
struct Written {
    producer: Producer,
    chain: Chain,
    entries: Vec<RawEntry>,
}

impl Written {
    fn new(name: &str) -> Self {
        let mut written = Self { producer: Producer::new(name).unwrap(), chain: Chain::default(), entries: Vec::new() };
        let public_key = BASE64.encode(written.producer.key.public_key().as_ref());
        let announced = ProducerAnnounced { producer: name.to_owned(), public_key };
        let event = ProducerEvent { event: Some(Event::Announced(announced)) };
        written.write(&format!("rec.acme.producer.{name}.1"), &event.encode_to_vec());
        written
    }

    fn write(&mut self, subject: &str, payload: &[u8]) -> &mut Self {
        let previous = self.chain.previous();
        self.write_after(subject, payload, previous);
        self
    }

    fn write_after(&mut self, subject: &str, payload: &[u8], previous: Vec<Hash>) {
        let id = format!("id-of-{subject}");
        let mut headers = HeaderMap::new();
        headers.insert(CE_ID, id.as_str());
        headers.insert("muster-actor", "{}");
        let signed = self.producer.sign(subject, &id, &mut headers, payload, previous).unwrap();
        self.chain.acknowledged(&signed);
        let mut headers: Vec<_> =
            statement::pairs(&headers).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        headers.sort();
        self.entries.push(RawEntry {
            sequence: self.entries.len() as u64 + 1,
            stored_at: Timestamp::UNIX_EPOCH,
            subject: subject.to_owned(),
            headers,
            payload: Bytes::copy_from_slice(payload),
        });
    }
}

fn three() -> Written {
    let mut written = Written::new("executor-1");
    written
        .write("rec.acme.request.r.1", b"one")
        .write("rec.acme.request.r.2", b"two")
        .write("rec.acme.request.r.3", b"3");
    written
}

fn flaws(entries: &[RawEntry]) -> Vec<(u64, ProducerFlaw)> {
    let mut check = ProducerCheck::default();
    entries.iter().for_each(|entry| check.take(entry));
    check.findings().iter().map(|finding| (finding.sequence, finding.flaw.clone())).collect()
}

fn is_missing(flaw: &ProducerFlaw) -> bool {
    matches!(flaw, ProducerFlaw::PreviousMissing(_))
}

#[test]
fn what_was_written_so_is_in_order() {
    let mut check = ProducerCheck::default();
    three().entries.iter().for_each(|entry| check.take(entry));
    assert_eq!((check.findings(), check.counts()), (&[][..], (4, 0)));
}

#[test]
fn an_edit_shows_at_the_event_and_at_the_next_one() {
    for edit in [
        |entry: &mut RawEntry| entry.payload = Bytes::from_static(b"TWO"),
        |entry: &mut RawEntry| entry.subject = "rec.acme.request.other.2".to_owned(),
        |entry: &mut RawEntry| entry.headers[2].1 = r#"{"id":"mallory"}"#.to_owned(),
        |entry: &mut RawEntry| entry.headers.push(("x".to_owned(), "y".to_owned())),
    ] {
        let mut entries = three().entries;
        let position = entries[2].headers.iter().position(|(name, _)| name == "muster-actor").unwrap();
        entries[2].headers.swap(2, position);
        edit(&mut entries[2]);
        let found = flaws(&entries);
        assert_eq!(found[0], (3, ProducerFlaw::WrongSignature));
        assert!(found.len() == 2 && found[1].0 == 4 && is_missing(&found[1].1), "{found:?}");
    }
}

#[test]
fn a_hole_shows_at_the_next_event_of_the_producer() {
    let mut entries = three().entries;
    entries.remove(2);
    let found = flaws(&entries);
    assert!(found.len() == 1 && found[0].0 == 4 && is_missing(&found[0].1), "{found:?}");
}

#[test]
fn reordering_shows() {
    let mut entries = three().entries;
    entries.swap(2, 3);
    assert!(flaws(&entries).iter().any(|(_, flaw)| is_missing(flaw)));
}

/// Three events under way at once name the same one before them; the next one names all three.
#[test]
fn of_events_written_at_once_none_can_go() {
    let mut written = Written::new("executor-1");
    let before = written.chain.previous();
    for n in 1..=3 {
        written.write_after(&format!("rec.acme.request.at-once-{n}.1"), b"x", before.clone());
    }
    written.write("rec.acme.request.after.1", b"y");
    assert_eq!(flaws(&written.entries), []);
    for gone in 1..=3 {
        let mut entries = written.entries.clone();
        entries.remove(gone);
        let found = flaws(&entries);
        assert!(found.len() == 1 && is_missing(&found[0].1), "without {gone}: {found:?}");
    }
}

#[test]
fn a_stranger_cannot_write_as_an_announced_producer() {
    let mut written = three();
    let mut stranger = Producer::new("executor-1").unwrap();
    std::mem::swap(&mut written.producer, &mut stranger);
    written.write("rec.acme.request.r.4", b"forged");
    assert_eq!(flaws(&written.entries), [(5, ProducerFlaw::WrongSignature)]);
    // Nor announce a key of their own under its name.
    let public_key = BASE64.encode(written.producer.key.public_key().as_ref());
    let event = ProducerEvent {
        event: Some(Event::Announced(ProducerAnnounced { producer: "executor-1".into(), public_key })),
    };
    written.write("rec.acme.producer.executor-1.2", &event.encode_to_vec());
    assert!(flaws(&written.entries).contains(&(6, ProducerFlaw::AnnouncedTwice)));
}

#[test]
fn an_event_without_signature_shows_once_there_are_signatures() {
    let mut entries = three().entries;
    entries[3].headers.retain(|(name, _)| !name.starts_with("Muster-"));
    assert_eq!(flaws(&entries), [(4, ProducerFlaw::Unsigned)]);
    // Before the first announcement it is only old.
    entries.rotate_right(1);
    assert_eq!(flaws(&entries), []);
}

#[test]
fn a_signature_needs_an_announcement_before_it() {
    let mut entries = three().entries;
    entries.remove(0);
    assert_eq!(flaws(&entries).len(), 3);
    assert!(flaws(&entries).iter().all(|(_, flaw)| *flaw == ProducerFlaw::NotAnnounced));
}

#[test]
fn names_of_hosts_become_ids() {
    assert_eq!(Producer::new("Host-1.example.com-ab12").unwrap().name(), "host-1-example-com-ab12");
    assert!(Producer::new("").is_err());
}
