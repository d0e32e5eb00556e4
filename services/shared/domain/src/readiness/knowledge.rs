//! What is remembered of one resource between two looks: positions of the primary with their times,
//! when each node last answered, and how far each collector has come. Times are the collector's.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::replication::Role;
use crate::pb::observation::v1::Observation;
use crate::time::from_pb;

/// Kept positions. When full, they get sparser the older they are: a lag of an hour is told within a
/// minute or two, and a coarser time only ever makes the loss window larger.
pub const MAX_SAMPLES: usize = 240;

/// Collectors whose place is remembered, so that a late redelivery of a former one is recognised.
const MAX_COLLECTORS: usize = 8;

/// Clocks of two hosts that agree this far are taken as agreeing.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(5);

/// A delivery that is later than this is stale for a tier-1 system, and no reason to think of a clock before.
const LATE_DELIVERY: SignedDuration = SignedDuration::from_secs(10);

/// Where the primary was, at a time when it certainly was not behind that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When the question was asked: every commit before it is at or below `lsn`.
    pub at: Timestamp,
    pub lsn: u64,
}

/// The line of log that positions belong to. Positions of different lines are never compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub node: String,
    pub system_identifier: String,
    pub timeline: u32,
}

#[derive(Debug, Clone, Copy)]
struct SeenNode {
    at: Timestamp,
    role: Role,
}

/// How much the primary held, and in which history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    pub history: String,
    /// In what the platform counts: keys.
    pub amount: u64,
}

/// The primary came back with far less than it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collapse {
    pub before: u64,
    pub at: Timestamp,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    line: Option<Line>,
    samples: VecDeque<Sample>,
    /// The newest look at which log was flowing. Positions of later times are not credited to the
    /// standby however equal they look: a severed standby of an idle primary looks caught up.
    live_at: Option<Timestamp>,
    standby_position: Option<u64>,
    seen: BTreeMap<String, SeenNode>,
    collectors: VecDeque<(String, u64)>,
    observed_at: Option<Timestamp>,
    received_at: Option<Timestamp>,
    /// The monitor's clock was set back since the newest look.
    stepped_back: bool,
    data: Option<Data>,
    collapse: Option<Collapse>,
}

/// What became of an observation at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// A repetition, or older than what is known.
    No,
    Yes {
        observed_at: Timestamp,
        /// The collector's clock went back since the look before.
        clock_went_back: bool,
    },
}

impl Knowledge {
    /// Takes an observation in if it is newer than what is known. `now` is the monitor's clock.
    pub fn accept(&mut self, observation: &Observation, now: Timestamp) -> Accepted {
        let Some(observed_at) = from_pb(observation.observed_at.as_ref()) else { return Accepted::No };
        let place = self.collectors.iter().position(|(name, _)| *name == observation.collector);
        let newer = match place.and_then(|i| self.collectors.get(i)) {
            Some((_, sequence)) => observation.sequence > *sequence,
            // A collector that takes over is believed when its time fits what is known, or the
            // monitor's own clock: its predecessor's clock may have been ahead.
            None => {
                self.observed_at.is_none_or(|before| observed_at > before)
                    || observed_at.duration_since(now).abs() <= CLOCK_TOLERANCE
            }
        };
        if !newer {
            return Accepted::No;
        }
        if let Some(i) = place {
            self.collectors.remove(i);
        }
        self.collectors.push_back((observation.collector.clone(), observation.sequence));
        if self.collectors.len() > MAX_COLLECTORS {
            self.collectors.pop_front();
        }
        let clock_went_back = self.observed_at.is_some_and(|before| observed_at < before);
        if let Some(lost) = self.lost_time(observed_at, now) {
            self.move_back(lost);
        }
        self.observed_at = Some(observed_at);
        self.received_at = Some(now);
        self.stepped_back = false;
        Accepted::Yes { observed_at, clock_went_back }
    }

