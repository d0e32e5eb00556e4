//! The readiness rules: facts and limits to a status with reasons and numbers. Pure, and strict in
//! one direction: whatever is missing, contradictory or old makes the status worse.

use jiff::{SignedDuration, Timestamp};

use super::code::{Code, Finding};
use super::knowledge::CLOCK_TOLERANCE;
use super::replication::{Link, Replication, Role, Side};
use super::thresholds::Limits;
use super::{loss, severity, worse};
use crate::pb::common::v1::Reason;
use crate::pb::readiness::v1::{AlertKind, Assessment, Status};
use crate::statement;
use crate::time::{duration_to_pb, from_pb, humane, to_pb};

/// Judges the newest look as of `now`. `age` is how old that look is by the monitor's clock.
pub fn assess(replication: &Replication, age: SignedDuration, limits: &Limits, now: Timestamp) -> Assessment {
    let age = age.max(SignedDuration::ZERO);
    let rpo = rpo_now(replication, age);
    let mut findings = replication.findings.clone();
    findings.extend(replication.sides.iter().flat_map(|side| unseen(side, age, limits)));
    findings.extend(stale(age, limits));
    findings.extend(apply_lag(replication, limits));
    findings.extend(rpo_finding(replication, rpo, age, limits));
    let proven = replication.full_sight && replication.link == Link::Live && rpo.is_some() && age <= limits.stale_after;
    if worst(&findings) == Status::Green && !proven {
        // No rule above may let this happen; if one does, it is unknown and not green.
        findings.push(Finding::new(Code::RpoUnknown, "Not enough was seen to call this ready."));
    }
    let status = worst(&findings);
    Assessment {
        status: status.into(),
        reasons: reasons(findings),
        rpo_now: rpo.map(duration_to_pb),
        not_received_bytes: replication.not_received_bytes,
        not_applied_bytes: replication.not_applied_bytes,
        primary: replication.primary.clone(),
        standby: replication.standby.clone(),
        loss: Some(loss::statement(replication, age, now)),
        observed_at: Some(to_pb(replication.observed_at)),
    }
}

/// The judgement on a resource nobody has looked at yet.
pub fn never_observed() -> Assessment {
    let text = "No observation of this resource has arrived yet.";
    Assessment {
        status: Status::Unknown.into(),
        reasons: vec![Finding::new(Code::NeverObserved, text).into_reason()],
        loss: Some(statement::unknown("the resource has never been observed")),
        ..Assessment::default()
    }
}

/// Brings an assessment made earlier to `now`: what has become too old degrades, and the loss window
/// has grown. Used where an answer is given, so that it holds even if nothing else runs any more.
pub fn degrade(mut assessment: Assessment, limits: &Limits, now: Timestamp) -> Assessment {
    let Some(observed_at) = from_pb(assessment.observed_at.as_ref()) else { return assessment };
    let age = now.duration_since(observed_at);
    let mut added: Vec<Finding> = stale(age, limits).into_iter().collect();
    if age < -CLOCK_TOLERANCE {
        let text = format!(
            "The newest observation is {} in the future: a clock went back, its age is not known.",
            humane(-age)
        );
        added.push(Finding::new(Code::ClockAhead, text));
    }
    if !added.is_empty() {
        let before = assessment.status();
        assessment.reasons.retain(|r| !added.iter().any(|f| f.code.name() == r.code));
        assessment.reasons.retain(|r| r.code != Code::RpoOk.name());
        assessment.status = worse(before, worst(&added)).into();
        let mut all = reasons(added);
        all.append(&mut assessment.reasons);
        assessment.reasons = sorted(all);
    }
    assessment.loss = assessment.loss.map(|l| loss::grow(l, now));
    assessment
}

/// The status to show and to record when the recorded one may not improve yet.
pub fn hold(mut assessment: Assessment, recorded: Status, recover_for: SignedDuration) -> Assessment {
    if severity(recorded) <= severity(assessment.status()) || recorded == Status::Unspecified {
        return assessment;
    }
    assessment.status = recorded.into();
    let text = format!(
        "{} is held until both sides have been seen better for {} without a break.",
        status_word(recorded),
        humane(recover_for)
    );
    assessment.reasons.retain(|r| r.code != Code::StatusHeld.name());
    assessment.reasons.insert(0, Finding::new(Code::StatusHeld, text).into_reason());
    assessment
}

pub fn status_word(status: Status) -> &'static str {
    match status {
        Status::Green => "Green",
        Status::Yellow => "Yellow",
        Status::Red => "Red",
        Status::Unknown | Status::Unspecified => "Unknown",
    }
}

/// The same judgement, told to people who hear of one alert: what the alert is about comes first.
pub fn told_for(mut assessment: Assessment, kind: AlertKind) -> Assessment {
    assessment.reasons.sort_by_key(|r| Code::by_name(&r.code).and_then(Code::alert) != Some(kind));
    assessment
}

/// The codes of an assessment, as far as this version knows them.
pub fn codes(assessment: &Assessment) -> impl Iterator<Item = Code> {
    assessment.reasons.iter().filter_map(|r| Code::by_name(&r.code))
}

/// Both sides were seen, freshly, and nothing needed was hidden.
pub fn sighted(assessment: &Assessment) -> bool {
    assessment.observed_at.is_some() && !codes(assessment).any(|c| c.alert() == Some(AlertKind::LostSight))
}

