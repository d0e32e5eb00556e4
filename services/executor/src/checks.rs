//! The executor's own checks, beside the platforms': is this run what people approved, now, and alone; and what must hold
//! for a run of its type, before and after.

use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    Refusal,
    execution::{self, Execution},
    pb::{
        common::v1::Marker,
        execution::v1::{Check, CheckOutcome, CheckPhase},
        request::v1::{RequestOpened, RequestType},
    },
    refusal::describe,
    request::{self, Request, Witness},
    time::{from_pb, humane},
};

use crate::{
    compile::is_there,
    error::RunError,
    leg::Leg,
    reserve::reserves,
    run::{Run, in_time, markers_of},
};

/// A confirmation is a "now". One that nobody acted on for longer (no executor was there) is not acted on any more.
const FRESH_FOR: SignedDuration = SignedDuration::from_mins(15);

impl Run<'_> {
    /// Ours first. Without them nothing even logs in to a target.
    pub(crate) async fn precheck(&self) -> Result<(), RunError> {
        let mut found = self.permissions().await?;
        if execution::blocking(&found).is_empty() {
            let mut theirs = self.of_members().await;
            if let Some(confirmed) = &self.request.view.confirmed {
                request::apply_overrides(&mut theirs, confirmed);
            }
            found.extend(theirs);
        }
        let now = self.executor.ctx.clock.now();
        self.decide(|execution, me| execution::record_checks(execution, me, CheckPhase::Before, found.clone(), now))
            .await?;
        Ok(())
    }

    /// Whether this is what people approved, just confirmed, and alone.
    async fn permissions(&self) -> Result<Vec<Check>, RunError> {
        let opened = &self.opened;
        let witness = self.executor.ctx.log.witness(&self.key.tenant, &self.request).await?;
        let mut found = vec![approvals(&self.request, &witness)];
        found.push(as_approved(opened, self.documents.as_approved(opened)));
        found.push(confirmation(&self.request, self.executor.ctx.clock.now()));
        if reserves(self.request_type()) || self.request_type() == RequestType::IsolatedDrill {
            found.push(reservation(self.reserve().await?));
            found.extend(self.neighbours(self.request_type()).await?);
        }
        Ok(found)
    }

    /// What the platforms say, each resource by itself and all side by side.
    pub(crate) async fn of_members(&self) -> Vec<Check> {
        if self.request_type() == RequestType::IsolatedDrill {
            return self.before_copies().await;
        }
        let looked = self.resources().map(|leg| async move {
            let job = match &leg.job {
                Ok(job) => job,
                Err(error) => return vec![of(leg, unknown("platform_answers", "an answer", error.to_string()))],
            };
            if leg.member.there_already {
                let (markers, _) = markers_of(leg).await;
                return vec![of(leg, there_already(leg, &markers))];
            }
            let mut checks = match leg.returns_first {
                // The move's own come once the node is there again: see `inner::Kind::Ready`.
                true => in_time(job.mover.way_home_checks(&job.job)).await,
                false => in_time(job.mover.prechecks(&job.job)).await,
            };
            if self.request_type() == RequestType::Failback {
                checks.push(original_site(leg, self));
                let status = sync_status(&markers_of(leg).await);
                checks.push(if leg.returns_first { not_following(leg, status) } else { status });
            }
            checks.into_iter().map(|check| of(leg, check)).collect()
        });
        let found: Vec<Vec<Check>> = futures::future::join_all(looked).await;
        let mut found: Vec<Check> = found.into_iter().flatten().collect();
        if self.legs.is_empty() {
            found.push(nothing_is_touched());
        }
        found
    }

    pub(crate) async fn postcheck(&self, execution: &Execution) -> Result<(), RunError> {
        let mut found = match self.request_type() {
            RequestType::TabletopDrill => vec![nothing_is_touched()],
            RequestType::ReadinessDrill => vec![roles_as_before(execution)],
            RequestType::IsolatedDrill => {
                let mut found = vec![roles_as_before(execution)];
                found.extend(copies(execution));
                found
            }
            _ => self.after_moves(execution).await,
        };
        found.extend(self.compare_integrity(execution));
        if let Some(confirmed) = &self.request.view.confirmed {
            request::apply_overrides(&mut found, confirmed);
        }
        let now = self.executor.ctx.clock.now();
        self.decide(|execution, me| execution::record_checks(execution, me, CheckPhase::After, found.clone(), now))
            .await?;
        Ok(())
    }

    /// Of each resource the last move: a live drill has left its first half behind.
    async fn after_moves(&self, execution: &Execution) -> Vec<Check> {
        let legs: Vec<&Leg> = self.legs.iter().collect();
        let is_last = |index: usize, leg: &Leg| {
            !legs[index + 1..]
                .iter()
                .any(|later| later.resource() == leg.resource() && later.steps(execution).next().is_some())
        };
        let last = legs.iter().enumerate().filter(|(index, leg)| is_last(*index, leg)).map(|(_, leg)| *leg);
        let looked = last.map(|leg| async move {
            let job = match &leg.job {
                Ok(job) => job,
                Err(error) => return vec![of(leg, unknown("platform_answers", "an answer", error.to_string()))],
            };
            if leg.steps(execution).next().is_none() {
                let (markers, _) = markers_of(leg).await;
                return vec![of(leg, there_already(leg, &markers))];
            }
            let mut checks = in_time(job.mover.postchecks(&job.job, &leg.facts(execution))).await;
            if self.request_type() == RequestType::Failback {
                checks.push(protection(leg, &markers_of(leg).await.0));
            }
            checks.into_iter().map(|check| of(leg, check)).collect()
        });
        let found: Vec<Vec<Check>> = futures::future::join_all(looked).await;
        found.into_iter().flatten().collect()
    }
}

