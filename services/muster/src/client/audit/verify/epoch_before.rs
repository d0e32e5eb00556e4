//! What this profile saw of the epoch before must stand in the new epoch again, event by event, however many leaves of the
//! old one the new one counts: or it was lost or rewritten under cover of a revocation, a promotion or a restored stream.

use std::collections::VecDeque;

use muster_tlog::{
    Checkpoint, Frontier, Leaf, Note,
    bundle::decode_bundle,
    leaf::Genesis,
    leaf_hash,
    tile::bundle_of,
    verify::{Finding, Findings, Walked},
};

use super::online::{CHECKPOINT, KEPT, finding};
use crate::client::{error::CliError, profile::TrustedLog};

/// Reads a file of the log with this origin, by its path.
pub(super) type ReadOld<'a> = dyn Fn(&str, &str) -> Result<Option<Vec<u8>>, CliError> + 'a;

/// Goes along with the leaves of the new epoch, in constant memory.
pub(super) struct SeenBefore {
    /// How findings call it.
    path: String,
    kept: Checkpoint,
    /// So many leaves of the old epoch count, as the new one says.
    counted: u64,
    /// How many leaves the old epoch's files have; none before they were asked.
    old_size: Option<u64>,
    ready: VecDeque<Vec<u8>>,
    /// Over the old leaves: the server's word for them is nothing until they lead to the kept root.
    seen: Frontier,
    is_whole: bool,
    /// An event is another one now, and that is a finding.
    differs: bool,
}

impl SeenBefore {
    /// None when nothing was seen, or that is already a finding.
    pub(super) fn of(genesis: &Genesis, known: Option<&TrustedLog>, findings: &mut Findings) -> Option<Self> {
        let previous = genesis.previous.as_ref()?;
        let note = known?.checkpoints.get(&previous.origin)?;
        let kept = parsed(note.as_bytes())?;
        let path = format!("{KEPT} of {}", previous.origin);
        if kept.size == previous.size && kept.root != previous.root {
            findings.push(Finding::SplitView { path, size: kept.size, ours: previous.root, theirs: kept.root });
            return None;
        }
        let (counted, seen) = (previous.size, Frontier::new());
        Some(Self { path, kept, counted, old_size: None, ready: VecDeque::new(), seen, is_whole: true, differs: false })
    }

    /// Compares the next leaf of the new epoch with the old one at its place.
    pub(super) fn leaf(
        &mut self,
        walked: &Walked,
        bytes: &[u8],
        read: &ReadOld<'_>,
        findings: &mut Findings,
    ) -> Result<(), CliError> {
        if !self.is_whole || self.seen.size() == self.kept.size {
            return Ok(());
        }
        let Some(old) = self.next(read)? else {
            self.is_whole = false;
            return Ok(());
        };
        let old = Walked { index: self.seen.size(), hash: leaf_hash(&old), leaf: Leaf::parse(&old).ok() };
        self.seen.push(old.hash);
        // Each epoch has a genesis of its own.
        if let Some(found) = finding(&old, bytes).filter(|_| walked.index > 0) {
            findings.push(found);
            (self.is_whole, self.differs) = (false, true);
        }
        Ok(())
    }

    /// After the last leaf of the new epoch.
    pub(super) fn finish(self, findings: &mut Findings) {
        let Self { path, kept, counted, seen, is_whole, differs, .. } = self;
        let is_again = is_whole && seen.size() == kept.size && seen.root() == kept.root;
        let (was, is) = (kept.size, counted);
        let finding = match (kept.size > counted, is_again) {
            (true, true) => Some(Finding::LoggedAgain { path, was, is }),
            (true, false) => Some(Finding::Truncated { path, was, is }),
            (false, false) if !differs => {
                let problem =
                    format!("the server does not show the {was} leaves any more that this epoch must have again");
                Some(Finding::Proof { path, problem })
            }
            (false, _) => None,
        };
        if let Some(finding) = finding {
            findings.push(finding);
        }
    }

    fn next(&mut self, read: &ReadOld<'_>) -> Result<Option<Vec<u8>>, CliError> {
        let read = |path: &str| read(&self.kept.origin, path);
        let index = self.seen.size();
        let old_size = match self.old_size {
            Some(size) => size,
            None => read(CHECKPOINT)?.and_then(|note| parsed(&note)).map_or(0, |checkpoint| checkpoint.size),
        };
        self.old_size = Some(old_size);
        if self.ready.is_empty() && index < old_size {
            let tile = bundle_of(index, old_size);
            let bytes = read(&tile.path())?.unwrap_or_default();
            let leaves = decode_bundle(&bytes, usize::from(tile.width)).unwrap_or_default();
            self.ready.extend(leaves.into_iter().map(<[u8]>::to_vec));
        }
        Ok(self.ready.pop_front())
    }
}

