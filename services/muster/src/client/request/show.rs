//! One request in readable form: who asked for what, who said yes, what was checked, done and found.

use jiff::Timestamp;
use muster_domain::access::role_name;
use muster_domain::pb::execution::v1::{Check, ExecutionState, ExecutionView, StepView};
use muster_domain::pb::request::v1::{RequestOpened, RequestState, RequestView};
use muster_domain::request::{policy_words, type_name};
use muster_domain::time::{duration_to_pb, from_pb};

use super::{scope, scope_words, state_cell};
use crate::client::{
    error::CliError,
    output::{
        Screen,
        style::Tone,
        table::{Cell, Table},
        words,
    },
};

pub(super) fn print(view: &RequestView, now: Timestamp, screen: &Screen) -> Result<(), CliError> {
    if !screen.is_table() {
        return screen.value(view);
    }
    let opened = view.opened.clone().unwrap_or_default();
    screen.heading(&format!("request {}", view.request_id))?;
    screen.field("state", state_cell(view.state()))?;
    what_was_asked(&opened, now, screen)?;
    scope::scope(&opened, screen)?;
    scope::evidence(&opened, screen)?;
    decisions(view, &opened, screen)?;
    scope::exceptions(view, &opened, now, screen)?;
    if let Some(execution) = &view.execution {
        self::execution(execution, screen)?;
    }
    next_step(view, screen)
}