fn approvals(request: &Request, witness: &Witness) -> Check {
    let found = request::proven_by(request, witness).map(|(_, confirmed)| match confirmed.break_glass {
        true => format!("break-glass, missing: {}", confirmed.missing.join(", ")),
        false => format!("{} approvals, phrase typed", confirmed.approvals.len()),
    });
    judge("approvals_are_complete", "every approval of the policy", found)
}

/// A single resource without a plan is bound by its version alone; everything else by the hash of all documents.
fn as_approved(opened: &RequestOpened, unchanged: Result<(), Refusal>) -> Check {
    let plan = opened.plan.as_ref().filter(|plan| !opened.group.is_empty() || !plan.name.is_empty());
    let (name, limit) = match plan {
        Some(plan) => ("plan_is_as_approved", plan.hash.clone()),
        None => ("resource_is_as_approved", format!("version {}", opened.resource_version)),
    };
    judge(name, &limit, unchanged.map(|()| limit.clone()))
}

fn reservation(reserved: Result<(), Refusal>) -> Check {
    judge("resource_is_free", "no other run", reserved.map(|()| "reserved for this run".to_owned()))
}

/// The check is about that resource.
fn of(leg: &Leg, check: Check) -> Check {
    Check { resource: leg.resource().to_owned(), ..check }
}

fn there_already(leg: &Leg, markers: &[Marker]) -> Check {
    let site = &leg.member.target_site;
    let name = "runs_at_target";
    if !is_there(&leg.member, markers) {
        return failed(name, "not there", site, format!("it ran at {site} when the run began, and does not any more"));
    }
    let follows = markers.iter().any(|marker| marker.node == leg.member.from_node && marker.role == "standby");
    if follows {
        return passed(name, format!("{} is the primary", leg.member.target_node), site, "there already, not moved");
    }
    let text = format!("there already, not moved; {} does not answer as a standby", leg.member.from_node);
    Check { outcome: CheckOutcome::Warning.into(), ..passed(name, "there, without a standby", site, text) }
}

fn original_site(leg: &Leg, run: &Run<'_>) -> Check {
    let name = "original_site";
    let spec = run.documents.resource(leg.resource(), leg.member.resource_version);
    match spec {
        Ok(spec) if spec.primary_site == leg.member.target_site => {
            passed(name, &spec.primary_site, &spec.primary_site, "it goes back to where it normally runs")
        }
        Ok(spec) => failed(
            name,
            &leg.member.target_site,
            &spec.primary_site,
            "a failback goes to the resource's primary site; for the other way request a switchover".to_owned(),
        ),
        Err(error) => unknown(name, "the primary site", error.to_string()),
    }
}

/// For people: how far each side is. Whether that is enough, the platform's own checks say.
fn sync_status((markers, missing): &(Vec<Marker>, Vec<String>)) -> Check {
    let seen: Vec<String> =
        markers.iter().map(|m| format!("{} ({}, {}) is at {}", m.node, m.site, m.role, m.lsn)).collect();
    let text =
        if missing.is_empty() { seen.join(", ") } else { format!("{}; {}", seen.join(", "), missing.join("; ")) };
    let outcome = if missing.is_empty() { CheckOutcome::Passed } else { CheckOutcome::Unknown };
    let check = passed("sync_status", seen.join(", "), "both sides answer", text);
    Check { outcome: outcome.into(), ..check }
}

/// That one side does not answer is why it is brought back: it is told, and in the way of nothing.
fn not_following(leg: &Leg, status: Check) -> Check {
    let node = &leg.member.target_node;
    Check {
        outcome: CheckOutcome::Warning.into(),
        limit: "it follows before it is moved to".into(),
        text: format!("{node} does not follow: it is brought back first. {}", status.text),
        ..status
    }
}

/// A failback has its end when the other side follows again.
fn protection(leg: &Leg, markers: &[Marker]) -> Check {
    let role = |node: &str| markers.iter().find(|marker| marker.node == node).map_or("no answer", |m| m.role.as_str());
    let (target, other) = (role(&leg.member.target_node), role(&leg.member.from_node));
    let value = format!("{} {target}, {} {other}", leg.member.target_node, leg.member.from_node);
    match (target, other) {
        ("primary", "standby") => passed("protection_is_back", value, "a primary and a standby", "protected again"),
        _ => failed("protection_is_back", value, "a primary and a standby", "it is not protected yet".to_owned()),
    }
}

