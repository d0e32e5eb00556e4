//! One request in readable form: who asked for what, who said yes, what was checked, done and found.

use jiff::Timestamp;
use muster_domain::access::role_name;
use muster_domain::pb::request::v1::{RequestOpened, RequestState, RequestView};
use muster_domain::request::{policy_words, type_name};
use muster_domain::time::from_pb;

use super::{run, scope, scope_words, state_cell};
use crate::client::{
    error::CliError,
    output::{Screen, style::Tone, table::Cell, words},
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
        run::print(execution, screen)?;
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
    screen.field("requester", format!("{} at {}", super::opener(opened), words::time(opened.opened_at.as_ref())))?;
    if !opened.schedule.is_empty() {
        screen.field("declared by", format!("{}, who does not approve it", words::actor(opened.requester.as_ref())))?;
    }
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
    use muster_domain::pb::execution::v1::{
        Check, CheckOutcome, DrillCopy, ExecutionStarted, ExecutionState, ExecutionSucceeded, ExecutionView,
        ManualStepDecided, Member, MemberOutcome, RunNoted, Step, StepState, StepView, UndoBegun,
    };
    use muster_domain::pb::inventory::v1::ApprovalRequirement;
    use muster_domain::pb::request::v1::{ApprovalPolicy, RequestApproved, RequestType};
    use muster_domain::time::{duration_to_pb, to_pb};

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
                    members: vec![Member {
                        resource: "carts".into(),
                        platform: "mariadb".into(),
                        from_node: "carts-a".into(),
                        target_node: "carts-b".into(),
                        there_already: true,
                        ..Member::default()
                    }],
                    ..ExecutionStarted::default()
                }),
                notes: vec![RunNoted {
                    actor: person("Olga"),
                    text: "the shop is told".into(),
                    step: "dns".into(),
                    ..RunNoted::default()
                }],
                manual_decisions: vec![ManualStepDecided {
                    step: "call".into(),
                    actor: person("Ingo"),
                    done: false,
                    note: "nobody answers".into(),
                    ..ManualStepDecided::default()
                }],
                undo: Some(UndoBegun {
                    because_of_step: "call".into(),
                    reason: "it is not done".into(),
                    ..UndoBegun::default()
                }),
                undo_steps: vec![StepView {
                    step: Some(Step { title: "Point the name back".into(), ..Step::default() }),
                    state: StepState::Failed.into(),
                    attempts: 1,
                    note: "no answer".into(),
                    ..StepView::default()
                }],
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
                    members: vec![MemberOutcome {
                        resource: "carts".into(),
                        site: "ams".into(),
                        moved: true,
                        ..MemberOutcome::default()
                    }],
                    tolerated: vec!["warm-up".into()],
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
            "carts (mariadb): carts-a -> carts-b, there already, not moved",
            "by Olga at - (dns): the shop is told",
            "call NOT done, by Ingo",
            "because of step call: it is not done",
            "Point the name back  FAILED",
            "carts: moved, runs at ams, NOT protected",
            "warm-up",
        ] {
            assert!(said.contains(part), "{part} is not in:\n{said}");
        }
        assert!(!said.contains('\x1b'), "foreign text must not control the terminal");
    }

    #[test]
    fn a_schedule_is_named_as_what_opened_it() {
        let now = "2026-11-21T20:00:00Z".parse().unwrap();
        let mut view = view(now);
        let opened = view.opened.as_mut().unwrap();
        opened.schedule = "orders-monthly-proof".into();
        opened.requester = Some(Actor { id: "https://idp.example|ada".into(), ..Actor::default() });
        let screen = Screen::remembering(Format::Table);
        print(&view, now, &screen).unwrap();
        let said = screen.said();
        assert!(said.contains("schedule orders-monthly-proof at -"), "{said}");
        assert!(said.contains("https://idp.example|ada, who does not approve it"), "{said}");
    }

    #[test]
    fn a_drill_says_what_a_restore_would_have_meant_and_nothing_about_an_outage() {
        let now = Timestamp::UNIX_EPOCH;
        let mut drill = view(now);
        let run = drill.execution.as_mut().unwrap();
        run.started.as_mut().unwrap().drill = true;
        run.copies = vec![DrillCopy {
            resource: "orders-db".into(),
            source: "base backup of orders-b".into(),
            loss_window: Some(duration_to_pb(SignedDuration::from_secs(3))),
            ..DrillCopy::default()
        }];
        let screen = Screen::remembering(Format::Table);
        print(&drill, now, &screen).unwrap();
        let said = screen.said();
        let copy = "orders-db: base backup of orders-b, newest data -, loss window 3 s, usable in unknown";
        assert!(said.contains(copy), "{said}");
        assert!(!said.contains("write outage") && !said.contains("data loss"), "{said}");
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