// ---- RPO ----

/// The indicator. While log flows it is as of the look; while it is known not to flow, it grows with
/// time, whether the primary writes or not. Otherwise it is not known.
fn rpo_now(r: &Replication, age: SignedDuration) -> Option<SignedDuration> {
    match r.link {
        Link::Live if r.full_sight => r.caught_up_ago,
        Link::Severed => r.caught_up_ago.map(|ago| ago.saturating_add(age)),
        _ => None,
    }
}

fn rpo_finding(r: &Replication, rpo: Option<SignedDuration>, age: SignedDuration, limits: &Limits) -> Option<Finding> {
    let Some(rpo) = rpo else {
        // Where something else is wrong, that is the reason; here log flows and still nothing is known.
        let unexplained = r.link == Link::Live && r.full_sight;
        let text = "No position of the primary is known that the standby holds, so the RPO indicator is not known.";
        return unexplained.then(|| {
            Finding::new(Code::RpoUnknown, text).measured(
                "rpo_seconds",
                None,
                Some(limits.rpo_breach.as_secs_f64()),
                "s",
            )
        });
    };
    let (code, limit, words) = if rpo > limits.rpo_breach {
        (Code::RpoBreach, limits.rpo_breach, "above the limit of")
    } else if rpo > limits.rpo_warning {
        (Code::RpoWarning, limits.rpo_warning, "above the warning limit of")
    } else if age <= limits.stale_after {
        (Code::RpoOk, limits.rpo_breach, "within the limit of")
    } else {
        // It was within the limit when it was last seen, and that says nothing about now.
        return None;
    };
    let text = format!("RPO indicator {} is {words} {}.", humane(rpo), humane(limit));
    Some(
        Finding::new(code, text)
            .measured("rpo_seconds", Some(rpo.as_secs_f64()), Some(limit.as_secs_f64()), "s")
            .measured("not_received_bytes", r.not_received_bytes.map(|b| b as f64), None, "bytes"),
    )
}

fn apply_lag(r: &Replication, limits: &Limits) -> Option<Finding> {
    let bytes = r.not_applied_bytes.filter(|b| *b > limits.unapplied_bytes_warning)?;
    Some(
        Finding::new(
            Code::ApplyLag,
            format!("{bytes} bytes are received and not applied: a failover would have to wait for them."),
        )
        .measured(
            "not_applied_bytes",
            Some(bytes as f64),
            Some(limits.unapplied_bytes_warning as f64),
            "bytes",
        ),
    )
}

// ---- sight ----

fn unseen(side: &Side, age: SignedDuration, limits: &Limits) -> Vec<Finding> {
    if side.seen {
        return Vec::new();
    }
    let code = match side.role {
        Role::Primary => Code::PrimaryUnreachable,
        Role::Standby => Code::StandbyUnreachable,
    };
    let unseen_for = side.unseen_for.map(|d| d.saturating_add(age));
    let since = unseen_for.map_or_else(|| "it has never been seen".into(), |d| format!("last seen {} ago", humane(d)));
    let (role, node, site) = (side.role.word(), &side.node, &side.site);
    let seconds = unseen_for.map(|d| d.as_secs_f64());
    let limit = Some(limits.lost_after.as_secs_f64());
    let mut findings =
        vec![Finding::new(code, format!("The {role} {node} on site {site} cannot be seen; {since}.")).measured(
            "unseen_seconds",
            seconds,
            limit,
            "s",
        )];
    if unseen_for.is_none_or(|d| d > limits.lost_after) {
        findings.push(
            Finding::new(Code::SightLost, format!("Sight of {node} on site {site} is lost; {since}.")).measured(
                "unseen_seconds",
                seconds,
                limit,
                "s",
            ),
        );
    }
    findings
}

fn stale(age: SignedDuration, limits: &Limits) -> Option<Finding> {
    let (code, limit, words) = if age > limits.lost_after {
        (Code::SightLost, limits.lost_after, "sight is lost")
    } else if age > limits.stale_after {
        (Code::ObservationStale, limits.stale_after, "it is stale")
    } else {
        return None;
    };
    Some(Finding::new(code, format!("The newest observation is {} old: {words}.", humane(age))).measured(
        "observation_age_seconds",
        Some(age.as_secs_f64()),
        Some(limit.as_secs_f64()),
        "s",
    ))
}

// ---- putting together ----

fn worst(findings: &[Finding]) -> Status {
    findings.iter().map(|f| f.code.status()).fold(Status::Green, worse)
}

/// One reason per code, with the words and numbers of all of its findings; worst first.
fn reasons(findings: Vec<Finding>) -> Vec<Reason> {
    let mut kept: Vec<Finding> = Vec::new();
    for finding in findings {
        match kept.iter_mut().find(|k| k.code == finding.code) {
            None => kept.push(finding),
            Some(known) if known.text != finding.text => {
                known.text = format!("{} {}", known.text, finding.text);
                known.measurements.extend(finding.measurements);
            }
            Some(_) => {}
        }
    }
    sorted(kept.into_iter().map(Finding::into_reason).collect())
}

fn sorted(mut reasons: Vec<Reason>) -> Vec<Reason> {
    let rank = |r: &Reason| Code::by_name(&r.code).map_or(u8::MAX, |c| severity(c.status()));
    reasons.sort_by_key(|r| std::cmp::Reverse(rank(r)));
    reasons
}