fn roles_as_before(execution: &Execution) -> Check {
    let roles = |markers: &[Marker]| {
        let mut roles: Vec<String> = markers.iter().map(|m| format!("{} {}", m.node, m.role)).collect();
        roles.sort();
        roles.join(", ")
    };
    let (before, after) = (roles(&execution.view.markers_before), roles(&execution.view.markers_after));
    if before == after {
        return passed("production_is_as_before", after, &before, "the drill changed nothing that serves");
    }
    let text = "a role changed while the drill ran: the drill did not do that; look who did".to_owned();
    failed("production_is_as_before", after, &before, text)
}

/// Each copy was removed, and that was looked at.
fn copies(execution: &Execution) -> Vec<Check> {
    let of_copy = |copy: &muster_domain::pb::execution::v1::DrillCopy| {
        let resource = copy.resource.clone();
        copy.teardown
            .iter()
            .cloned()
            .map(move |check| Check { resource: resource.clone(), ..check })
            .collect::<Vec<_>>()
    };
    execution.view.copies.iter().flat_map(of_copy).collect()
}

fn nothing_is_touched() -> Check {
    let text = "no account was read and no server asked: people talk the plan through";
    passed("nothing_is_touched", "nothing", "nothing", text)
}

/// "target_streams (the target receives nothing); …"
pub(crate) fn list(checks: &[&Check]) -> String {
    let named = |check: &&Check| match check.resource.as_str() {
        "" => format!("{} ({})", check.name, check.text),
        resource => format!("{resource}: {} ({})", check.name, check.text),
    };
    checks.iter().map(named).collect::<Vec<_>>().join("; ")
}

pub(crate) fn passed(name: &str, value: impl Into<String>, limit: &str, text: impl Into<String>) -> Check {
    Check {
        name: name.into(),
        outcome: CheckOutcome::Passed.into(),
        value: value.into(),
        limit: limit.into(),
        text: text.into(),
        ..Check::default()
    }
}

pub(crate) fn failed(name: &str, value: impl Into<String>, limit: &str, text: String) -> Check {
    Check { outcome: CheckOutcome::Failed.into(), ..passed(name, value, limit, text) }
}

pub(crate) fn unknown(name: &str, limit: &str, text: String) -> Check {
    Check { outcome: CheckOutcome::Unknown.into(), ..passed(name, "unknown", limit, text) }
}

pub(crate) fn confirmation(request: &Request, now: Timestamp) -> Check {
    let confirmed = request.view.confirmed.as_ref().and_then(|confirmed| from_pb(confirmed.confirmed_at.as_ref()));
    let age = confirmed.map(|at| now.duration_since(at));
    let check = Check {
        name: "confirmation_is_fresh".into(),
        limit: format!("at most {}", humane(FRESH_FOR)),
        ..Check::default()
    };
    match age {
        Some(age) if age <= FRESH_FOR => Check {
            outcome: CheckOutcome::Passed.into(),
            value: humane(age),
            text: "it was confirmed just now".into(),
            ..check
        },
        Some(age) => Check {
            outcome: CheckOutcome::Failed.into(),
            value: humane(age),
            text: "no executor was there to begin it in time, and things may have changed since: open a new request"
                .into(),
            ..check
        },
        None => Check {
            outcome: CheckOutcome::Unknown.into(),
            text: "the log does not say when it was confirmed".into(),
            ..check
        },
    }
}

fn judge(name: &str, limit: &str, found: Result<String, Refusal>) -> Check {
    let (outcome, value, text) = match found {
        Ok(value) => (CheckOutcome::Passed, value, "as it must be".to_owned()),
        Err(refusal) => (CheckOutcome::Failed, refusal.value.clone(), describe(&refusal)),
    };
    Check { name: name.into(), outcome: outcome.into(), value, limit: limit.into(), text, ..Check::default() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::{pb::request::v1::RequestConfirmed, time::to_pb};

    use super::*;

    #[test]
    fn yesterdays_confirmation_starts_nothing_today() {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let confirmed_ago = |ago: SignedDuration| {
            let mut request = Request::default();
            request.view.confirmed =
                Some(RequestConfirmed { confirmed_at: Some(to_pb(now - ago)), ..Default::default() });
            confirmation(&request, now).outcome()
        };
        assert_eq!(confirmed_ago(SignedDuration::from_secs(2)), CheckOutcome::Passed);
        assert_eq!(confirmed_ago(FRESH_FOR + SignedDuration::from_secs(1)), CheckOutcome::Failed);
        assert_eq!(confirmation(&Request::default(), now).outcome(), CheckOutcome::Unknown);
    }
}
