//! The working memory of one resource: the newest look, and since when each condition has held.
//!
//! Times here are the monitor's own. When its clock goes back, everything remembered goes back with
//! it: durations stay what they were, so nothing opens, resolves or freezes because of a clock.

use jiff::{SignedDuration, Timestamp};

use super::code::Code;
use super::knowledge::Knowledge;
use super::replication::Replication;
use super::state::{ALERT_KINDS, Condition, Inputs, Verdict};
use super::thresholds::Limits;
use super::{mariadb, patroni, postgresql, redis, rules, severity};
use crate::pb::common::v1::{Environment, Tier};
use crate::pb::inventory::v1::{ResourceSpec, resource_spec::Platform};
use crate::pb::observation::v1::Observation;
use crate::pb::readiness::v1::{AlertKind, Assessment, Status};
use crate::time::duration_from_pb;

/// What is being judged, from the inventory.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub tenant: &'a str,
    pub resource: &'a str,
    pub version: u64,
    pub spec: &'a ResourceSpec,
    pub limits: &'a Limits,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Watch {
    started_at: Timestamp,
    now: Timestamp,
    knowledge: Knowledge,
    newest: Option<Newest>,
    /// Per kind of alert, in the order of `ALERT_KINDS`.
    runs: [Run; 4],
    /// Since when the status has been at most green, yellow, unknown, with sight of both sides.
    at_most: [Option<Timestamp>; 3],
    sighted_at: Option<Timestamp>,
    last_green_at: Option<Timestamp>,
    last_known_good: Option<Assessment>,
}

#[derive(Debug, Clone)]
struct Newest {
    replication: Replication,
    /// When it was made, as far as the monitor can tell.
    seen_at: Timestamp,
}

#[derive(Debug, Clone, Copy, Default)]
struct Run {
    holds_since: Option<Timestamp>,
    clear_since: Option<Timestamp>,
    /// When it was last seen clear.
    clear_at: Option<Timestamp>,
}

impl Watch {
    /// Begins to watch. Limits count from here, not from before the monitor was there to see.
    pub fn new(now: Timestamp) -> Self {
        Self {
            started_at: now,
            now,
            knowledge: Knowledge::default(),
            newest: None,
            runs: [Run::default(); 4],
            at_most: [None; 3],
            sighted_at: None,
            last_green_at: None,
            last_known_good: None,
        }
    }

    /// Takes an observation in. `false`: it is a repetition or older than what is known.
    pub fn observe(&mut self, spec: &ResourceSpec, observation: &Observation, now: Timestamp) -> bool {
        self.clock(now);
        let interpreted = match &spec.platform {
            Some(Platform::Postgresql(target)) => {
                postgresql::interpret(spec, target, observation, now, &mut self.knowledge)
            }
            Some(Platform::Patroni(target)) => patroni::interpret(spec, target, observation, now, &mut self.knowledge),
            Some(Platform::Mariadb(target)) => mariadb::interpret(spec, target, observation, now, &mut self.knowledge),
            Some(Platform::Redis(target)) => redis::interpret(spec, target, observation, now, &mut self.knowledge),
            None => None,
        };
        let Some(replication) = interpreted else { return false };
        // A late delivery counts from when it was made; a collector ahead of us, from its arrival.
        let seen_at = replication.observed_at.min(now);
        self.newest = Some(Newest { replication, seen_at });
        true
    }

    /// Judges as of `now` and brings the running conditions up to date.
    ///
    /// `None` while nothing should be decided yet: just started, and the first observation may still come.
    pub fn look(&mut self, subject: &Subject<'_>, now: Timestamp) -> Option<Inputs> {
        self.clock(now);
        let assessment = self.assessment(subject.limits, now);
        let early = now.duration_since(self.started_at) <= subject.limits.lost_after;
        if early && !self.seen_since_start(subject.limits, now) {
            return None;
        }
        self.run(&assessment, subject.limits, now);
        Some(Inputs {
            tenant: subject.tenant.to_owned(),
            resource: subject.resource.to_owned(),
            tier: subject.spec.tier(),
            environment: subject.spec.environment(),
            resource_version: subject.version,
            retired: false,
            limits: *subject.limits,
            settled_status: self.settled(subject.limits, now),
            conditions: self.conditions(&assessment, subject.limits),
            last_green_at: self.last_green_at,
            assessment,
        })
    }

