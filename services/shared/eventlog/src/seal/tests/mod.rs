#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

mod collision;

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::{COMMIT, Content, KEY, SALT, SealError, is_sealed_kind, open, seal, sealed_under};
use crate::keyring::{DataKey, KeyId, Salt};

pub(super) const SUBJECT: &str = "rec.acme.request.r-1.3";
const SALT_BYTES: Salt = [9; 32];

pub(super) fn key(byte: u8) -> DataKey {
    DataKey::new([byte; 32])
}

pub(super) fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("ce-id", "0193a0f0-0000-7000-8000-000000000001");
    headers.insert("ce-type", "request.approved");
    headers.insert("ce-time", "2026-11-22T03:00:00Z");
    headers.insert("muster-actor", r#"{"id":"https://idp.example|1","kind":"ACTOR_KIND_PERSON"}"#);
    headers
}

fn content(payload: &[u8]) -> Content {
    Content { payload: Bytes::copy_from_slice(payload), actor_name: "Ada Łovelace".to_owned() }
}

fn sealed(payload: &[u8], under: &DataKey) -> (HeaderMap, Bytes) {
    let mut headers = headers();
    let key_id = KeyId(Uuid::from_u128(7));
    let bytes = seal(SUBJECT, &mut headers, key_id, &SALT_BYTES, under, &content(payload)).unwrap();
    (headers, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_was_sealed_opens_to_the_same(payload: Vec<u8>, name in "\\PC{0,40}", key_bytes: [u8; 32], salt: [u8; 32]) {
        let mut headers = headers();
        let content = Content { payload: payload.into(), actor_name: name };
        let id = KeyId(Uuid::from_u128(7));
        let bytes = seal(SUBJECT, &mut headers, id, &salt, &DataKey::new(key_bytes), &content).unwrap();
        prop_assert_eq!(sealed_under(&headers).unwrap().unwrap(), (id, salt));
        prop_assert_eq!(open(SUBJECT, &headers, &DataKey::new(key_bytes), &bytes).unwrap(), content);
    }

    #[test]
    fn another_key_opens_nothing(mine: [u8; 32], other: [u8; 32]) {
        prop_assume!(mine != other);
        let (headers, bytes) = sealed(b"secret", &DataKey::new(mine));
        prop_assert_eq!(open(SUBJECT, &headers, &DataKey::new(other), &bytes), Err(SealError::OtherKey));
    }
}

#[test]
fn no_bit_of_the_payload_can_be_changed() {
    let (headers, bytes) = sealed(b"the target is promoted", &key(1));
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(SUBJECT, &headers, &key(1), &changed), Err(SealError::Changed), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert_eq!(open(SUBJECT, &headers, &key(1), &bytes[..length]), Err(SealError::Changed), "cut to {length}");
    }
}

/// Also salt and commitment are headers, and the key that another salt gives is another one.
#[test]
fn no_bit_of_a_header_or_the_subject_can_be_changed() {
    let (headers, bytes) = sealed(b"the target is promoted", &key(1));
    let mut tried = 0;
    for (name, values) in headers.iter() {
        let value = values[0].as_str().as_bytes();
        for bit in 0..value.len() * 8 {
            let mut changed = value.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Some(changed) = text_of(changed).and_then(|text| text.parse::<HeaderValue>().ok()) else { continue };
            let mut with = headers.clone();
            with.insert(name.clone(), changed);
            assert!(open(SUBJECT, &with, &key(1), &bytes).is_err(), "{name:?} bit {bit}");
            tried += 1;
        }
        let mut without = headers.clone();
        without = without.iter().filter(|(other, _)| *other != name).map(|(n, v)| (n.clone(), v[0].clone())).collect();
        assert!(open(SUBJECT, &without, &key(1), &bytes).is_err(), "without {name:?}");
    }
    assert!(tried > 1000, "only {tried} changes were tried");
    for bit in 0..SUBJECT.len() * 8 {
        let mut changed = SUBJECT.as_bytes().to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Some(subject) = text_of(changed) {
            assert_eq!(open(&subject, &headers, &key(1), &bytes), Err(SealError::Changed), "{subject}");
        }
    }
    let mut more = headers.clone();
    more.append("muster-causation", "0193a0f0-0000-7000-8000-000000000002");
    assert_eq!(open(SUBJECT, &more, &key(1), &bytes), Err(SealError::Changed));
}

fn text_of(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok()
}

/// What the transport adds on its way changes nothing, nor do the producer's headers, which its signature covers.
#[test]
fn what_is_added_later_does_not_hinder() {
    let (mut headers, bytes) = sealed(b"x", &key(1));
    for name in ["Nats-Sequence", "Nats-Stream-Source", "Muster-Producer", "Muster-Prev", "Muster-Sig"] {
        headers.insert(name.parse::<HeaderName>().unwrap(), "1");
    }
    assert_eq!(open(SUBJECT, &headers, &key(1), &bytes).unwrap(), content(b"x"));
}

#[test]
fn the_same_content_is_never_stored_as_the_same_bytes() {
    let (mut one, mut two) = (headers(), headers());
    let id = KeyId(Uuid::from_u128(7));
    let salts = [super::new_salt().unwrap(), super::new_salt().unwrap()];
    assert_ne!(salts[0], salts[1]);
    let one = seal(SUBJECT, &mut one, id, &salts[0], &key(1), &content(b"yes")).unwrap();
    let two = seal(SUBJECT, &mut two, id, &salts[1], &key(2), &content(b"yes")).unwrap();
    assert_ne!(one, two);
}

#[test]
fn a_half_sealed_event_is_neither_clear_nor_readable() {
    assert_eq!(sealed_under(&headers()), None);
    let (whole, _) = sealed(b"x", &key(1));
    for missing in [KEY, SALT] {
        let rest: HeaderMap = whole
            .iter()
            .filter(|(n, _)| n.as_ref() as &str != missing)
            .map(|(n, v)| (n.clone(), v[0].clone()))
            .collect();
        assert_eq!(sealed_under(&rest), Some(Err(SealError::Header(missing))));
    }
    let rest: HeaderMap =
        whole.iter().filter(|(n, _)| n.as_ref() as &str != COMMIT).map(|(n, v)| (n.clone(), v[0].clone())).collect();
    assert!(sealed_under(&rest).is_some());
}

#[test]
fn what_the_trail_itself_needs_stays_in_clear() {
    for kind in ["audit-domain", "audit-log", "payload-key", "producer", "export"] {
        assert!(!is_sealed_kind(kind), "{kind}");
    }
    for kind in ["request", "execution", "denial", "parked", "gap", "review"] {
        assert!(is_sealed_kind(kind), "{kind}");
    }
}
