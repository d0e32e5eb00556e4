//! The leaves of a log in order: each in its place, times that do not run backwards, and the roots that were signed.

use super::{Finding, Findings, event::name_of};
use crate::{
    hash::{Hash, leaf_hash},
    leaf::Leaf,
    tree::Frontier,
};

/// How far time may run backwards before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// Between neighbours. A stream that moves to another server goes on with that server's clock.
    pub between_events_ns: u64,
    /// Between an event and an earlier cosignature: how long a witness may take to cosign what is no longer the newest.
    pub before_cosignature_ns: u64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { between_events_ns: 10_000_000_000, before_cosignature_ns: 15 * 60 * 1_000_000_000 }
    }
}

/// A checkpoint that the log must have passed through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCheckpoint {
    /// How findings call it.
    pub path: String,
    pub size: u64,
    pub root: Hash,
    /// When a witness cosigned it, in Unix seconds.
    pub cosigned_at: Option<u64>,
}

/// What [`LeafWalk::leaf`] made of one leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    pub index: u64,
    pub hash: Hash,
    /// None when the bytes are no leaf.
    pub leaf: Option<Leaf>,
}

impl Walked {
    /// How findings call it.
    pub fn name(&self) -> String {
        self.leaf.as_ref().map_or_else(|| format!("the leaf at index {}", self.index), name_of)
    }
}

/// Takes every leaf of a log once, in order, in constant memory.
#[derive(Debug)]
pub struct LeafWalk {
    origin: String,
    stream: Option<String>,
    first_seq: Option<u64>,
    /// Sequence less index, as of the last leaf.
    offset: Option<u64>,
    frontier: Frontier,
    tolerance: Tolerance,
    latest_ns: u64,
    /// Sorted by size, smallest last.
    ahead: Vec<KnownCheckpoint>,
    /// The latest cosignature over what was walked already: its size and time.
    cosigned: Option<(u64, u64)>,
    events: u64,
    gaps: u64,
    findings: Findings,
}

impl LeafWalk {
    /// Of the log with this origin, which must pass through these checkpoints.
    pub fn new(origin: &str, tolerance: Tolerance, mut known: Vec<KnownCheckpoint>) -> Self {
        known.sort_by_key(|one| std::cmp::Reverse(one.size));
        let mut walk = Self {
            origin: origin.to_owned(),
            stream: None,
            first_seq: None,
            offset: None,
            frontier: Frontier::new(),
            tolerance,
            latest_ns: 0,
            ahead: known,
            cosigned: None,
            events: 0,
            gaps: 0,
            findings: Findings::default(),
        };
        walk.pass_checkpoints();
        walk
    }

    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    pub const fn events(&self) -> u64 {
        self.events
    }

    pub const fn gaps(&self) -> u64 {
        self.gaps
    }

    pub fn leaf(&mut self, bytes: &[u8]) -> Walked {
        let index = self.frontier.size();
        let hash = leaf_hash(bytes);
        let leaf = match Leaf::parse(bytes) {
            Ok(leaf) => {
                self.check(index, &leaf);
                Some(leaf)
            }
            Err(error) => {
                self.findings.push(Finding::LeafUnreadable { index, problem: error.to_string() });
                None
            }
        };
        self.frontier.push(hash);
        self.pass_checkpoints();
        Walked { index, hash, leaf }
    }

    /// What was found, with the checkpoints that the log did not reach.
    pub fn finish(mut self) -> (Findings, Frontier) {
        let is = self.frontier.size();
        for beyond in self.ahead.drain(..).rev() {
            self.findings.push(Finding::Truncated { path: beyond.path, was: beyond.size, is });
        }
        (self.findings, self.frontier)
    }

    fn check(&mut self, index: u64, leaf: &Leaf) {
        if leaf.log() != self.origin {
            let problem = format!("it is of the log '{}', not of '{}'", leaf.log(), self.origin);
            self.findings.push(Finding::ForeignLeaf { index, problem });
        }
        let stream = self.stream.get_or_insert_with(|| leaf.stream().to_owned());
        if leaf.stream() != stream {
            let problem = format!("it is of the stream '{}', not of '{stream}'", leaf.stream());
            self.findings.push(Finding::ForeignLeaf { index, problem });
        }
        match leaf {
            Leaf::Genesis(genesis) if index == 0 => self.first_seq = Some(genesis.first_seq),
            Leaf::Genesis(_) => self.foreign(index, "a log has one genesis leaf, at index 0"),
            _ if index == 0 => self.foreign(index, "a log begins with a genesis leaf"),
            _ => {}
        }
        if let Some(found) = leaf.sequence() {
            self.check_sequence(index, found, leaf);
        }
        match leaf {
            Leaf::Genesis(_) => {}
            Leaf::Gap(gap) => {
                self.gaps += 1;
                self.findings.push(Finding::Gap { sequence: gap.seq, reason: gap.reason.clone() });
            }
            Leaf::Event(event) => {
                self.events += 1;
                self.check_time(event.seq, event.time_ns, leaf);
            }
        }
    }

    fn foreign(&mut self, index: u64, problem: &str) {
        self.findings.push(Finding::ForeignLeaf { index, problem: problem.to_owned() });
    }

    fn check_sequence(&mut self, index: u64, found: u64, leaf: &Leaf) {
        let Some(first) = self.first_seq else { return };
        let offset = found.wrapping_sub(index);
        let expected = first.wrapping_add(index).wrapping_sub(1);
        // One event taken out moves all that follow: the place where it begins is named, not each of them.
        if offset != self.offset.unwrap_or(first.wrapping_sub(1)) && found != expected {
            self.findings.push(Finding::OtherSequence { index, expected, found, event: name_of(leaf) });
        }
        self.offset = Some(offset);
    }

    fn check_time(&mut self, sequence: u64, time_ns: u64, leaf: &Leaf) {
        let by_ns = self.latest_ns.saturating_sub(time_ns);
        if by_ns > self.tolerance.between_events_ns {
            let before_ns = self.latest_ns;
            self.findings.push(Finding::BackDated { sequence, event: name_of(leaf), before_ns, by_ns });
        }
        self.latest_ns = self.latest_ns.max(time_ns);
        if let Some((size, cosigned_at)) = self.cosigned {
            let seen_ns = cosigned_at.saturating_mul(1_000_000_000);
            if time_ns.saturating_add(self.tolerance.before_cosignature_ns) < seen_ns {
                let event = name_of(leaf);
                self.findings.push(Finding::BeforeCosignature { sequence, event, time_ns, size, cosigned_at });
            }
        }
    }

    fn pass_checkpoints(&mut self) {
        while let Some(next) = self.ahead.pop_if(|next| next.size == self.frontier.size()) {
            let found = self.frontier.root();
            if found != next.root {
                let KnownCheckpoint { path, size, root: signed, .. } = next;
                self.findings.push(Finding::HistoryRewritten { path, size, signed, found });
            } else if let Some(at) = next.cosigned_at {
                self.cosigned = Some((next.size, at.max(self.cosigned.map_or(0, |(_, before)| before))));
            }
        }
    }
}