    /// The judgement as of `now`, without touching anything.
    pub fn assessment(&self, limits: &Limits, now: Timestamp) -> Assessment {
        match &self.newest {
            None => rules::never_observed(),
            Some(newest) => rules::assess(&newest.replication, now.duration_since(newest.seen_at), limits, now),
        }
    }

    /// When to look again if no observation comes before: the next moment at which something falls due.
    pub fn next_due(&self, limits: &Limits) -> Timestamp {
        let seen = self.newest.as_ref().map_or(self.started_at, |n| n.seen_at);
        let conditions = self.runs.iter().zip(ALERT_KINDS).flat_map(|(run, kind)| {
            [
                due(kind, run.holds_since, self.started_at, limits),
                run.clear_since.map(|since| later(since, limits.recover_for)),
            ]
        });
        let settling = self.at_most.iter().map(|since| since.map(|since| later(since, limits.recover_for)));
        let freshness = [limits.stale_after, limits.lost_after].map(|after| Some(later(seen, after)));
        conditions
            .chain(settling)
            .chain(freshness)
            .flatten()
            .filter(|at| *at > self.now)
            .min()
            .unwrap_or(later(self.now, limits.lost_after))
    }

    /// The newest observation's time by the monitor's clock.
    pub fn seen_at(&self) -> Option<Timestamp> {
        self.newest.as_ref().map(|n| n.seen_at)
    }

    /// Where the primary was seen last.
    pub fn active_site(&self) -> Option<&str> {
        self.newest.as_ref()?.replication.active_site.as_deref()
    }

    /// The newest judgement made with sight of both sides.
    pub fn last_known_good(&self) -> Option<&Assessment> {
        self.last_known_good.as_ref()
    }

    /// The monitor was away until `now`: limits count from here again.
    pub fn resume(&mut self, now: Timestamp) {
        self.clock(now);
        self.started_at = now;
    }

    fn seen_since_start(&self, limits: &Limits, now: Timestamp) -> bool {
        self.newest
            .as_ref()
            .is_some_and(|n| n.seen_at >= self.started_at || now.duration_since(n.seen_at) <= limits.stale_after)
    }

    // ---- what has held for how long ----

    fn run(&mut self, assessment: &Assessment, limits: &Limits, now: Timestamp) {
        let sighted = rules::sighted(assessment);
        let status = assessment.status();
        for (level, since) in [Status::Green, Status::Yellow, Status::Unknown].into_iter().zip(&mut self.at_most) {
            let holds = sighted && severity(status) <= severity(level);
            *since = if holds { since.or(Some(now)) } else { None };
        }
        for (run, kind) in self.runs.iter_mut().zip(ALERT_KINDS) {
            match verdict(kind, assessment) {
                Verdict::Holds => {
                    let began = match kind {
                        AlertKind::RpoBreach => {
                            crossed_at(assessment, limits, now, run.clear_at.unwrap_or(self.started_at))
                        }
                        AlertKind::LostSight => self.sighted_at.unwrap_or(self.started_at),
                        _ => now,
                    };
                    run.holds_since = run.holds_since.or(Some(began));
                    run.clear_since = None;
                }
                Verdict::Clear => {
                    *run = Run { holds_since: None, clear_since: run.clear_since.or(Some(now)), clear_at: Some(now) }
                }
                // Neither: what held may still hold, what was clear has to begin anew.
                Verdict::NotKnown => run.clear_since = None,
            }
        }
        if sighted {
            self.sighted_at = self.seen_at().or(self.sighted_at);
            self.last_known_good = Some(assessment.clone());
        }
        if status == Status::Green {
            self.last_green_at = Some(now);
        }
    }

    fn settled(&self, limits: &Limits, now: Timestamp) -> Option<Status> {
        let long_enough =
            |since: &Option<Timestamp>| since.is_some_and(|since| now.duration_since(since) >= limits.recover_for);
        let place = self.at_most.iter().position(long_enough)?;
        [Status::Green, Status::Yellow, Status::Unknown].get(place).copied()
    }

