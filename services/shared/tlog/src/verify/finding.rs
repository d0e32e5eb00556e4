//! What verification can find, in words that an auditor reads.

use std::fmt;

use crate::hash::Hash;

/// More are counted, not kept: a log that was rewritten has one for each event.
pub const MAX_FINDINGS: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The auditor should know; the record is what it was.
    Notice,
    /// The record, or the proof of it, is not what it should be.
    Broken,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A file that must be there is not, or cannot be read as what it is.
    File {
        path: String,
        problem: String,
    },
    /// The signature on a checkpoint fails, or is by nobody the auditor trusts.
    NotSigned {
        path: String,
        problem: String,
    },
    /// Fewer witnesses than the policy asks for.
    NotWitnessed {
        size: u64,
        missing: Vec<String>,
    },
    /// The policy asks for no witness: the operator alone vouches.
    NoWitnessAsked,
    /// The policy of the package lists a key of the log that the auditor did not give.
    OtherLogKey {
        key: String,
    },
    /// The log's key changed, and the log proves by the older one which key follows.
    KeyFollowed {
        sequence: u64,
        from: String,
        to: String,
        signed_size: u64,
        ends_at: Option<u64>,
    },
    /// A key is said to follow a trusted one, and the log does not prove it.
    KeyUnproven {
        sequence: u64,
        key: String,
        problem: String,
    },
    /// An event's leaf is not the one that was logged.
    LeafEdited {
        index: u64,
        event: String,
        logged: Hash,
        found: Hash,
    },
    LeafUnreadable {
        index: u64,
        problem: String,
    },
    /// The leaf at this place is of another sequence: something was taken out, put in or moved.
    OtherSequence {
        index: u64,
        expected: u64,
        found: u64,
        event: String,
    },
    /// A leaf that belongs to another log or stream, or a second genesis.
    ForeignLeaf {
        index: u64,
        problem: String,
    },
    /// The log itself says that the stream lost this event.
    Gap {
        sequence: u64,
        reason: String,
    },
    /// Time runs backwards in the log.
    BackDated {
        sequence: u64,
        event: String,
        before_ns: u64,
        by_ns: u64,
    },
    /// The event was logged after a cosignature whose time is later than the event's own.
    BeforeCosignature {
        sequence: u64,
        event: String,
        time_ns: u64,
        size: u64,
        cosigned_at: u64,
    },
    /// The leaves do not lead to the signed root.
    RootDiffers {
        size: u64,
        signed: Hash,
        found: Hash,
    },
    /// There are not as many leaves as the checkpoint counts.
    LeafCount {
        signed: u64,
        found: u64,
    },
    /// A checkpoint that was published before is not of this log's beginning.
    HistoryRewritten {
        path: String,
        size: u64,
        signed: Hash,
        found: Hash,
    },
    /// The log is smaller than it was.
    Truncated {
        path: String,
        was: u64,
        is: u64,
    },
    /// A new epoch counts less of the one before than was seen, and has all of that again.
    LoggedAgain {
        path: String,
        was: u64,
        is: u64,
    },
    /// Two checkpoints of one size with different roots.
    SplitView {
        path: String,
        size: u64,
        ours: Hash,
        theirs: Hash,
    },
    /// A tile does not hold what the leaves give.
    Tile {
        path: String,
        problem: String,
    },
    /// A stored event is not what its leaf says.
    EventEdited {
        sequence: u64,
        event: String,
        what: String,
    },
    /// The log knows the event; the stream or the file does not have it.
    EventMissing {
        sequence: u64,
        event: String,
    },
    /// The stream or the file has an event that the log does not know.
    EventNotLogged {
        sequence: u64,
        event: String,
    },
    Proof {
        path: String,
        problem: String,
    },
    /// A signed document is not what was signed.
    Document {
        path: String,
        problem: String,
    },
    /// The stream has more than the newest published checkpoint covers.
    Behind {
        published: u64,
        stream: u64,
    },
}

impl Finding {
    pub const fn severity(&self) -> Severity {
        match self {
            Self::NoWitnessAsked
            | Self::OtherLogKey { .. }
            | Self::KeyFollowed { .. }
            | Self::LoggedAgain { .. }
            | Self::Gap { .. }
            | Self::Behind { .. } => Severity::Notice,
            _ => Severity::Broken,
        }
    }

