//! Keys that changed hands. A new log key is believed when the log itself names it as the successor of a key that is
//! trusted, in an event that a checkpoint signed by the older key covers: whoever has the older key said so.
//!
//! What is believed here first is proven by the walk over the leaves: that event has to stand in its place, and the log
//! has to pass through that checkpoint. If not, that is a finding.

use std::io;

use super::{CHECKPOINT, comparable};
use crate::{
    checkpoint::Checkpoint,
    key::{KeyId, VerifierKey},
    leaf::Leaf,
    note::Note,
    policy::{Judgement, LogKey, Policy},
    verify::{Files, Finding, Findings, KnownCheckpoint, StoredEvent, Walked, event::difference},
};

/// The events that say which key follows which, as lines of [`StoredEvent`].
pub const KEY_CHANGES: &str = "key-changes.jsonl";

/// The last checkpoint that was kept with the signature of a key which does not sign any more.
pub fn last_of(key: KeyId) -> String {
    format!("{CHECKPOINT}.last.{key}")
}

/// An event that names the next key of a log. Who read it knows its format; here it is proven that the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    pub event: StoredEvent,
    pub from: VerifierKey,
    pub to: VerifierKey,
}

/// A key that is trusted because of an older one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    pub change: KeyChange,
    /// The size of the checkpoint of the older key that covers the event.
    pub signed_size: u64,
    /// Up to which size the older key counts; one that still signs has no end.
    pub ends_at: Option<u64>,
}

/// Adds the keys that follow trusted ones to the policy. Also the checkpoints that the walk has to pass through.
pub(super) fn follow(
    files: &dyn Files,
    policy: &mut Policy,
    published: Option<&Policy>,
    changes: &[KeyChange],
    newest: (&[u8], &Checkpoint),
    findings: &mut Findings,
) -> io::Result<(Vec<Followed>, Vec<KnownCheckpoint>)> {
    let (mut followed, mut known) = (Vec::new(), Vec::new());
    let end_of = |key: &VerifierKey| published?.logs.iter().find(|log| log.key == *key)?.ends_at;
    for change in changes {
        let is_trusted = |key: &VerifierKey| policy.logs.iter().any(|log| log.key == *key);
        if !is_trusted(&change.from) || is_trusted(&change.to) || change.from.name() != change.to.name() {
            continue;
        }
        let Some((path, judgement)) = signed_by(files, policy, &change.from, newest.0)? else { continue };
        let (signed_size, ends_at) = (judgement.checkpoint.size, end_of(&change.from));
        known.extend(comparable(path, &judgement, newest.1, findings));
        policy.logs.push(LogKey { key: change.to.clone(), url: None, ends_at: end_of(&change.to) });
        followed.push(Followed { change: change.clone(), signed_size, ends_at });
    }
    Ok((followed, known))
}

/// The newest checkpoint that counts by this key alone, and the file that it is in.
fn signed_by(
    files: &dyn Files,
    policy: &Policy,
    key: &VerifierKey,
    newest: &[u8],
) -> io::Result<Option<(String, Judgement)>> {
    let logs = policy.logs.iter().filter(|log| log.key == *key).cloned().collect();
    let alone = Policy { logs, ..policy.clone() };
    let judge = |bytes: &[u8]| Note::parse(bytes).ok().and_then(|note| alone.judge(&note).ok());
    if let Some(judgement) = judge(newest) {
        return Ok(Some((CHECKPOINT.to_owned(), judgement)));
    }
    let path = last_of(key.id());
    let kept = files.read(&path)?;
    Ok(kept.and_then(|bytes| judge(&bytes)).map(|judgement| (path, judgement)))
}

/// The events of the keys that were followed, beside the walk over the leaves.
pub(super) struct Changes<'f> {
    waiting: Vec<&'f Followed>,
}

impl<'f> Changes<'f> {
    pub(super) fn new(followed: &'f [Followed]) -> Self {
        Self { waiting: followed.iter().collect() }
    }

    pub(super) fn leaf(&mut self, log: &str, walked: &Walked, findings: &mut Findings) {
        let Some(sequence) = walked.leaf.as_ref().and_then(Leaf::sequence) else { return };
        let due = self.waiting.extract_if(.., |one| one.change.event.seq == sequence);
        for one in due {
            match problem(log, walked, one) {
                None => findings.push(Finding::KeyFollowed {
                    sequence,
                    from: one.change.from.to_string(),
                    to: one.change.to.to_string(),
                    signed_size: one.signed_size,
                    ends_at: one.ends_at,
                }),
                Some(problem) => findings.push(unproven(one, problem)),
            }
        }
    }

    pub(super) fn finish(self, findings: &mut Findings) {
        for one in self.waiting {
            findings.push(unproven(one, "the log does not have the event that names it".to_owned()));
        }
    }
}

fn problem(log: &str, walked: &Walked, one: &Followed) -> Option<String> {
    if walked.index >= one.signed_size {
        return Some(format!(
            "the older key signed no checkpoint over the event that names it, only {} leaves",
            one.signed_size
        ));
    }
    let Some(Leaf::Event(logged)) = &walked.leaf else { return Some("the leaf is not that of its event".to_owned()) };
    match one.change.event.leaf(log) {
        Some(Ok(now)) => difference(logged, &now),
        Some(Err(error)) => Some(error.to_string()),
        None => Some("the payload of its event is not base64".to_owned()),
    }
}

fn unproven(one: &Followed, problem: String) -> Finding {
    Finding::KeyUnproven { sequence: one.change.event.seq, key: one.change.to.to_string(), problem }
}
