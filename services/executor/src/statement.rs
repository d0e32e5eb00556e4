//! What a finished move says about itself: missing data, time to restore, time without writes. Conservative: a bound is
//! never smaller than what was really lost, and what nothing bounds is said to be unknown.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    execution::Execution,
    pb::{
        common::v1::LossStatement,
        execution::v1::{Step, StepView},
    },
    statement::{bounded, unknown},
    time::from_pb,
};
use muster_platform::{Facts, evidence, fact as common};

use crate::{leg::Leg, positions::History};

const OUR_CLOCKS: &str = "The window compares the clocks of Muster's own hosts.";
const PRIMARY_CLOCK: &str = "No observation of the lost primary is old enough: the window begins at the last applied commit, by the lost primary's own clock.";

/// One move as its steps tell it.
pub(crate) struct Told<'a> {
    pub from_node: &'a str,
    pub facts: Facts,
    pub steps: Vec<&'a StepView>,
}

impl<'a> Told<'a> {
    pub(crate) fn of(leg: &'a Leg, execution: &'a Execution) -> Self {
        Self { from_node: &leg.member.from_node, facts: leg.facts(execution), steps: leg.steps(execution).collect() }
    }

    /// The first step that changes the node that is left: the stop or the fence of the old primary.
    fn stop_step(&self) -> Option<&'a StepView> {
        let takes_out = |step: &Step| step.changes_target && step.node == self.from_node;
        self.steps.iter().copied().find(|step| step.step.as_ref().is_some_and(takes_out))
    }

    /// From the stop of the old primary until the new one accepted a write. One that was lost ended by itself, nobody knows
    /// when: then from the last look that found it, which is the longest that it can be.
    pub(crate) fn write_outage(&self, lost: Option<&History>) -> Option<SignedDuration> {
        let step = self.stop_step()?;
        let told = time(&self.facts, common::STOPPED_AT).filter(|_| step.attempts == 1);
        // A second attempt only knows about itself, and a probe knows no beginning: the claim is before both.
        let stopped = told.or_else(|| from_pb(step.started_at.as_ref()))?;
        let began = match lost {
            Some(primary) => primary.samples.iter().rfind(|seen| seen.since <= stopped)?.since,
            None => stopped,
        };
        Some(time(&self.facts, common::WRITABLE_AT)?.duration_since(began))
    }

    /// From the operator's confirmation until the last step of the move.
    pub(crate) fn rto(&self, confirmed: Option<Timestamp>) -> Option<SignedDuration> {
        let last = self.steps.iter().map(|step| from_pb(step.finished_at.as_ref())).collect::<Option<Vec<_>>>()?;
        Some(last.into_iter().max()?.duration_since(confirmed?))
    }
}

/// What can be said about missing data once the target was promoted.
pub(crate) fn loss(told: &Told<'_>, primary: &History) -> LossStatement {
    let Some(evidence) = evidence(&told.facts) else { return unknown("what the target had received is not known") };
    if let Some(proof) = evidence.complete {
        return proof;
    }
    let Some(received) = evidence.received else { return unknown("what the target had received is not known") };
    let Some(fenced_at) = told.stop_step().and_then(|step| from_pb(step.finished_at.as_ref())) else {
        return unknown("when the old primary stopped accepting writes is not known");
    };
    let comparable = evidence.history.as_ref().is_none_or(|history| *history == primary.system_identifier);
    let mut seen =
        primary.samples.iter().filter(|s| comparable && Some(s.timeline) == evidence.timeline && s.since <= fenced_at);
    let missing = seen.clone().next_back().map(|newest| newest.lsn.saturating_sub(received));
    let missing = missing.filter(|_| evidence.in_bytes);
    let mut limits: Vec<String> = evidence.limits.iter().map(|limit| (*limit).to_owned()).collect();
    // Whatever was committed before a look that found the primary here is on the target.
    if let Some(covered) = seen.rfind(|s| s.lsn <= received) {
        limits.push(OUR_CLOCKS.to_owned());
        return bounded(covered.since, fenced_at, missing, limits);
    }
    match evidence.last_commit_at {
        Some(last_commit) => {
            limits.push(PRIMARY_CLOCK.to_owned());
            bounded(last_commit, fenced_at, missing, limits)
        }
        None => unknown("the lost primary was never observed in this history, and the target names no commit"),
    }
}

pub(crate) fn confirmed_at(execution: &Execution) -> Option<Timestamp> {
    from_pb(execution.view.started.as_ref()?.confirmed_at.as_ref())
}

/// From the operator's confirmation until the target was seen healthy.
pub(crate) fn rto(execution: &Execution) -> Option<SignedDuration> {
    Some(execution.postchecked_at?.duration_since(confirmed_at(execution)?))
}