    /// How much more time passed since the look before than the collector's clock says. That clock went back, also when it
    /// has made up for it since, unseen; what is remembered is that much older than it looks.
    ///
    /// A late delivery and a monitor's clock that was set forward look the same, and are taken for the same: that only makes
    /// windows larger, until the next look. What can be the delivery alone is left to it, unless the monitor's clock is known
    /// to have been set back: then the collector's, on the same host or by the same time server, was as well.
    fn lost_time(&self, observed_at: Timestamp, now: Timestamp) -> Option<SignedDuration> {
        let (before, received_at) = (self.observed_at?, self.received_at?);
        let passed = now.duration_since(received_at).max(SignedDuration::ZERO);
        let told = observed_at.duration_since(before);
        let lost = passed.saturating_sub(told);
        let exact = told.is_negative() || self.stepped_back;
        let tolerated = if exact { SignedDuration::ZERO } else { LATE_DELIVERY };
        (lost > tolerated).then_some(lost)
    }

    /// The clock went back by `step`: remembered times go with it, so that ages stay true.
    fn move_back(&mut self, step: SignedDuration) {
        let back = |at: Timestamp| at.saturating_sub(step).unwrap_or(Timestamp::MIN);
        for sample in &mut self.samples {
            sample.at = back(sample.at);
        }
        for node in self.seen.values_mut() {
            node.at = back(node.at);
        }
        self.live_at = self.live_at.map(back);
        self.collapse = self.collapse.map(|collapse| Collapse { at: back(collapse.at), ..collapse });
    }

    /// The monitor's clock went back; see `Watch`.
    pub fn monitor_clock_went_back(&mut self, step: SignedDuration) {
        self.received_at = self.received_at.map(|at| at.saturating_sub(step).unwrap_or(Timestamp::MIN));
        self.stepped_back = true;
    }

    pub fn node_seen(&mut self, node: &str, role: Role, at: Timestamp) {
        self.seen.insert(node.to_owned(), SeenNode { at, role });
    }

    /// Forgets nodes that are not declared any more.
    pub fn keep_nodes(&mut self, declared: &[&str]) {
        self.seen.retain(|name, _| declared.contains(&name.as_str()));
    }

    pub fn role_of(&self, node: &str) -> Option<Role> {
        self.seen.get(node).map(|seen| seen.role)
    }

    pub fn unseen_for(&self, node: &str, now: Timestamp) -> Option<SignedDuration> {
        self.seen.get(node).map(|seen| now.duration_since(seen.at).max(SignedDuration::ZERO))
    }

    /// A position of the primary. Another line, or a position that went back, starts anew: what was
    /// known of the old line says nothing about the new one.
    pub fn primary_at(&mut self, line: Line, sample: Sample) {
        let rewritten = self.samples.back().is_some_and(|last| sample.lsn < last.lsn);
        if rewritten || self.line.as_ref() != Some(&line) {
            self.samples.clear();
            self.live_at = None;
            self.standby_position = None;
            self.line = Some(line);
        }
        self.samples.push_back(sample);
        if self.samples.len() > MAX_SAMPLES {
            self.thin();
        }
    }

    /// Drops the sample whose neighbours are closest to each other for their age.
    fn thin(&mut self) {
        let Some(newest) = self.samples.back().map(|s| s.at) else { return };
        let crowding = |i: usize| {
            let (before, own, after) = (self.samples.get(i - 1)?, self.samples.get(i)?, self.samples.get(i + 1)?);
            let gap = after.at.duration_since(before.at).as_secs_f64();
            Some((i, gap / (1.0 + newest.duration_since(own.at).as_secs_f64())))
        };
        let crowded = (1..self.samples.len() - 1).filter_map(crowding).min_by(|(_, a), (_, b)| a.total_cmp(b));
        if let Some((index, _)) = crowded {
            self.samples.remove(index);
        }
    }

    /// The line whose positions are held.
    pub fn line(&self) -> Option<&Line> {
        self.line.as_ref()
    }

    /// The furthest position the standby holds, from its own answer.
    pub fn standby_at(&mut self, position: u64) {
        self.standby_position = Some(position);
    }

