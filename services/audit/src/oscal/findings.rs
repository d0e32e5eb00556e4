//! What one run says about control objectives. Only what was tested is determined: unknown is never "satisfied".

use muster_domain::{
    pb::{execution::v1::CheckOutcome, request::v1::RequestType},
    plan::proves,
    time::duration_from_pb,
};

use super::{
    GapStory, Logged, Run,
    gaps::risk_without_gap,
    model::*,
    observations::{Observations, Observer, is_from_backup, losses_of, meets, target_of},
    run::End,
    text::code,
};

/// One objective, decided.
struct Determination {
    objective: &'static str,
    title: &'static str,
    verdict: Verdict,
    seen: Vec<ObservationRef>,
    /// The event that decided it.
    event: Logged,
}

enum Verdict {
    Satisfied,
    NotSatisfied(String),
    /// It was tried and nobody can tell.
    Inconclusive(String),
}

impl Verdict {
    fn when(met: bool, otherwise: impl FnOnce() -> String) -> Self {
        if met { Self::Satisfied } else { Self::NotSatisfied(otherwise()) }
    }
}

/// The findings of one run, and the risks they name. `gaps`: those of this request.
pub(crate) fn findings(
    run: &Run,
    gaps: &[&GapStory],
    found: &mut Observations,
    observer: &mut Observer<'_, '_>,
) -> (Vec<Finding>, Vec<Risk>) {
    let mut risks: Vec<Risk> = gaps.iter().map(|gap| gap.risk(observer, found)).collect();
    let mut findings = Vec::new();
    for decided in determinations(run, gaps, found) {
        let scope = observer.evidence.scope();
        let (state, reason, remarks) = match &decided.verdict {
            Verdict::Satisfied => ("satisfied", "pass", None),
            Verdict::NotSatisfied(why) => ("not-satisfied", "fail", Some(why.clone())),
            Verdict::Inconclusive(why) => ("not-satisfied", "other", Some(why.clone())),
        };
        let related_risks = remarks.as_ref().map(|why| {
            let gap = gaps.iter().find(|gap| gap.opened.objectives.iter().any(|o| o == decided.objective));
            match gap.or_else(|| gaps.first()) {
                Some(gap) => RiskRef { risk_uuid: gap.risk_uuid(observer.evidence) },
                None => {
                    let risk =
                        risk_without_gap(observer, &decided.event, decided.objective, why.clone(), &decided.seen);
                    let reference = RiskRef { risk_uuid: risk.uuid.clone() };
                    risks.push(risk);
                    reference
                }
            }
        });
        findings.push(Finding {
            uuid: scope.of_subject("finding", &format!("run/{}/{}", run.request_id, decided.objective)),
            title: decided.title.into(),
            description: format!(
                "Objective {}, as request {} shows it.",
                code(decided.objective),
                code(&run.request_id)
            ),
            origins: vec![observer.origin.clone()],
            target: FindingTarget {
                r#type: "objective-id",
                target_id: decided.objective.into(),
                status: FindingStatus { state, reason, remarks },
            },
            related_observations: decided.seen,
            related_risks: related_risks.into_iter().collect(),
        });
    }
    (findings, risks)
}

fn determinations(run: &Run, gaps: &[&GapStory], found: &Observations) -> Vec<Determination> {
    let all = [
        tested(run, found),
        transferred(run, found),
        in_time(run, found),
        reconstituted(run, found),
        with_little_loss(run, found),
        backup_restored(run, found),
        reviewed(run, found),
        acted_on(gaps, found),
        glass_reviewed(run, found),
    ];
    all.into_iter().flatten().collect()
}

/// The plan was tested: by a drill that really restored or moved something, or by the real thing. A test that failed has not
/// shown the plan to work, and looking at checks or talking it through shows readiness only.
fn tested(run: &Run, found: &Observations) -> Option<Determination> {
    let end = run.end.as_ref()?;
    if !run.is_drill() && !run.moves() {
        return None;
    }
    let seen = found.carried_out.iter().chain(&found.outcome).cloned().collect();
    let verdict = match &end.body {
        End::Succeeded(_) => Verdict::Satisfied,
        End::Failed(_) => Verdict::NotSatisfied("The run failed: see the observation of its outcome.".into()),
        End::Stopped(_) => Verdict::Inconclusive("The run was stopped before it could show anything.".into()),
    };
    let (objective, title) = if proves(run.kind()) {
        ("cp-4_obj.a-1", "Contingency plan tested")
    } else {
        ("cp-4_obj.a-3", "Readiness to execute the plan looked at")
    };
    Some(Determination { objective, title, verdict, seen, event: end.event.clone() })
}

fn transferred(run: &Run, found: &Observations) -> Option<Determination> {
    let end = run.end.as_ref().filter(|_| run.moves())?;
    let verdict = match &end.body {
        End::Succeeded(_) => Verdict::Satisfied,
        End::Failed(_) => Verdict::NotSatisfied("Operations were not transferred by this run.".into()),
        End::Stopped(_) => Verdict::Inconclusive("The run was stopped on the way.".into()),
    };
    Some(Determination {
        objective: "cp-7_obj.a",
        title: "Operations transferred to the alternate site",
        verdict,
        seen: found.outcome.iter().chain(&found.time).cloned().collect(),
        event: end.event.clone(),
    })
}