    /// A stable name, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::NotSigned { .. } => "not-signed",
            Self::NotWitnessed { .. } => "not-witnessed",
            Self::NoWitnessAsked => "no-witness-asked",
            Self::OtherLogKey { .. } => "other-log-key",
            Self::KeyFollowed { .. } => "key-followed",
            Self::KeyUnproven { .. } => "key-unproven",
            Self::LeafEdited { .. } => "leaf-edited",
            Self::LeafUnreadable { .. } => "leaf-unreadable",
            Self::OtherSequence { .. } => "other-sequence",
            Self::ForeignLeaf { .. } => "foreign-leaf",
            Self::Gap { .. } => "gap",
            Self::BackDated { .. } => "back-dated",
            Self::BeforeCosignature { .. } => "before-cosignature",
            Self::RootDiffers { .. } => "root-differs",
            Self::LeafCount { .. } => "leaf-count",
            Self::HistoryRewritten { .. } => "history-rewritten",
            Self::Truncated { .. } => "truncated",
            Self::LoggedAgain { .. } => "logged-again",
            Self::SplitView { .. } => "split-view",
            Self::Tile { .. } => "tile",
            Self::EventEdited { .. } => "event-edited",
            Self::EventMissing { .. } => "event-missing",
            Self::EventNotLogged { .. } => "event-not-logged",
            Self::Proof { .. } => "proof",
            Self::Document { .. } => "document",
            Self::Behind { .. } => "behind",
        }
    }

    /// The stream sequence that it is about, if it is about one event.
    pub const fn sequence(&self) -> Option<u64> {
        match self {
            Self::KeyFollowed { sequence, .. }
            | Self::KeyUnproven { sequence, .. }
            | Self::Gap { sequence, .. }
            | Self::BackDated { sequence, .. }
            | Self::BeforeCosignature { sequence, .. }
            | Self::EventEdited { sequence, .. }
            | Self::EventMissing { sequence, .. }
            | Self::EventNotLogged { sequence, .. } => Some(*sequence),
            Self::OtherSequence { expected, .. } => Some(*expected),
            _ => None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, problem } => write!(f, "{path}: {problem}"),
            Self::NotSigned { path, problem } => write!(f, "{path} cannot be believed: {problem}"),
            Self::NotWitnessed { size, missing } => write!(
                f,
                "the checkpoint of size {size} has too few witnesses (missing: {}): nobody outside saw that the log only grew",
                missing.join(", ")
            ),
            Self::NoWitnessAsked => f.write_str(
                "the policy asks for no witness: nobody outside the operator vouches that there is only one log",
            ),
            Self::OtherLogKey { key } => write!(
                f,
                "the policy also lists the log key {key}; believe it only when it reached you on another way than in this package"
            ),
            Self::KeyFollowed { sequence, from, to, signed_size, ends_at } => {
                write!(
                    f,
                    "the log's key changed: event {sequence} names {to} as the next one after {from}, under a checkpoint of {signed_size} leaves that the older key signed"
                )?;
                match ends_at {
                    Some(end) => write!(f, "; the older key counts up to size {end}"),
                    None => f.write_str("; both sign for now"),
                }
            }
            Self::KeyUnproven { sequence, key, problem } => {
                write!(f, "event {sequence} is said to name the log key {key}, and does not prove it: {problem}")
            }
            Self::LeafEdited { index, event, logged, found } => {
                write!(f, "{event} was edited: its leaf at index {index} was logged as {logged} and is now {found}")
            }
            Self::LeafUnreadable { index, problem } => write!(f, "the leaf at index {index} is none: {problem}"),
            Self::OtherSequence { index, expected, found, event } => write!(
                f,
                "index {index} must hold event {expected} and holds {event} (sequence {found}): an event was removed, added or moved"
            ),
            Self::ForeignLeaf { index, problem } => {
                write!(f, "the leaf at index {index} does not belong here: {problem}")
            }
            Self::Gap { sequence, reason } => write!(f, "event {sequence} is missing, and the log says so: {reason}"),
            Self::BackDated { sequence: _, event, before_ns, by_ns } => write!(
                f,
                "{event} is back-dated: its time is {} before {}, which the log had reached",
                seconds(*by_ns),
                time(*before_ns)
            ),
            Self::BeforeCosignature { sequence: _, event, time_ns, size, cosigned_at } => write!(
                f,
                "{event} is back-dated: its time is {}, but it is not among the first {size} leaves, which a witness saw at {}",
                time(*time_ns),
                time(cosigned_at.saturating_mul(1_000_000_000))
            ),
            Self::RootDiffers { size, signed, found } => write!(
                f,
                "the {size} leaves lead to the root {found}, and {signed} was signed: an event was edited, removed, added or moved"
            ),
            Self::LeafCount { signed, found } => {
                write!(f, "the checkpoint counts {signed} leaves, and there are {found}")
            }
            Self::HistoryRewritten { path, size, signed, found } => write!(
                f,
                "history was rewritten: {path} says {signed} for the first {size} leaves, and they now lead to {found}"
            ),
            Self::Truncated { path, was, is } => {
                write!(f, "the log was cut off: it has {is} leaves, and {path} shows that it had {was}")
            }
            Self::LoggedAgain { path, was, is } => write!(
                f,
                "the new epoch counts {is} leaves of the one before, and {path} shows that it had {was}: all of their events are in the new epoch, unchanged"
            ),
            Self::SplitView { path, size, ours, theirs } => {
                write!(f, "there are two logs: for size {size} the checkpoint says {ours} and {path} says {theirs}")
            }
            Self::Tile { path, problem } => write!(f, "{path}: {problem}"),
            Self::EventEdited { sequence: _, event, what } => write!(f, "{event} was edited: {what}"),
            Self::EventMissing { sequence: _, event } => write!(f, "{event} was logged and is no longer there"),
            Self::EventNotLogged { sequence: _, event } => {
                write!(f, "{event} is not in the log: it was added, or put in another's place")
            }
            Self::Proof { path, problem } => write!(f, "{path} proves nothing: {problem}"),
            Self::Document { path, problem } => write!(f, "{path} is not what was signed: {problem}"),
            Self::Behind { published, stream } => write!(
                f,
                "the stream holds events up to {stream}; the newest published checkpoint covers {published} leaves. What is newer is not yet evidence"
            ),
        }
    }
}