fn parsed(note: &[u8]) -> Option<Checkpoint> {
    Note::parse(note).ok()?.text().parse().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_tlog::{
        Algorithm, Hash, SigningKey, SoftwareKey,
        bundle::encode_bundle,
        leaf::{Event, Gap, Previous},
    };

    use super::*;

    const OLD: &str = "a/t/record/1";
    const NEW: &str = "a/t/record/2";

    fn leaves(log: &str, count: u64) -> Vec<Leaf> {
        let key = SoftwareKey::from_seed(log, Algorithm::Ed25519, &[1; 32]).unwrap().verifier().to_string();
        let previous = (log == NEW).then(|| Previous { origin: OLD.into(), size: 2, root: Hash::of(b"two") });
        let genesis = Genesis { log: log.into(), stream: "record".into(), first_seq: 1, previous, key };
        let event = |seq| Event {
            log: log.into(),
            stream: "record".into(),
            seq,
            subject: format!("rec.t.request.r.{seq}"),
            time_ns: seq,
            headers_sha256: Hash::of(b"headers"),
            payload_len: 1,
            payload_sha256: Hash::of(b"1"),
        };
        std::iter::once(Leaf::Genesis(genesis)).chain((1..count).map(|seq| Leaf::Event(event(seq)))).collect()
    }

    fn bytes(leaves: &[Leaf]) -> Vec<Vec<u8>> {
        leaves.iter().map(|leaf| leaf.to_text().unwrap().into_bytes()).collect()
    }

    fn note(leaves: &[Leaf]) -> String {
        let mut frontier = Frontier::new();
        leaves.iter().for_each(|leaf| frontier.push(leaf.hash().unwrap()));
        let key = SoftwareKey::from_seed(OLD, Algorithm::Ed25519, &[1; 32]).unwrap();
        let note = Checkpoint::new(OLD, frontier.size(), frontier.root()).sign(&[&key]).unwrap();
        note.to_string()
    }

    /// What a profile that kept `seen` says of this new epoch, while the server has these old leaves.
    fn codes(seen: &[Leaf], served: &[Leaf], new: &[Leaf]) -> Vec<&'static str> {
        let known = TrustedLog { checkpoints: [(OLD.to_owned(), note(seen))].into(), ..TrustedLog::default() };
        let read = |origin: &str, path: &str| {
            assert_eq!(origin, OLD);
            let size = served.len() as u64;
            Ok(match path {
                CHECKPOINT => Some(note(served).into_bytes()),
                path if path == bundle_of(0, size).path() => Some(encode_bundle(bytes(served)).unwrap()),
                _ => None,
            })
        };
        let mut findings = Findings::default();
        let Leaf::Genesis(genesis) = &new[0] else { unreachable!("the first leaf is a genesis") };
        let mut before = SeenBefore::of(genesis, Some(&known), &mut findings);
        for (index, (leaf, bytes)) in (0..).zip(new.iter().zip(bytes(new))) {
            let walked = Walked { index, hash: leaf_hash(&bytes), leaf: Some(leaf.clone()) };
            if let Some(before) = &mut before {
                before.leaf(&walked, &bytes, &read, &mut findings).unwrap();
            }
        }
        if let Some(before) = before {
            before.finish(&mut findings);
        }
        findings.iter().map(Finding::code).collect()
    }

    #[test]
    fn what_was_seen_must_be_logged_again() {
        let (old, new) = (leaves(OLD, 6), leaves(NEW, 9));
        assert!(codes(&old[..1], &old, &new).is_empty(), "the new epoch counts all that was seen, and has it");
        assert_eq!(codes(&old[..1], &[], &new), ["proof"], "nobody can tell whether it has it");
        assert_eq!(codes(&old[..2], &old, &new), ["split-view"], "the new epoch names another root");
        assert_eq!(codes(&old[..5], &old, &new), ["logged-again"]);
        assert_eq!(codes(&old, &old, &new), ["logged-again"]);
        assert_eq!(codes(&old, &old, &new[..4]), ["truncated"], "the new epoch ends before");
        assert_eq!(codes(&old, &old[..4], &new), ["truncated"], "the server lost old leaves");
    }

    #[test]
    fn an_epoch_that_counts_all_that_was_seen_must_have_it() {
        let (old, mut new) = (leaves(OLD, 6), leaves(NEW, 9));
        if let Leaf::Genesis(Genesis { previous: Some(previous), .. }) = &mut new[0] {
            previous.size = 7;
        }
        assert!(codes(&old, &old, &new).is_empty());
        if let Leaf::Event(event) = &mut new[2] {
            event.time_ns += 1;
        }
        assert_eq!(codes(&old, &old, &new), ["event-edited"]);
        assert!(codes(&old[..2], &old, &new).is_empty(), "only what was seen can be judged");
        assert_eq!(codes(&old, &old[..4], &new[..2]), ["proof"]);
    }

    #[test]
    fn what_was_seen_and_is_another_event_now_is_named() {
        let (old, mut new) = (leaves(OLD, 6), leaves(NEW, 9));
        let (Leaf::Event(edited), Leaf::Event(lost)) = (new[4].clone(), new[5].clone()) else {
            unreachable!("they are events")
        };
        new[4] = Leaf::Event(Event { payload_sha256: Hash::of(b"2"), ..edited.clone() });
        assert_eq!(codes(&old, &old, &new), ["event-edited", "truncated"]);
        // A server that shows other old leaves than those that were seen.
        let mut served = old.clone();
        served[4] = Leaf::Event(Event { payload_sha256: Hash::of(b"2"), log: OLD.into(), ..edited.clone() });
        assert_eq!(codes(&old, &served, &new), ["truncated"]);
        new[4] = Leaf::Event(edited);
        let reason = "lost".to_owned();
        new[5] = Leaf::Gap(Gap { log: NEW.into(), stream: "record".into(), seq: lost.seq, reason });
        assert_eq!(codes(&old, &old, &new), ["event-missing", "truncated"]);
    }
}