fn what_was_asked(opened: &RequestOpened, now: Timestamp, screen: &Screen) -> Result<(), CliError> {
    screen.field(
        "move",
        format!(
            "{} of {} from {} to {}",
            type_name(opened.r#type()),
            scope_words(opened),
            opened.from_site,
            opened.target_site
        ),
    )?;
    screen.field("tier", format!("{}, {}", words::tier(opened.tier()), words::environment(opened.environment())))?;
    screen.field("reason", opened.reason.as_str())?;
    screen.field("ticket", words::or_dash(&opened.ticket))?;
    screen.field(
        "requester",
        format!("{} at {}", words::actor(opened.requester.as_ref()), words::time(opened.opened_at.as_ref())),
    )?;
    let late = from_pb(opened.expires_at.as_ref()).is_some_and(|end| end <= now);
    screen.field(
        "decide until",
        format!("{}{}", words::time(opened.expires_at.as_ref()), if late { " (over)" } else { "" }),
    )
}

fn decisions(view: &RequestView, opened: &RequestOpened, screen: &Screen) -> Result<(), CliError> {
    screen.line("")?;
    screen.heading("decisions")?;
    let policy = opened.policy.clone().unwrap_or_default();
    screen.field("policy", format!("{} ({})", policy_words(&policy), policy.source))?;
    for approval in &view.approvals {
        let note = if approval.note.is_empty() { String::new() } else { format!(": {}", approval.note) };
        let away = approval.on_behalf_of.as_ref();
        let away = away.map(|who| format!(" for {}", words::actor(Some(who)))).unwrap_or_default();
        let text = format!(
            "{}{away} as {} at {}{note}",
            words::actor(approval.approver.as_ref()),
            role_name(approval.as_role()),
            words::time(approval.approved_at.as_ref())
        );
        screen.field("approved", Cell::toned(Tone::Good, text))?;
    }
    for missing in &view.missing {
        screen.field("missing", Cell::toned(Tone::Warning, missing.as_str()))?;
    }
    if let Some(denied) = &view.denied {
        let text = format!(
            "by {} as {} at {}: {}",
            words::actor(denied.approver.as_ref()),
            role_name(denied.as_role()),
            words::time(denied.denied_at.as_ref()),
            denied.reason
        );
        screen.field("denied", Cell::toned(Tone::Bad, text))?;
    }
    if let Some(withdrawn) = &view.withdrawn {
        screen.field(
            "withdrawn",
            format!(
                "by {} at {}: {}",
                words::actor(withdrawn.actor.as_ref()),
                words::time(withdrawn.withdrawn_at.as_ref()),
                withdrawn.reason
            ),
        )?;
    }
    if let Some(expired) = &view.expired {
        screen.field("expired", format!("at {} {}", words::time(expired.expired_at.as_ref()), expired.note))?;
    }
    match &view.confirmed {
        Some(confirmed) => screen.field(
            "confirmed",
            format!(
                "by {} at {}: \"{}\"",
                words::actor(confirmed.actor.as_ref()),
                words::time(confirmed.confirmed_at.as_ref()),
                confirmed.phrase
            ),
        ),
        None => screen.field("phrase", format!("\"{}\"", opened.confirmation_phrase)),
    }
}

fn execution(execution: &ExecutionView, screen: &Screen) -> Result<(), CliError> {
    screen.line("")?;
    screen.heading("execution")?;
    if let Some(started) = &execution.started {
        screen.field("started", format!("{} by {}", words::time(started.started_at.as_ref()), started.executor))?;
        screen.field(
            "nodes",
            format!(
                "{} ({}) -> {} ({})",
                started.from_node, started.from_site, started.target_node, started.target_site
            ),
        )?;
    }
    if let Some(stop) = &execution.stop_requested {
        screen.field(
            "stop asked",
            format!(
                "by {} at {}: {}",
                words::actor(stop.actor.as_ref()),
                words::time(stop.requested_at.as_ref()),
                stop.reason
            ),
        )?;
    }
    checks("checks before", &execution.prechecks, screen)?;
    markers("positions before", &execution.markers_before, screen)?;
    steps(&execution.steps, screen)?;
    checks("checks after", &execution.postchecks, screen)?;
    markers("positions after", &execution.markers_after, screen)?;
    for unavailable in &execution.markers_unavailable {
        screen.field("no position", Cell::toned(Tone::Warning, unavailable.as_str()))?;
    }
    result(execution, screen)
}

fn checks(title: &str, checks: &[Check], screen: &Screen) -> Result<(), CliError> {
    if checks.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    let mut table = Table::new(&[title, "OUTCOME", "FOUND", "NEEDED", "ABOUT"]);
    for check in checks {
        let advisory = if check.advisory { " (advisory)" } else { "" };
        table.row([
            format!("  {}", check.name).into(),
            words::check_outcome(check.outcome()),
            check.value.as_str().into(),
            check.limit.as_str().into(),
            format!("{}{advisory}", check.text).into(),
        ]);
    }
    screen.lines(&table.render(screen))
}

fn markers(title: &str, markers: &[muster_domain::pb::common::v1::Marker], screen: &Screen) -> Result<(), CliError> {
    if markers.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    screen.heading(title)?;
    markers.iter().try_for_each(|marker| screen.field(&words::or_dash(&marker.role), words::marker(marker)))
}

fn steps(steps: &[StepView], screen: &Screen) -> Result<(), CliError> {
    if steps.is_empty() {
        return Ok(());
    }
    screen.line("")?;
    let mut table = Table::new(&["steps", "STATE", "TRIES", "STARTED", "TOOK", "NOTE"]);
    for step in steps {
        let plan = step.step.clone().unwrap_or_default();
        table.row([
            format!("  {}", plan.title).into(),
            words::step_state(step.state()),
            step.attempts.to_string().into(),
            words::time(step.started_at.as_ref()).into(),
            took(step).into(),
            step.note.as_str().into(),
        ]);
    }
    screen.lines(&table.render(screen))
}

pub(super) fn took(step: &StepView) -> String {
    match (from_pb(step.started_at.as_ref()), from_pb(step.finished_at.as_ref())) {
        (Some(from), Some(to)) => words::duration(Some(&duration_to_pb(to.duration_since(from)))),
        _ => "-".to_owned(),
    }
}

/// How it ended, what it took against the target, and what can be said about missing data.
pub(super) fn result(execution: &ExecutionView, screen: &Screen) -> Result<(), CliError> {
    if execution.state() == ExecutionState::Running {
        return Ok(());
    }
    screen.line("")?;
    screen.heading("result")?;
    let target = execution.started.as_ref().and_then(|started| started.rto_target);
    if let Some(end) = &execution.succeeded {
        screen.field("succeeded", Cell::toned(Tone::Good, words::time(end.finished_at.as_ref())))?;
        let (tone, met) = if end.rto_met { (Tone::Good, "met") } else { (Tone::Bad, "MISSED") };
        let rto = format!(
            "measured {}, target {}: {met}",
            words::duration(end.rto_measured.as_ref()),
            words::duration(target.as_ref())
        );
        screen.field("RTO", Cell::toned(tone, rto))?;
        screen.field("write outage", words::duration(end.write_outage.as_ref()))?;
        loss(end.loss.as_ref(), screen)?;
    }
    if let Some(end) = &execution.failed {
        let place =
            if end.step.is_empty() { "in the checks before".to_owned() } else { format!("in step {}", end.step) };
        screen.field(
            "FAILED",
            Cell::toned(Tone::Bad, format!("{} {place}: {}", words::time(end.finished_at.as_ref()), end.error)),
        )?;
        screen.field("known state", words::or_dash(&end.known_state))?;
        screen.field("what to do", words::or_dash(&end.guidance))?;
        loss(end.loss.as_ref(), screen)?;
    }
    if let Some(end) = &execution.stopped {
        screen.field(
            "STOPPED",
            Cell::toned(
                Tone::Bad,
                format!(
                    "{} before step {}: {}",
                    words::time(end.finished_at.as_ref()),
                    words::or_dash(&end.before_step),
                    end.reason
                ),
            ),
        )?;
        screen.field("known state", words::or_dash(&end.known_state))?;
        screen.field("what to do", words::or_dash(&end.guidance))?;
        loss(end.loss.as_ref(), screen)?;
    }
    Ok(())
}

fn loss(statement: Option<&muster_domain::pb::common::v1::LossStatement>, screen: &Screen) -> Result<(), CliError> {
    for (index, line) in words::loss(statement).into_iter().enumerate() {
        screen.field(if index == 0 { "data loss" } else { "" }, line)?;
    }
    Ok(())
}

fn next_step(view: &RequestView, screen: &Screen) -> Result<(), CliError> {
    let id = &view.request_id;
    let next = match view.state() {
        RequestState::PendingApproval => format!("approvers: muster request approve {id}"),
        RequestState::Approved => format!("an operator: muster request start {id}"),
        RequestState::Confirmed | RequestState::Executing => format!("muster request watch {id}"),
        _ => return Ok(()),
    };
    screen.line("")?;
    screen.field("next", next)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use jiff::SignedDuration;
    use muster_domain::pb::common::v1::{Actor, LossStatement, Marker, Role};
    use muster_domain::pb::execution::v1::{CheckOutcome, ExecutionStarted, ExecutionSucceeded, Step, StepState};
    use muster_domain::pb::inventory::v1::ApprovalRequirement;
    use muster_domain::pb::request::v1::{ApprovalPolicy, RequestApproved, RequestType};
    use muster_domain::time::to_pb;

    use super::*;
    use crate::client::Format;

    fn view(now: Timestamp) -> RequestView {
        let person = |name: &str| Some(Actor { name: name.into(), ..Actor::default() });
        let at = |s: i64| Some(to_pb(now + SignedDuration::from_secs(s)));
        let require = vec![ApprovalRequirement { role: Role::ApproverIt.into(), count: 1 }];
        RequestView {
            request_id: "0193".into(),
            state: RequestState::Succeeded.into(),
            opened: Some(RequestOpened {
                r#type: RequestType::Switchover.into(),
                resource: "orders-db".into(),
                from_site: "fra".into(),
                target_site: "ams".into(),
                reason: "patch\x1b[2J night".into(),
                requester: person("Olga"),
                policy: Some(ApprovalPolicy {
                    source: "built-in ADR-001".into(),
                    require,
                    ..ApprovalPolicy::default()
                }),
                expires_at: at(-1),
                confirmation_phrase: "switchover orders-db from fra to ams".into(),
                ..RequestOpened::default()
            }),
            approvals: vec![RequestApproved {
                approver: person("Ingo"),
                as_role: Role::ApproverIt.into(),
                ..RequestApproved::default()
            }],
            execution: Some(ExecutionView {
                state: ExecutionState::Succeeded.into(),
                started: Some(ExecutionStarted {
                    rto_target: Some(duration_to_pb(SignedDuration::from_secs(60))),
                    ..ExecutionStarted::default()
                }),
                prechecks: vec![Check {
                    name: "target_is_standby".into(),
                    outcome: CheckOutcome::Unknown.into(),
                    ..Check::default()
                }],
                markers_before: vec![Marker {
                    node: "orders-a".into(),
                    lsn: "0/3010430".into(),
                    timeline: 1,
                    role: "primary".into(),
                    ..Marker::default()
                }],
                steps: vec![StepView {
                    step: Some(Step { title: "Promote the target".into(), ..Step::default() }),
                    state: StepState::Succeeded.into(),
                    attempts: 1,
                    started_at: at(0),
                    finished_at: at(3),
                    note: String::new(),
                }],
                succeeded: Some(ExecutionSucceeded {
                    rto_measured: Some(duration_to_pb(SignedDuration::from_secs(75))),
                    loss: Some(LossStatement {
                        text: "potential loss window up to 4 s".into(),
                        ..LossStatement::default()
                    }),
                    ..ExecutionSucceeded::default()
                }),
                ..ExecutionView::default()
            }),
            ..RequestView::default()
        }
    }

    #[test]
    fn a_request_is_readable_from_who_to_result() {
        let now = "2026-11-21T20:00:00Z".parse().unwrap();
        let screen = Screen::remembering(Format::Table);
        print(&view(now), now, &screen).unwrap();
        let said = screen.said();
        for part in [
            "switchover of orders-db from fra to ams",
            "(over)",
            "one Approver-IT, not the requester (built-in ADR-001)",
            "Ingo as Approver-IT",
            "target_is_standby  UNKNOWN",
            "orders-a (-, primary): timeline 1, LSN 0/3010430",
            "Promote the target  done",
            "measured 1 min 15 s, target 1 min: MISSED",
            "write outage  unknown",
            "potential loss window up to 4 s",
        ] {
            assert!(said.contains(part), "{part} is not in:\n{said}");
        }
        assert!(!said.contains('\x1b'), "foreign text must not control the terminal");
    }

    #[test]
    fn programs_get_the_message_itself() {
        let now = "2026-11-21T20:00:00Z".parse().unwrap();
        let screen = Screen::remembering(Format::Json);
        print(&view(now), now, &screen).unwrap();
        let read: RequestView = serde_json::from_str(&screen.said()).unwrap();
        assert_eq!(read, view(now));
    }
}
