//! RTO and RPO against their targets, and what can be said about lost data. Unknown is never zero, and never "met".

use muster_domain::pb::{
    common::v1::{LossCertainty, LossStatement},
    execution::v1::{ExecutionView, MemberOutcome},
};

use super::{
    make::seconds,
    model::{Loss, Objective},
};

/// How each resource came out, whatever the end was.
pub(super) fn outcomes(run: &ExecutionView) -> &[MemberOutcome] {
    match (&run.succeeded, &run.failed, &run.stopped) {
        (Some(end), _, _) => &end.members,
        (_, Some(end), _) => &end.members,
        (_, _, Some(end)) => &end.members,
        (None, None, None) => &[],
    }
}

pub(super) fn of(run: &ExecutionView) -> Vec<Objective> {
    let Some(started) = &run.started else { return Vec::new() };
    let scope = if started.group.is_empty() { &started.resource } else { &started.group };
    let measured = run.succeeded.as_ref().and_then(|end| seconds(end.rto_measured.as_ref()));
    let how = "from the confirmation until the target was seen healthy";
    let mut all = vec![objective("RTO", scope, seconds(started.rto_target.as_ref()), measured, how)];
    for member in &started.members {
        let outcome = outcomes(run).iter().find(|outcome| outcome.resource == member.resource);
        if started.members.len() > 1 {
            let measured = outcome.and_then(|outcome| seconds(outcome.rto_measured.as_ref()));
            all.push(objective("RTO", &member.resource, seconds(member.rto_target.as_ref()), measured, how));
        }
        let target = seconds(member.rpo_target.as_ref());
        let copy = run.copies.iter().find(|copy| copy.resource == member.resource);
        all.push(match (outcome.and_then(|outcome| outcome.loss.as_ref()), copy) {
            (Some(loss), _) => {
                objective("RPO", &member.resource, target, window(loss), "the loss statement's upper bound")
            }
            (None, Some(copy)) => {
                let measured = seconds(copy.loss_window.as_ref());
                let how = format!("age of the newest data in the copy from {}", copy.source);
                objective("RPO", &member.resource, target, measured, &how)
            }
            (None, None) => objective("RPO", &member.resource, target, None, "nothing was moved or restored"),
        });
    }
    if started.members.is_empty() {
        // Runs recorded before members were: the run's own statement.
        let loss = loss_of_run(run);
        let how = if loss.is_some() { "the loss statement's upper bound" } else { "nothing was moved or restored" };
        all.push(objective("RPO", scope, seconds(started.rpo_target.as_ref()), loss.and_then(window), how));
    }
    all
}

/// `None`: nothing bounds it.
fn window(loss: &LossStatement) -> Option<f64> {
    match loss.certainty() {
        LossCertainty::ProvenNone | LossCertainty::Bounded => seconds(loss.window.as_ref()),
        LossCertainty::Unknown | LossCertainty::Unspecified => None,
    }
}

fn objective(name: &'static str, of: &str, target: Option<f64>, measured: Option<f64>, how: &str) -> Objective {
    let verdict = match (target, measured) {
        (_, None) => "not measured",
        (None, Some(_)) => "no target",
        (Some(target), Some(measured)) if measured <= target => "met",
        (Some(_), Some(_)) => "missed",
    };
    Objective {
        objective: name,
        of: of.to_owned(),
        target_seconds: target,
        measured_seconds: measured,
        verdict,
        how: how.to_owned(),
    }
}

fn loss_of_run(run: &ExecutionView) -> Option<&LossStatement> {
    let of_end = [
        run.succeeded.as_ref().and_then(|end| end.loss.as_ref()),
        run.failed.as_ref().and_then(|end| end.loss.as_ref()),
        run.stopped.as_ref().and_then(|end| end.loss.as_ref()),
    ];
    of_end.into_iter().flatten().next()
}

/// The statement of each resource; of a run without resources, its own.
pub(super) fn losses(run: &ExecutionView) -> Vec<Loss> {
    let of_members: Vec<Loss> =
        outcomes(run).iter().filter_map(|outcome| Some(loss(&outcome.resource, outcome.loss.as_ref()?))).collect();
    if !of_members.is_empty() {
        return of_members;
    }
    let scope = run.started.as_ref().map(|started| started.resource.clone()).unwrap_or_default();
    loss_of_run(run).map(|statement| loss(&scope, statement)).into_iter().collect()
}

fn loss(of: &str, statement: &LossStatement) -> Loss {
    Loss {
        of: of.to_owned(),
        certainty: match statement.certainty() {
            LossCertainty::ProvenNone => "proven none",
            LossCertainty::Bounded => "bounded",
            LossCertainty::Unknown | LossCertainty::Unspecified => "unknown",
        },
        text: statement.text.clone(),
        window_seconds: seconds(statement.window.as_ref()),
        missing_bytes: statement.missing_bytes,
        limits: statement.limits.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::{
        pb::execution::v1::{ExecutionStarted, ExecutionSucceeded, Member},
        time::duration_to_pb,
    };

    use super::*;

    fn run(rto: Option<i64>, loss: Option<LossStatement>) -> ExecutionView {
        let seconds = |seconds| Some(duration_to_pb(jiff::SignedDuration::from_secs(seconds)));
        let member = Member { resource: "orders-db".into(), rpo_target: seconds(60), ..Default::default() };
        let started = ExecutionStarted {
            resource: "orders-db".into(),
            rto_target: seconds(300),
            members: vec![member],
            ..Default::default()
        };
        let outcome = MemberOutcome { resource: "orders-db".into(), loss, ..Default::default() };
        let succeeded =
            ExecutionSucceeded { rto_measured: rto.and_then(seconds), members: vec![outcome], ..Default::default() };
        ExecutionView { started: Some(started), succeeded: Some(succeeded), ..Default::default() }
    }

    fn verdicts(run: &ExecutionView) -> Vec<(&'static str, &'static str)> {
        of(run).iter().map(|one| (one.objective, one.verdict)).collect()
    }

    #[test]
    fn unknown_is_neither_zero_nor_met() {
        let unknown = LossStatement { certainty: LossCertainty::Unknown.into(), ..Default::default() };
        assert_eq!(verdicts(&run(None, Some(unknown))), [("RTO", "not measured"), ("RPO", "not measured")]);
        assert_eq!(verdicts(&run(Some(300), None)), [("RTO", "met"), ("RPO", "not measured")]);
        let late = LossStatement {
            certainty: LossCertainty::Bounded.into(),
            window: Some(duration_to_pb(jiff::SignedDuration::from_secs(61))),
            ..Default::default()
        };
        assert_eq!(verdicts(&run(Some(301), Some(late))), [("RTO", "missed"), ("RPO", "missed")]);
    }

    #[test]
    fn without_a_target_nothing_is_met() {
        let mut run = run(Some(1), None);
        run.started.as_mut().unwrap().rto_target = None;
        assert_eq!(verdicts(&run)[0], ("RTO", "no target"));
    }
}