    pub fn standby_position(&self) -> Option<u64> {
        self.standby_position
    }

    pub fn link_live(&mut self, at: Timestamp) {
        self.live_at = Some(at);
    }

    /// How long before `at` the newest position that the standby is known to hold was current. One
    /// clock, the collector's: two hosts' clocks are never compared (L5).
    pub fn caught_up_ago(&self, at: Timestamp) -> Option<SignedDuration> {
        let (position, live_at) = (self.standby_position?, self.live_at?);
        let held = self.samples.iter().rev().find(|s| s.lsn <= position && s.at <= live_at)?;
        Some(round_up(at.duration_since(held.at).max(SignedDuration::ZERO)))
    }

    pub fn data(&self) -> Option<&Data> {
        self.data.as_ref()
    }

    pub fn data_is(&mut self, data: Data) {
        self.data = Some(data);
    }

    /// The first one counts: a second restart of an empty server says nothing about what was there.
    pub fn data_collapsed(&mut self, before: u64, at: Timestamp) {
        self.collapse = self.collapse.or(Some(Collapse { before, at }));
    }

    pub fn collapse(&self) -> Option<Collapse> {
        self.collapse
    }

    pub fn data_came_back(&mut self) {
        self.collapse = None;
    }

    /// Distance between the newest known positions of both sides.
    pub fn missing_bytes(&self) -> Option<u64> {
        Some(self.samples.back()?.lsn.saturating_sub(self.standby_position?))
    }
}

/// To the next full step, and never to nothing: a finer number would pretend to a precision that two
/// questions to two servers do not have, and "0.0 s" would read as proof.
fn round_up(ago: SignedDuration) -> SignedDuration {
    const STEP_MS: i128 = 100;
    let steps = (ago.as_millis() / STEP_MS + 1) * STEP_MS;
    i64::try_from(steps).map_or(SignedDuration::MAX, SignedDuration::from_millis)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test panics to fail")]

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_760_000_000 + seconds).expect("valid")
    }

    fn line(timeline: u32) -> Line {
        Line { node: "a".into(), system_identifier: "7001".into(), timeline }
    }

    #[test]
    fn a_full_memory_gets_coarser_for_long_ago_and_never_optimistic() {
        let mut knowledge = Knowledge::default();
        for second in 0..10_000 {
            knowledge.primary_at(line(1), Sample { at: at(second), lsn: second as u64 });
        }
        assert!(knowledge.samples.len() <= MAX_SAMPLES);
        knowledge.link_live(at(9_999));
        for held in [9_999_i64, 9_950, 9_000, 5_000, 100] {
            knowledge.standby_at(held as u64);
            let ago = knowledge.caught_up_ago(at(10_000)).expect("known").as_secs();
            assert!(ago >= 10_000 - held, "{held}: {ago}");
            assert!(ago <= (10_000 - held) * 11 / 10 + 2, "{held}: {ago} is too coarse");
        }
    }

    #[test]
    fn nothing_is_credited_after_the_link_was_last_seen_alive() {
        let mut knowledge = Knowledge::default();
        for second in 0..10 {
            knowledge.primary_at(line(1), Sample { at: at(second), lsn: 7 });
        }
        knowledge.standby_at(7);
        assert_eq!(knowledge.caught_up_ago(at(9)), None, "never seen alive");
        knowledge.link_live(at(4));
        assert_eq!(knowledge.caught_up_ago(at(9)).map(|d| d.as_secs()), Some(5));
    }

    #[test]
    fn another_line_or_a_position_that_went_back_starts_anew() {
        for (next, lsn) in [(line(2), 100), (line(1), 3)] {
            let mut knowledge = Knowledge::default();
            knowledge.primary_at(line(1), Sample { at: at(0), lsn: 7 });
            knowledge.standby_at(7);
            knowledge.link_live(at(0));
            knowledge.primary_at(next, Sample { at: at(1), lsn });
            assert_eq!((knowledge.caught_up_ago(at(1)), knowledge.missing_bytes()), (None, None));
        }
    }
}
