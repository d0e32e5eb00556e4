//! From a request, its run and its story to a report.

use jiff::Timestamp;
use muster_domain::{
    TenantId,
    gap::{severity_name, state_name as gap_state},
    pb::{
        audit::v1::{AuditRecord, Gap as GapView, ReviewEvent, review_event},
        common::v1::{Actor, Marker as PbMarker},
        execution::v1::{Check as PbCheck, CheckOutcome, CheckPhase, ExecutionView},
    },
    request::{state_name, state_with_execution, type_name},
    time::{PbDuration, PbTimestamp, duration_from_pb, from_pb},
};

use super::{
    asked, decisions, deviations,
    model::{Check, Copy, FORMAT, Gap, Integrity, Marker, Note, Report, Review, Run, SystemMoved},
    objectives,
    proof::Proven,
    steps, timeline,
};
use crate::story::{Gathered, in_causal_order};

pub(super) fn report(
    tenant: &TenantId,
    gathered: Gathered,
    gaps: Vec<GapView>,
    proven: Proven,
    now: Timestamp,
) -> Report {
    let Gathered { request: view, run, records, .. } = gathered;
    let opened = view.opened.clone().unwrap_or_default();
    let lines = in_causal_order(&view.request_id, records.clone());
    let execution = run.clone().unwrap_or_default();
    Report {
        format: FORMAT,
        tenant: tenant.to_string(),
        request_id: view.request_id.clone(),
        title: asked::title(&opened),
        state: state_name(state_with_execution(view.state(), run.as_ref().map(|run| run.state()))).to_owned(),
        drill: type_name(opened.r#type()).ends_with("drill"),
        made_at: now.to_string(),
        request: asked::request(&view, &opened),
        evidence: asked::evidence(&opened),
        decisions: decisions::of(&records),
        objectives: objectives::of(&execution),
        losses: objectives::losses(&execution),
        markers: markers("before", &execution.markers_before)
            .chain(markers("after", &execution.markers_after))
            .collect(),
        markers_unavailable: execution.markers_unavailable.clone(),
        checks: checks(&execution),
        steps: steps::of(&execution, &records),
        integrity: integrity(&execution),
        copies: copies(&execution),
        notes: notes(&execution),
        deviations: deviations::of(&view, &execution, &records),
        gaps: gaps.iter().map(gap).collect(),
        reviews: reviews(&records),
        timeline: timeline::of(&lines, &proven.leaf_hashes),
        proof: proven.proof,
        run: run.as_ref().map(run_of),
    }
}

pub(super) fn time(at: Option<&PbTimestamp>) -> Option<String> {
    from_pb(at).map(|at| at.to_string())
}

pub(super) fn seconds(duration: Option<&PbDuration>) -> Option<f64> {
    duration_from_pb(duration).map(|duration| duration.as_secs_f64())
}

pub(super) fn name(actor: Option<&Actor>) -> String {
    actor.map(|actor| if actor.name.is_empty() { actor.id.clone() } else { actor.name.clone() }).unwrap_or_default()
}

pub(super) fn markers<'a>(taken: &'static str, markers: &'a [PbMarker]) -> impl Iterator<Item = Marker> + 'a {
    markers.iter().map(move |marker| Marker {
        taken,
        node: marker.node.clone(),
        site: marker.site.clone(),
        role: marker.role.clone(),
        position: marker.lsn.clone(),
        timeline: marker.timeline,
        system_identifier: marker.system_identifier.clone(),
        read_at: time(marker.read_at.as_ref()),
        clock: marker.clock.clone(),
    })
}

fn run_of(run: &ExecutionView) -> Run {
    let started = run.started.clone().unwrap_or_default();
    let (failed, stopped) = (run.failed.clone().unwrap_or_default(), run.stopped.clone().unwrap_or_default());
    let finished = end(run);
    let from = from_pb(started.confirmed_at.as_ref()).or(from_pb(started.started_at.as_ref()));
    let or = |one: String, other: String| if one.is_empty() { other } else { one };
    let outcomes = objectives::outcomes(run);
    let system = |member: &muster_domain::pb::execution::v1::Member| {
        let outcome = outcomes.iter().find(|outcome| outcome.resource == member.resource);
        SystemMoved {
            resource: member.resource.clone(),
            platform: member.platform.clone(),
            from_node: member.from_node.clone(),
            target_node: member.target_node.clone(),
            site_now: outcome.map(|outcome| outcome.site.clone()).unwrap_or_default(),
            moved: outcome.map(|outcome| outcome.moved),
            protected: outcome.map(|outcome| outcome.protected),
        }
    };
    Run {
        executor: started.executor,
        confirmed_at: time(started.confirmed_at.as_ref()),
        started_at: time(started.started_at.as_ref()),
        finished_at: finished.map(|at| at.to_string()),
        duration_seconds: from.zip(finished).map(|(from, to)| to.duration_since(from).as_secs_f64()),
        write_outage_seconds: run.succeeded.as_ref().and_then(|end| seconds(end.write_outage.as_ref())),
        error: or(failed.error, stopped.reason),
        known_state: or(failed.known_state, stopped.known_state),
        guidance: or(failed.guidance, stopped.guidance),
        systems: started.members.iter().map(system).collect(),
    }
}

fn end(run: &ExecutionView) -> Option<Timestamp> {
    let ends = [
        run.succeeded.as_ref().and_then(|end| end.finished_at),
        run.failed.as_ref().and_then(|end| end.finished_at),
        run.stopped.as_ref().and_then(|end| end.finished_at),
    ];
    ends.into_iter().flatten().find_map(|at| from_pb(Some(&at)))
}

fn checks(run: &ExecutionView) -> Vec<Check> {
    let all = [("before", &run.prechecks), ("after", &run.postchecks)].into_iter();
    let of_copies = run.copies.iter().map(|copy| ("teardown", &copy.teardown));
    all.chain(of_copies).flat_map(|(phase, checks)| checks.iter().map(move |one| check(phase, one))).collect()
}

fn check(phase: &'static str, check: &PbCheck) -> Check {
    Check {
        phase,
        resource: check.resource.clone(),
        name: check.name.clone(),
        outcome: match check.outcome() {
            CheckOutcome::Passed => "passed",
            CheckOutcome::Failed => "failed",
            CheckOutcome::Warning => "warning",
            CheckOutcome::Unknown | CheckOutcome::Unspecified => "unknown",
        },
        value: check.value.clone(),
        limit: check.limit.clone(),
        text: check.text.clone(),
        advisory: check.advisory,
        overridden: check.overridden.clone(),
    }
}

fn integrity(run: &ExecutionView) -> Vec<Integrity> {
    let asked = run.integrity.iter().map(|result| Integrity {
        phase: if result.phase() == CheckPhase::After { "after" } else { "before" },
        resource: result.resource.clone(),
        question: result.name.clone(),
        answer: result.answer.clone(),
        error: result.error.clone(),
        node: result.node.clone(),
    });
    asked.collect()
}

fn copies(run: &ExecutionView) -> Vec<Copy> {
    let copy = |copy: &muster_domain::pb::execution::v1::DrillCopy| Copy {
        resource: copy.resource.clone(),
        source: copy.source.clone(),
        newest_data_at: time(copy.newest_data_at.as_ref()),
        loss_window_seconds: seconds(copy.loss_window.as_ref()),
        restore_seconds: seconds(copy.restore_time.as_ref()),
        bytes: copy.bytes,
    };
    run.copies.iter().map(copy).collect()
}

/// What people wrote during the run, and what they said about steps by hand.
fn notes(run: &ExecutionView) -> Vec<Note> {
    let written = run.notes.iter().map(|note| Note {
        at: time(note.noted_at.as_ref()),
        who: name(note.actor.as_ref()),
        step: note.step.clone(),
        text: note.text.clone(),
    });
    let by_hand = run.manual_decisions.iter().map(|decided| Note {
        at: time(decided.decided_at.as_ref()),
        who: name(decided.actor.as_ref()),
        step: decided.step.clone(),
        text: format!("{}: {}", if decided.done { "done by hand" } else { "not possible by hand" }, decided.note),
    });
    let mut notes: Vec<Note> = written.chain(by_hand).collect();
    notes.sort_by(|one, other| one.at.cmp(&other.at));
    notes
}

fn gap(gap: &GapView) -> Gap {
    let opened = gap.opened.clone().unwrap_or_default();
    let planned = gap.planned.clone().unwrap_or_default();
    Gap {
        severity: severity_name(opened.severity()),
        gap_id: opened.gap_id,
        title: opened.title,
        state: gap_state(gap.state()),
        overdue: gap.overdue,
        owner: planned.owner,
        due: time(planned.due.as_ref()),
        accepted_until: gap.accepted.as_ref().and_then(|accepted| time(accepted.until.as_ref())),
    }
}

fn reviews(records: &[AuditRecord]) -> Vec<Review> {
    let reviewed = |record: &AuditRecord| {
        let event: ReviewEvent = serde_json::from_str(&record.payload_json).ok()?;
        let review_event::Event::Drill(said) = event.event? else { return None };
        Some(Review {
            at: time(record.time.as_ref()),
            who: name(record.actor.as_ref()),
            accepted: said.accepted,
            note: said.note,
            gaps: said.gap_ids,
            sequence: record.sequence,
        })
    };
    records.iter().filter(|record| record.r#type == "drill.reviewed").filter_map(reviewed).collect()
}
