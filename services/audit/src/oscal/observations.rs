//! What one run lets an assessor see. Each observation rests on the event that shows it.

use jiff::SignedDuration;
use muster_domain::{
    pb::{
        common::v1::{LossCertainty, LossStatement},
        execution::v1::{CheckOutcome, CheckPhase, ChecksRecorded, DrillCopy, Member, MemberOutcome},
        request::v1::RequestType,
    },
    time::{PbDuration, duration_from_pb, humane},
};

use super::{
    Evidence, Logged, Run, decisions,
    model::*,
    run::{End, Fact},
    text::{code, prose},
};

/// Observations by what they are about, so that findings can point at them.
#[derive(Debug, Default)]
pub(crate) struct Observations {
    pub(crate) all: Vec<Observation>,
    pub(crate) carried_out: Vec<ObservationRef>,
    pub(crate) outcome: Vec<ObservationRef>,
    pub(crate) time: Vec<ObservationRef>,
    pub(crate) loss: Vec<ObservationRef>,
    pub(crate) copies: Vec<ObservationRef>,
    pub(crate) reviews: Vec<ObservationRef>,
    pub(crate) glass_review: Vec<ObservationRef>,
}

/// One observation before it has its identifiers.
pub(crate) struct Seen<'e> {
    /// Part of the identifier: one event can show several things.
    pub(crate) element: &'static str,
    /// The resource it is about, where there are several.
    pub(crate) of: &'e str,
    pub(crate) event: &'e Logged,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) method: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) props: Vec<Prop>,
}

/// Turns what was seen into observations of one run.
pub(crate) struct Observer<'a, 'e> {
    pub(crate) evidence: &'e mut Evidence<'a>,
    pub(crate) origin: Origin,
    pub(crate) subjects: Vec<SubjectRef>,
}

impl Observer<'_, '_> {
    pub(crate) fn add(&mut self, to: &mut Observations, seen: Seen<'_>) -> ObservationRef {
        let scope = self.evidence.scope();
        let uuid = if seen.of.is_empty() {
            scope.of_event(seen.element, seen.event.id())
        } else {
            scope.of_event(&format!("{}/{}", seen.element, seen.of), seen.event.id())
        };
        let subjects = match seen.of {
            "" => self.subjects.clone(),
            resource => vec![SubjectRef::component(scope.component(resource))],
        };
        to.all.push(Observation {
            uuid: uuid.clone(),
            title: seen.title,
            description: seen.description,
            props: seen.props,
            methods: vec![seen.method],
            types: vec![seen.kind],
            origins: vec![self.origin.clone()],
            subjects,
            relevant_evidence: vec![self.evidence.cite(seen.event)],
            collected: seen.event.time(),
            expires: None,
            remarks: None,
        });
        ObservationRef { observation_uuid: uuid }
    }
}

/// Everything that the run shows, in the order of the log.
pub(crate) fn observe(run: &Run, observer: &mut Observer<'_, '_>) -> Observations {
    let mut found = Observations::default();
    decisions::observe(run, observer, &mut found);
    carried_out(run, observer, &mut found);
    for phase in [CheckPhase::Before, CheckPhase::After] {
        for checks in run.checks_of(phase) {
            observer.add(&mut found, of_checks(checks));
        }
    }
    markers_and_integrity(run, observer, &mut found);
    copies(run, observer, &mut found);
    outcome(run, observer, &mut found);
    recovery_time(run, observer, &mut found);
    losses(run, observer, &mut found);
    decisions::observe_reviews(run, observer, &mut found);
    found
}