fn time(facts: &Facts, name: &str) -> Option<Timestamp> {
    facts.get(name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::{
        pb::{common::v1::LossCertainty, execution::v1::ExecutionStarted},
        time::{duration_from_pb, to_pb},
    };

    use muster_platform::postgresql::fact;

    use super::*;
    use crate::positions::Sample;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn failover(facts: &[(&str, &str)]) -> Execution {
        let mut execution = Execution::default();
        let step = |id: &str, node: &str, from: i64, to: i64| StepView {
            step: Some(Step { id: id.into(), node: node.into(), changes_target: true, ..Default::default() }),
            attempts: 1,
            started_at: Some(to_pb(at(from))),
            finished_at: Some(to_pb(at(to))),
            ..Default::default()
        };
        execution.view.steps = vec![step("prepare", "b", 95, 96), step("fence-primary", "a", 100, 102)];
        execution.view.started =
            Some(ExecutionStarted { from_node: "a".into(), confirmed_at: Some(to_pb(at(90))), ..Default::default() });
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        execution.facts.insert(String::new(), facts);
        execution
    }

    fn told(execution: &Execution) -> Told<'_> {
        Told { from_node: "a", facts: execution.facts_of(""), steps: execution.view.steps.iter().collect() }
    }

    fn lost(execution: &Execution, primary: &History) -> LossStatement {
        loss(&told(execution), primary)
    }

    fn seen(samples: &[(i64, u64)]) -> History {
        let samples =
            samples.iter().map(|(second, lsn)| Sample { since: at(*second), timeline: 1, lsn: *lsn }).collect();
        History { samples, ..History::default() }
    }

    const RECEIVED: &[(&str, &str)] = &[(fact::OLD_TIMELINE, "1"), (fact::TARGET_RECEIVE_LSN, "0/64")];

    #[test]
    fn the_window_runs_from_the_last_look_that_the_target_covers_to_the_fence() {
        let statement = lost(&failover(RECEIVED), &seen(&[(10, 50), (20, 100), (30, 160)]));
        assert_eq!(statement.certainty(), LossCertainty::Bounded);
        assert_eq!(from_pb(statement.caught_up_to.as_ref()), Some(at(20)));
        assert_eq!(duration_from_pb(statement.window.as_ref()), Some(SignedDuration::from_secs(82)));
        assert_eq!(statement.missing_bytes, Some(60));
    }

    #[test]
    fn a_look_after_the_fence_or_on_another_timeline_covers_nothing() {
        let mut history = seen(&[(10, 50), (103, 90)]);
        history.samples.insert(1, Sample { since: at(60), timeline: 2, lsn: 60 });
        let statement = lost(&failover(RECEIVED), &history);
        assert_eq!(from_pb(statement.caught_up_to.as_ref()), Some(at(10)));
    }

    #[test]
    fn without_a_look_that_is_covered_the_last_commit_bounds_it_and_without_that_nothing_does() {
        let behind = seen(&[(10, 500)]);
        assert_eq!(lost(&failover(RECEIVED), &behind).certainty(), LossCertainty::Unknown);
        assert_eq!(lost(&failover(RECEIVED), &History::default()).certainty(), LossCertainty::Unknown);
        let commit = at(5).to_string();
        let facts = [RECEIVED, &[(fact::TARGET_LAST_COMMIT_AT, commit.as_str())]].concat();
        let statement = lost(&failover(&facts), &behind);
        assert_eq!(from_pb(statement.caught_up_to.as_ref()), Some(at(5)));
        assert!(statement.limits.iter().any(|limit| limit.contains("own clock")));
    }

    #[test]
    fn zero_is_claimed_only_behind_a_clean_stop() {
        let facts = [RECEIVED, &[(fact::SHUTDOWN_LSN, "0/60"), (fact::TARGET_REPLAY_LSN, "0/64")]].concat();
        assert_eq!(lost(&failover(&facts), &History::default()).certainty(), LossCertainty::ProvenNone);
        let facts = [RECEIVED, &[(fact::SHUTDOWN_LSN, "0/64"), (fact::TARGET_REPLAY_LSN, "0/64")]].concat();
        assert_ne!(lost(&failover(&facts), &seen(&[(10, 50)])).certainty(), LossCertainty::ProvenNone);
        assert_eq!(lost(&failover(&[]), &seen(&[(10, 50)])).certainty(), LossCertainty::Unknown);
    }

    #[test]
    fn an_outage_found_by_a_successor_begins_with_the_first_claim() {
        let (stopped, writable) = (at(101).to_string(), at(110).to_string());
        let mut execution = failover(&[(fact::STOPPED_AT, &stopped), (fact::WRITABLE_AT, &writable)]);
        assert_eq!(told(&execution).write_outage(None), Some(SignedDuration::from_secs(9)));
        execution.view.steps[1].attempts = 2;
        assert_eq!(told(&execution).write_outage(None), Some(SignedDuration::from_secs(10)));
        execution.facts.get_mut("").unwrap().remove(fact::WRITABLE_AT);
        assert_eq!(told(&execution).write_outage(None), None);
    }

    #[test]
    fn the_outage_of_a_lost_primary_begins_where_it_was_seen_last() {
        let (stopped, writable) = (at(101).to_string(), at(110).to_string());
        let execution = failover(&[(fact::STOPPED_AT, &stopped), (fact::WRITABLE_AT, &writable)]);
        let outage = |lost: &History| told(&execution).write_outage(Some(lost));
        assert_eq!(outage(&seen(&[(10, 50), (40, 60), (105, 70)])), Some(SignedDuration::from_secs(70)));
        assert_eq!(outage(&History::default()), None, "nobody looked: a guess would be too short");
    }
}
