//! Keys that changed hands: who has only the older one follows to the next, as far as the log proves it.
#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use muster_tlog::{
    Algorithm, Checkpoint, Leaf, SigningKey, SoftwareKey,
    cosignature::cosign,
    tile_set::TileWriter,
    verify::{
        Asked, MemoryFiles, Report, StoredEvent, Trust,
        package::{self, KeyChange, last_of},
    },
};

use crate::verify::{ORIGIN, assert_says, key, leaves, log_of, witness, words};

/// The sequence of the event that names the next key, in a log of 40 leaves.
const ROTATED: u64 = 20;
const LEAVES: u64 = 40;

fn next() -> SoftwareKey {
    SoftwareKey::from_seed(ORIGIN, Algorithm::Ed25519, &[9; 32]).unwrap()
}

fn rotated() -> StoredEvent {
    StoredEvent {
        stream: "record".into(),
        seq: ROTATED,
        subject: "rec.t.audit-log.record.2".into(),
        time_ns: 1_790_000_020_000_000_000,
        headers: vec![("ce-type".into(), "audit.key.rotated".into())],
        payload_b64: "bmV4dA==".into(),
    }
}

fn change() -> KeyChange {
    KeyChange { event: rotated(), from: key().verifier().clone(), to: next().verifier().clone() }
}

fn log() -> Vec<Leaf> {
    let mut log = leaves(0..LEAVES - 1);
    log[ROTATED as usize] = Leaf::Event(rotated().leaf(ORIGIN).unwrap().unwrap());
    log
}

fn signed(leaves: &[Leaf], keys: &[&dyn SigningKey]) -> Vec<u8> {
    let mut writer = TileWriter::new();
    leaves.iter().for_each(|leaf| writer.push(leaf.hash().unwrap()));
    let mut note = Checkpoint::new(ORIGIN, writer.size(), writer.root()).sign(keys).unwrap();
    note.add(cosign(note.text(), 1_790_000_050, &witness()).unwrap());
    note.to_string().into_bytes()
}

/// After the older key's time: its last checkpoint was of `last` leaves, and the policy says so.
fn after(log: &[Leaf], last: usize) -> MemoryFiles {
    let mut files = log_of(log, &[]);
    let (old, next) = (key(), next());
    files.0.insert(last_of(old.verifier().id()), signed(&log[..last], &[&old, &next]));
    files.0.insert("checkpoint".into(), signed(log, &[&next]));
    let ends = format!("# log-ends {} {last}", old.verifier().id());
    let (old, next, witness) = (old.verifier(), next.verifier(), witness());
    let policy = format!("log {old}\n{ends}\nlog {next}\nwitness w {}\nquorum w\n", witness.verifier());
    files.0.insert("policy".into(), policy.into_bytes());
    files
}

/// By somebody who has the older key alone.
fn verify(files: &MemoryFiles, changes: Vec<KeyChange>) -> Report {
    let asked = Asked { key_changes: changes, ..Asked::default() };
    package::verify(files, &Trust::in_keys([key().verifier().clone()]), &asked, &mut |_| {}).unwrap()
}

#[test]
fn the_next_key_is_followed_from_the_older_ones_last_checkpoint() {
    let report = verify(&after(&log(), 30), vec![change()]);
    assert!(!report.findings.is_broken(), "{:#?}", words(&report));
    let said = format!(
        "the log's key changed: event 20 names {} as the next one after {}, under a checkpoint of 30 leaves that the \
         older key signed; the older key counts up to size 30",
        next().verifier(),
        key().verifier()
    );
    assert_eq!(words(&report), [said]);
    assert_eq!(report.judgement.unwrap().signed_by, [next().verifier().clone()]);
    assert_eq!(report.followed.len(), 1);
}

#[test]
fn while_both_sign_the_newest_checkpoint_is_proof_enough() {
    let mut files = after(&log(), 30);
    files.0.insert("checkpoint".into(), signed(&log(), &[&key(), &next()]));
    files.0.insert(
        "policy".into(),
        format!("log {}\nlog {}\nwitness w {}\nquorum w\n", key().verifier(), next().verifier(), witness().verifier())
            .into_bytes(),
    );
    let report = verify(&files, vec![change()]);
    assert!(!report.findings.is_broken());
    assert!(
        words(&report)[0].ends_with("under a checkpoint of 40 leaves that the older key signed; both sign for now")
    );
}

#[test]
fn a_key_without_its_event_or_its_checkpoint_is_not_followed() {
    // Nothing says that it follows.
    assert_says(&verify(&after(&log(), 30), vec![]), "checkpoint cannot be believed");
    // The older key's checkpoint is not there.
    let mut files = after(&log(), 30);
    files.0.remove(&last_of(key().verifier().id()));
    assert_says(&verify(&files, vec![change()]), "checkpoint cannot be believed");
    // It does not cover the event.
    let report = verify(&after(&log(), 15), vec![change()]);
    assert_says(&report, "the older key signed no checkpoint over the event that names it, only 15 leaves");
}

#[test]
fn a_key_that_the_log_does_not_name_is_not_followed() {
    // Another event stands there.
    assert_says(&verify(&after(&leaves(0..LEAVES - 1), 30), vec![change()]), "is said to name the log key");
    // The event is of no place in the log.
    let mut elsewhere = change();
    elsewhere.event.seq = 500;
    assert_says(&verify(&after(&log(), 30), vec![elsewhere]), "the log does not have the event that names it");
    // A thief of the next key makes a log of his own after the hand-over.
    let mut forged = after(&log(), 30);
    let mut other = log();
    other.swap(10, 11);
    let files = log_of(&other, &[]);
    forged.0.extend(files.0.into_iter().filter(|(path, _)| path.starts_with("tile/")));
    forged.0.insert("checkpoint".into(), signed(&other, &[&next()]));
    assert_says(&verify(&forged, vec![change()]), "history was rewritten: checkpoint.last.");
    // A key of another log.
    let mut foreign = change();
    foreign.to =
        SoftwareKey::from_seed("log.example/other/record/1", Algorithm::Ed25519, &[9; 32]).unwrap().verifier().clone();
    assert_says(&verify(&after(&log(), 30), vec![foreign]), "checkpoint cannot be believed");
}

#[test]
fn after_its_end_the_older_key_alone_signs_nothing_any_more() {
    let mut files = after(&log(), 30);
    files.0.insert("checkpoint".into(), signed(&log(), &[&key()]));
    let report = verify(&files, vec![change()]);
    assert_says(&report, "which ended at size 30");
}