fn seconds(ns: u64) -> String {
    format!("{}.{:03} s", ns / 1_000_000_000, ns / 1_000_000 % 1_000)
}

/// UTC to the millisecond; Gregorian arithmetic, so that no clock library is needed.
fn time(ns: u64) -> String {
    let (seconds, millis) = (ns / 1_000_000_000, ns / 1_000_000 % 1_000);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, so that the leap day is a year's last.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Findings in the order in which they were made; those beyond [`MAX_FINDINGS`] are counted only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    more: u64,
    broken: bool,
}

impl Findings {
    pub fn push(&mut self, finding: Finding) {
        self.broken |= finding.severity() == Severity::Broken;
        if self.kept.len() < MAX_FINDINGS {
            self.kept.push(finding);
        } else {
            self.more += 1;
        }
    }

    pub fn append(&mut self, other: Self) {
        self.broken |= other.broken;
        self.more += other.more;
        other.kept.into_iter().for_each(|finding| self.push(finding));
    }

    /// Nothing about a key that is believed by now.
    #[must_use]
    pub fn without_other_keys(mut self, is_believed: impl Fn(&str) -> bool) -> Self {
        self.kept.retain(|finding| !matches!(finding, Finding::OtherLogKey { key } if is_believed(key)));
        self
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.kept.iter()
    }

    /// How many were not kept.
    pub const fn more(&self) -> u64 {
        self.more
    }

    /// Whether the record is not what it should be.
    pub const fn is_broken(&self) -> bool {
        self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(time(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(951_782_400_000_000_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(time(1_791_190_800_000_001_000), "2026-10-05T09:00:00.000Z");
        assert_eq!(time(4_102_444_799_999_000_000), "2099-12-31T23:59:59.999Z");
    }

    #[test]
    fn findings_beyond_the_limit_are_counted() {
        let mut findings = Findings::default();
        (0..MAX_FINDINGS as u64 + 3)
            .for_each(|sequence| findings.push(Finding::Gap { sequence, reason: String::new() }));
        assert_eq!((findings.iter().len(), findings.more(), findings.is_broken()), (MAX_FINDINGS, 3, false));
        findings.push(Finding::LeafCount { signed: 2, found: 1 });
        assert!(findings.is_broken());
    }
}