fn carried_out(run: &Run, observer: &mut Observer<'_, '_>, found: &mut Observations) {
    let Some(started) = &run.started else { return };
    let plan = started.body.plan.clone().unwrap_or_default();
    let version = if plan.name.is_empty() { String::new() } else { plan.version.to_string() };
    let approved = if run.broke_glass() {
        "approvals were missing when it was started"
    } else {
        "the approvals were given for exactly this text"
    };
    let of_plan = match plan.name.as_str() {
        "" => "the built-in plan".to_owned(),
        name => format!("version {} of plan {}", plan.version, code(name)),
    };
    let seen = Seen {
        element: "observation",
        of: "",
        event: &started.event,
        title: format!(
            "Carried out by {}",
            if plan.name.is_empty() { "the built-in plan" } else { "a plan of record" }
        ),
        description: format!("A {} by {of_plan}; {approved}.", started.body.r#type),
        // People who talk a plan through are interviewed; nothing is tested.
        method: if run.kind() == RequestType::TabletopDrill { "INTERVIEW" } else { "TEST" },
        kind: "control-objective",
        props: props([
            ("request-type", started.body.r#type.clone()),
            ("plan", plan.name),
            ("plan-version", version),
            ("plan-hash", plan.hash),
        ]),
    };
    let reference = observer.add(found, seen);
    found.carried_out.push(reference);
}

fn of_checks(fact: &Fact<ChecksRecorded>) -> Seen<'_> {
    let count = |outcome| fact.body.checks.iter().filter(|check| check.outcome() == outcome).count();
    let (passed, failed) = (count(CheckOutcome::Passed), count(CheckOutcome::Failed));
    let (warned, unknown) = (count(CheckOutcome::Warning), count(CheckOutcome::Unknown));
    let bad = fact.body.checks.iter().filter(|check| check.outcome() != CheckOutcome::Passed).map(|check| {
        let overridden = if check.overridden.is_empty() {
            String::new()
        } else {
            format!(" (overridden: {})", prose(&check.overridden))
        };
        format!("{} {}: {}{overridden}", code(&check.resource), code(&check.name), prose(&check.text))
    });
    let bad: Vec<String> = bad.collect();
    let when = if fact.body.phase() == CheckPhase::After { "after" } else { "before" };
    Seen {
        element: "observation",
        of: "",
        event: &fact.event,
        title: format!("Checks {when} the run: {passed} of {} passed", fact.body.checks.len()),
        description: if bad.is_empty() { format!("All checks {when} the run passed.") } else { bad.join(". ") },
        method: "TEST",
        kind: "control-objective",
        props: props([
            ("checks-passed", passed.to_string()),
            ("checks-failed", failed.to_string()),
            ("checks-with-warning", warned.to_string()),
            ("checks-unknown", unknown.to_string()),
        ]),
    }
}

fn markers_and_integrity(run: &Run, observer: &mut Observer<'_, '_>, found: &mut Observations) {
    for fact in &run.markers {
        let when = if fact.body.phase() == CheckPhase::After { "after" } else { "before" };
        let of = fact.body.markers.iter().map(|marker| {
            format!(
                "{} at {} ({}): timeline {}, {}",
                code(&marker.node),
                code(&marker.site),
                prose(&marker.role),
                marker.timeline,
                code(&marker.lsn)
            )
        });
        let missing = fact.body.unavailable.iter().map(|text| prose(text));
        let seen = Seen {
            element: "observation",
            of: "",
            event: &fact.event,
            title: format!("Positions of both sides {when} the run"),
            description: of.chain(missing).collect::<Vec<_>>().join(". "),
            method: "EXAMINE",
            kind: "control-objective",
            props: props([("markers", fact.body.markers.len().to_string())]),
        };
        observer.add(found, Seen { description: prose_or(seen.description, "No side answered."), ..seen });
    }
    for fact in &run.integrity {
        let when = if fact.body.phase() == CheckPhase::After { "after" } else { "before" };
        let answered = fact.body.results.iter().filter(|result| result.answer.is_some()).count();
        let lines = fact.body.results.iter().map(|result| match &result.answer {
            Some(answer) => format!("{} {}: {}", code(&result.resource), code(&result.name), prose(answer)),
            None => format!(
                "{} {} could not be asked: {}",
                code(&result.resource),
                code(&result.name),
                prose(&result.error)
            ),
        });
        let seen = Seen {
            element: "observation",
            of: "",
            event: &fact.event,
            title: format!("Integrity questions {when} the run: {answered} of {} answered", fact.body.results.len()),
            description: prose_or(lines.collect::<Vec<_>>().join(". "), "No question was asked."),
            method: "TEST",
            kind: "control-objective",
            props: Vec::new(),
        };
        observer.add(found, seen);
    }
}

/// Text that is already escaped.
fn prose_or(text: String, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text }
}