/// Only where there is a target and a measurement, or where it failed.
fn in_time(run: &Run, found: &Observations) -> Option<Determination> {
    let end = run.end.as_ref().filter(|_| run.moves())?;
    let target = duration_from_pb(run.started.as_ref()?.body.rto_target.as_ref());
    let verdict = match &end.body {
        End::Succeeded(succeeded) => {
            duration_from_pb(succeeded.rto_measured.as_ref())?;
            let target = super::observations::words(Some(target?));
            Verdict::when(succeeded.rto_met, || format!("It took longer than the objective of {target}."))
        }
        End::Failed(_) => Verdict::NotSatisfied("The run failed, so the system was not recovered by it.".into()),
        End::Stopped(_) => return None,
    };
    Some(Determination {
        objective: "cp-10_obj-1",
        title: "Recovered inside the recovery time objective",
        verdict,
        seen: found.outcome.iter().chain(&found.time).cloned().collect(),
        event: end.event.clone(),
    })
}

fn reconstituted(run: &Run, found: &Observations) -> Option<Determination> {
    let end = run.end.as_ref().filter(|_| run.kind() == RequestType::Failback)?;
    let verdict = match &end.body {
        End::Succeeded(_) => Verdict::Satisfied,
        End::Failed(_) => Verdict::NotSatisfied("The failback failed.".into()),
        End::Stopped(_) => Verdict::Inconclusive("The failback was stopped on the way.".into()),
    };
    Some(Determination {
        objective: "cp-10_obj-2",
        title: "Reconstituted at the primary site",
        verdict,
        seen: found.outcome.clone(),
        event: end.event.clone(),
    })
}

/// All resources inside their recovery point objective; one that nobody can judge leaves all of it open.
fn with_little_loss(run: &Run, found: &Observations) -> Option<Determination> {
    let end = run.end.as_ref().filter(|_| run.moves())?;
    let judged: Vec<(String, Option<bool>)> = losses_of(run)
        .into_iter()
        .filter(|(resource, ..)| target_of(run, resource).is_some())
        .map(|(resource, loss, _)| {
            let met = meets(&loss, target_of(run, &resource));
            (resource, met)
        })
        .collect();
    if judged.is_empty() || found.loss.is_empty() {
        return None;
    }
    let those = |wanted: Option<bool>| {
        let names = judged.iter().filter(|(_, met)| *met == wanted).map(|(name, _)| code(name));
        names.collect::<Vec<_>>().join(", ")
    };
    let verdict = if judged.iter().any(|(_, met)| *met == Some(false)) {
        Verdict::NotSatisfied(format!("More than the objective could be lost of {}.", those(Some(false))))
    } else if judged.iter().any(|(_, met)| met.is_none()) {
        Verdict::Inconclusive(format!("Nothing bounds what could be lost of {}.", those(None)))
    } else {
        Verdict::Satisfied
    };
    Some(Determination {
        objective: "cp-6.2_obj-2",
        title: "The alternate site serves the recovery point objective",
        verdict,
        seen: found.loss.clone(),
        event: end.event.clone(),
    })
}

/// Only a copy out of a backup repository tests the backup; a copy of the standby does not.
fn backup_restored(run: &Run, found: &Observations) -> Option<Determination> {
    let end = run.end.as_ref()?;
    let from_backup = run.copies.iter().filter_map(|fact| fact.body.copy.as_ref()).any(is_from_backup);
    if !from_backup || found.copies.is_empty() {
        return None;
    }
    let unanswered = run.integrity.iter().flat_map(|fact| &fact.body.results).any(|result| result.answer.is_none());
    let bad = run.checks.iter().flat_map(|fact| &fact.body.checks).any(|check| check.outcome() == CheckOutcome::Failed);
    let verdict = match &end.body {
        End::Succeeded(_) if unanswered || bad => {
            Verdict::Inconclusive("Not every question about the copy was answered well.".into())
        }
        End::Succeeded(_) => Verdict::Satisfied,
        End::Failed(_) => Verdict::NotSatisfied("The restore of the backup failed.".into()),
        End::Stopped(_) => return None,
    };
    Some(Determination {
        objective: "cp-9.1_obj-2",
        title: "Backup integrity verified by restore",
        verdict,
        seen: found.copies.iter().chain(&found.outcome).cloned().collect(),
        event: end.event.clone(),
    })
}

fn reviewed(run: &Run, found: &Observations) -> Option<Determination> {
    let review = run.reviews.last()?;
    Some(Determination {
        objective: "cp-4_obj.b",
        title: "Test results reviewed",
        verdict: Verdict::Satisfied,
        seen: found.reviews.clone(),
        event: review.event.clone(),
    })
}

fn acted_on(gaps: &[&GapStory], found: &Observations) -> Option<Determination> {
    let newest = gaps.iter().filter_map(|gap| gap.newest()).max_by_key(|event| event.record.sequence)?;
    let waiting = gaps.iter().filter(|gap| !gap.is_acted_on()).count();
    let of_gaps = found.all.iter().filter(|seen| seen.props.iter().any(|prop| prop.name == "gap-id"));
    Some(Determination {
        objective: "cp-4_obj.c",
        title: "Corrective actions initiated",
        verdict: Verdict::when(waiting == 0, || {
            format!("{waiting} of {} gaps have no corrective action yet.", gaps.len())
        }),
        seen: of_gaps.map(|seen| ObservationRef { observation_uuid: seen.uuid.clone() }).collect(),
        event: newest.clone(),
    })
}

/// The emergency path is reviewed in its time. Before it is due there is nothing to say.
fn glass_reviewed(run: &Run, found: &Observations) -> Option<Determination> {
    let verdict_and_event = match (&run.glass_reviewed, &run.glass_overdue) {
        (_, Some(overdue)) => {
            (Verdict::NotSatisfied("The review was not recorded in its time.".into()), overdue.event.clone())
        }
        (Some(review), None) => (Verdict::Satisfied, review.event.clone()),
        (None, None) => return None,
    };
    Some(Determination {
        objective: "au-6_obj.a",
        title: "Use of the emergency path reviewed",
        verdict: verdict_and_event.0,
        seen: found.glass_review.clone(),
        event: verdict_and_event.1,
    })
}