    fn conditions(&self, assessment: &Assessment, limits: &Limits) -> [Condition; 4] {
        std::array::from_fn(|i| {
            let (kind, run) = (ALERT_KINDS[i], self.runs[i]);
            Condition {
                kind,
                verdict: verdict(kind, assessment),
                since: run.holds_since,
                due_at: due(kind, run.holds_since, self.started_at, limits),
                settled: run.clear_since.is_some_and(|since| self.now.duration_since(since) >= limits.recover_for),
            }
        })
    }

    // ---- the clock ----

    fn clock(&mut self, now: Timestamp) {
        let step = self.now.duration_since(now);
        if step.is_positive() {
            self.move_back(step);
        }
        self.now = now;
    }

    fn move_back(&mut self, step: SignedDuration) {
        let back = |at: Timestamp| at.saturating_sub(step).unwrap_or(Timestamp::MIN);
        self.started_at = back(self.started_at);
        self.sighted_at = self.sighted_at.map(back);
        self.last_green_at = self.last_green_at.map(back);
        self.at_most = self.at_most.map(|since| since.map(back));
        self.runs = self.runs.map(|run| Run {
            holds_since: run.holds_since.map(back),
            clear_since: run.clear_since.map(back),
            clear_at: run.clear_at.map(back),
        });
        if let Some(newest) = &mut self.newest {
            newest.seen_at = back(newest.seen_at);
        }
        self.knowledge.monitor_clock_went_back(step);
    }
}

/// Whether the condition of this alert holds, as far as this judgement can tell.
fn verdict(kind: AlertKind, assessment: &Assessment) -> Verdict {
    let holds = rules::codes(assessment).any(|code| code.alert() == Some(kind));
    let known = match kind {
        AlertKind::LostSight => assessment.observed_at.is_some(),
        AlertKind::RpoBreach => rules::sighted(assessment) && assessment.rpo_now.is_some(),
        _ => rules::sighted(assessment),
    };
    // What was seen too long ago to be called fresh proves neither.
    let stale = rules::codes(assessment).any(|c| matches!(c, Code::ObservationStale | Code::NeverObserved));
    match (holds, known) {
        (true, _) if kind == AlertKind::LostSight || !stale => Verdict::Holds,
        (false, true) => Verdict::Clear,
        _ => Verdict::NotKnown,
    }
}

/// An alert is due when its condition has lasted: lost sight after its own limit, which does not run
/// while the monitor itself was away; everything else after the tier's duration.
fn due(kind: AlertKind, since: Option<Timestamp>, started_at: Timestamp, limits: &Limits) -> Option<Timestamp> {
    let since = since?;
    Some(match kind {
        AlertKind::LostSight => later(since.max(started_at), limits.lost_after),
        _ => later(since, limits.breach_for),
    })
}

/// The moment the RPO indicator passed its limit: it grows with time, so that moment lies
/// `rpo - limit` back; but not before it was last seen within the limit.
fn crossed_at(assessment: &Assessment, limits: &Limits, now: Timestamp, not_before: Timestamp) -> Timestamp {
    let over = duration_from_pb(assessment.rpo_now.as_ref())
        .map_or(SignedDuration::ZERO, |rpo| rpo.saturating_sub(limits.rpo_breach));
    let crossed = now.saturating_sub(over.max(SignedDuration::ZERO)).unwrap_or(now);
    crossed.max(not_before).min(now)
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// The inputs for a resource that is watched no more: its alerts are resolved.
pub fn retired(tenant: &str, resource: &str, version: u64, last: Option<Assessment>) -> Inputs {
    Inputs {
        tenant: tenant.to_owned(),
        resource: resource.to_owned(),
        tier: Tier::Unspecified,
        environment: Environment::Unspecified,
        resource_version: version,
        retired: true,
        limits: Limits::built_in(Tier::Unspecified),
        assessment: last.unwrap_or_else(rules::never_observed),
        settled_status: None,
        conditions: ALERT_KINDS.map(|kind| Condition {
            kind,
            verdict: Verdict::NotKnown,
            since: None,
            due_at: None,
            settled: false,
        }),
        last_green_at: None,
    }
}