fn copies(run: &Run, observer: &mut Observer<'_, '_>, found: &mut Observations) {
    for fact in &run.copies {
        let copy = fact.body.copy.clone().unwrap_or_default();
        let left = copy.teardown.iter().filter(|check| check.outcome() != CheckOutcome::Passed).count();
        let time = seconds(copy.restore_time.as_ref());
        let window = seconds(copy.loss_window.as_ref());
        let seen = Seen {
            element: "observation",
            of: &copy.resource,
            event: &fact.event,
            title: format!("A copy of {} was made apart from production", code(&copy.resource)),
            description: format!(
                "From {}. It answered queries {}; restoring from it would lose {}. {}",
                prose(&copy.source),
                time.as_ref().map_or("after a time that was not measured".into(), |s| format!("after {s} s")),
                window.as_ref().map_or("an unknown time".into(), |s| format!("up to {s} s")),
                if left == 0 {
                    "Nothing of it was left."
                } else {
                    "Something of it was left: see the teardown checks."
                },
            ),
            method: "TEST",
            kind: "control-objective",
            props: props([
                ("copy-source", copy.source.clone()),
                ("restore-seconds", time.unwrap_or_default()),
                ("rpo-loss-window-seconds", window.unwrap_or_default()),
            ]),
        };
        let reference = observer.add(found, seen);
        found.copies.push(reference);
    }
}

/// Whether the copy was read from a backup repository, and not from the standby.
pub(crate) fn is_from_backup(copy: &DrillCopy) -> bool {
    !copy.source.is_empty() && !copy.source.starts_with("base backup of")
}

fn outcome(run: &Run, observer: &mut Observer<'_, '_>, found: &mut Observations) {
    let Some(end) = &run.end else { return };
    let text = match &end.body {
        End::Succeeded(succeeded) if succeeded.tolerated.is_empty() => "Every step succeeded.".to_owned(),
        End::Succeeded(succeeded) => {
            let steps: Vec<String> = succeeded.tolerated.iter().map(|step| code(step)).collect();
            format!("Steps that failed and whose policy was to go on: {}.", steps.join(", "))
        }
        End::Failed(failed) => {
            let step = if failed.step.is_empty() { "the checks before it".to_owned() } else { code(&failed.step) };
            format!("It failed in {step}: {}. Known state: {}", prose(&failed.error), prose(&failed.known_state))
        }
        End::Stopped(stopped) => {
            format!(
                "It was stopped before {}: {}. Known state: {}",
                code(&stopped.before_step),
                prose(&stopped.reason),
                prose(&stopped.known_state)
            )
        }
    };
    let seen = Seen {
        element: "observation",
        of: "",
        event: &end.event,
        title: format!("The {} of {} {}", type_word(run), code(&run.scope_name()), end.body.word()),
        description: text,
        method: "TEST",
        kind: "control-objective",
        props: props([("outcome", end.body.word().into())]),
    };
    let reference = observer.add(found, seen);
    found.outcome.push(reference);
}

fn recovery_time(run: &Run, observer: &mut Observer<'_, '_>, found: &mut Observations) {
    // The duration of a drill that moves nothing is no recovery time, and looks like one.
    let (Some(started), Some(end), true) = (&run.started, &run.end, run.moves()) else { return };
    let End::Succeeded(succeeded) = &end.body else { return };
    let Some(measured) = seconds(succeeded.rto_measured.as_ref()) else { return };
    let target = seconds(started.body.rto_target.as_ref());
    let of_target = target.as_ref().map_or("no target is set".to_owned(), |target| format!("target {target} s"));
    let met = target.as_ref().map(|_| succeeded.rto_met.to_string()).unwrap_or_default();
    let seen = Seen {
        element: "observation-rto",
        of: "",
        event: &end.event,
        title: format!("Recovery time: {measured} s, {of_target}"),
        description: "From the operator's confirmation until the target was seen healthy.".into(),
        method: "TEST",
        kind: "control-objective",
        props: props([
            ("rto-target-seconds", target.unwrap_or_default()),
            ("rto-measured-seconds", measured),
            ("objective-met", met),
        ]),
    };
    let reference = observer.add(found, seen);
    found.time.push(reference);
}

fn losses(run: &Run, observer: &mut Observer<'_, '_>, found: &mut Observations) {
    let Some(end) = &run.end else { return };
    for (resource, loss, target) in losses_of(run) {
        let target = seconds(target.as_ref());
        let window = seconds(loss.window.as_ref());
        let limits: Vec<String> = loss.limits.iter().map(|limit| prose(limit)).collect();
        let limits = if limits.is_empty() { String::new() } else { format!(" Not covered: {}.", limits.join("; ")) };
        let seen = Seen {
            element: "observation-rpo",
            of: &resource,
            event: &end.event,
            title: format!("Recovery point of {}: {}", code(&resource), certainty(&loss)),
            description: format!("{}{limits}", prose(&loss.text)),
            method: "TEST",
            kind: "control-objective",
            props: props([
                ("rpo-target-seconds", target.unwrap_or_default()),
                ("rpo-loss-window-seconds", window.unwrap_or_default()),
                ("loss-certainty", certainty(&loss).into()),
                (
                    "objective-met",
                    meets(&loss, target_of(run, &resource)).map(|met| met.to_string()).unwrap_or_default(),
                ),
            ]),
        };
        let reference = observer.add(found, seen);
        found.loss.push(reference);
    }
}

fn certainty(loss: &LossStatement) -> &'static str {
    match loss.certainty() {
        LossCertainty::ProvenNone => "proven complete",
        LossCertainty::Bounded => "bounded",
        LossCertainty::Unknown | LossCertainty::Unspecified => "unknown",
    }
}

/// Whether the loss is inside the target; `None` when nobody can tell, which is never "yes".
pub(crate) fn meets(loss: &LossStatement, target: Option<SignedDuration>) -> Option<bool> {
    match loss.certainty() {
        LossCertainty::ProvenNone => Some(true),
        LossCertainty::Bounded => Some(duration_from_pb(loss.window.as_ref())? <= target?),
        LossCertainty::Unknown | LossCertainty::Unspecified => None,
    }
}

/// Each resource's statement, with its target.
pub(crate) fn losses_of(run: &Run) -> Vec<(String, LossStatement, Option<PbDuration>)> {
    let (Some(started), Some(end)) = (&run.started, &run.end) else { return Vec::new() };
    let of_member = |outcome: &MemberOutcome| {
        let loss = outcome.loss.clone()?;
        Some((outcome.resource.clone(), loss, member(run, &outcome.resource).and_then(|member| member.rpo_target)))
    };
    let of_members: Vec<_> = end.body.members().iter().filter_map(of_member).collect();
    if !of_members.is_empty() {
        return of_members;
    }
    let single = end.body.loss().map(|loss| (started.body.resource.clone(), loss.clone(), started.body.rpo_target));
    single.filter(|(resource, ..)| !resource.is_empty()).into_iter().collect()
}

pub(crate) fn target_of(run: &Run, resource: &str) -> Option<SignedDuration> {
    let of_run = || run.started.as_ref().and_then(|started| started.body.rpo_target);
    duration_from_pb(member(run, resource).and_then(|member| member.rpo_target).or_else(of_run).as_ref())
}

fn member<'r>(run: &'r Run, resource: &str) -> Option<&'r Member> {
    run.started.as_ref()?.body.members.iter().find(|member| member.resource == resource)
}

/// Whole seconds, or with milliseconds where they count.
pub(crate) fn seconds(duration: Option<&PbDuration>) -> Option<String> {
    let duration = duration_from_pb(duration)?;
    Some(match duration.subsec_millis() {
        0 => duration.as_secs().to_string(),
        _ => format!("{:.3}", duration.as_secs_f64()),
    })
}

pub(crate) fn type_word(run: &Run) -> &str {
    run.started.as_ref().map_or("run", |started| started.body.r#type.as_str())
}

/// "90 s"
pub(crate) fn words(duration: Option<SignedDuration>) -> String {
    duration.map_or_else(|| "not set".to_owned(), humane)
}
