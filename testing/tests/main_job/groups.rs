//! A group of three platforms moves as one and comes back; the emergency path; a stop in the middle; a copy apart.

use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::Timestamp;
use muster_domain::{
    pb::{
        audit::v1::AuditFilter,
        common::v1::LossCertainty,
        execution::v1::{CheckOutcome, ExecutionView, StepState, StopExecutionRequest},
        request::v1::{
            BreakGlassRequest, OpenRequestRequest, RequestState, RequestType, RequestView, ReviewBreakGlassRequest,
        },
    },
    time::{duration_to_pb, from_pb},
};
use muster_testing::{
    Product,
    poll::{self, Look},
};
use tonic::Code;

use crate::{
    alerts::messages_arrive,
    support::{account, direction, ended, green_on, healthy, refused, rows, writable_nodes},
};

const GROUP: &str = "shop";
/// In dependency order.
const MEMBERS: [&str; 3] = ["orders-db", "catalog-db", "session-cache"];

/// Over by a switchover, back by a failback (TC-045), with the application writing to all three.
pub(crate) async fn over_and_back(product: &mut Product) -> Result<()> {
    if skipped(product) {
        return Ok(());
    }
    let (home, away) = at_home(product).await?;
    let over = run(product, RequestType::Switchover, &away).await?;
    all_moved(product, &over, &away).await?;
    in_order(&over.execution.clone().unwrap_or_default())?;

    // The way back has approvals of its own, and the original site as its only target.
    let olga = product.person("olga").await?;
    refused(olga.open_with(ask(RequestType::Failback, &away)).await, Code::InvalidArgument, "FAILBACK_TARGET")?;
    let request = olga.open_with(ask(RequestType::Failback, &home)).await?;
    let phrase = phrase(&request);
    ensure!(phrase == format!("failback {GROUP} from {away} to {home}"), "{phrase}");
    refused(olga.start(&request.request_id, &phrase).await, Code::FailedPrecondition, "NOT_APPROVED")?;
    approve(product, &request.request_id).await?;
    olga.start(&request.request_id, &phrase).await?;
    let back = ended(product, &request.request_id).await?;
    all_moved(product, &back, &home).await?;
    for kind in ["request.created", "request.approved", "request.started", "request.succeeded"] {
        messages_arrive(product, kind, GROUP).await?;
    }
    Ok(())
}

/// The run is stopped when the first system has moved and the second is on its way. What is left is said, and a
/// failback leaves that state again.
pub(crate) async fn stopped_in_the_middle(product: &mut Product) -> Result<()> {
    if skipped(product) {
        return Ok(());
    }
    let (home, away) = at_home(product).await?;
    let olga = product.person("olga").await?;
    let request = olga.open_with(ask(RequestType::Switchover, &away)).await?;
    approve(product, &request.request_id).await?;
    olga.start(&request.request_id, &phrase(&request)).await?;
    poll::until("the second system to begin", Duration::from_secs(180), || async {
        let run = olga.show(&request.request_id).await?.execution.unwrap_or_default();
        let begun = run.steps.iter().any(|step| of(step) == MEMBERS[1] && step.state() != StepState::Pending);
        Ok(if begun { Look::Found(()) } else { Look::NotYet(run.state()) })
    })
    .await?;
    let stop = StopExecutionRequest {
        tenant: "acme".into(),
        request_id: request.request_id.clone(),
        reason: "the window closes".into(),
        ..Default::default()
    };
    olga.executor().stop_execution(olga.request(stop)).await?;
    let over = ended(product, &request.request_id).await?;
    ensure!(over.state() == RequestState::Stopped, "{}", account(&over));
    let end = over.execution.clone().unwrap_or_default().stopped.unwrap_or_default();
    ensure!(!end.guidance.is_empty() && !end.before_step.is_empty(), "{end:?}");
    for member in MEMBERS {
        ensure!(end.known_state.contains(member), "{member} is not in: {}", end.known_state);
        ensure!(writable_nodes_of(product, member).await? == 1, "one primary of {member}");
    }
    // Some are here, some there: the failback moves just those that have to.
    let back = run(product, RequestType::Failback, &home).await?;
    ensure!(back.state() == RequestState::Succeeded, "{}", account(&back));
    let started = back.execution.unwrap_or_default().started.unwrap_or_default();
    ensure!(started.members.iter().any(|member| member.there_already), "{:?}", started.members);
    let vera = product.person("vera").await?;
    for member in MEMBERS {
        green_on(&vera, member, &home).await?;
        ensure!(rows(product, member)?.lost == 0, "no acknowledged row of {member} is lost");
    }
    Ok(())
}

/// A review that nobody writes raises its alarm this soon.
const REVIEW_WITHIN: &str = "5s";

/// TC-006: started without the missing approval, within its time, told at once; nobody reviews it in time, which is told
/// too; then it is reviewed by somebody else.
pub(crate) async fn break_glass(product: &mut Product) -> Result<()> {
    healthy(product, "billing-db").await?;
    let (_, away) = direction(product, "billing-db").await?;
    let (olga, ingo) = (product.person("olga").await?, product.person("ingo").await?);
    let policy = format!(
        "kind: Policy\nmetadata: {{name: emergencies, tenant: acme}}\nspec:\n  breakGlass: {{limit: 45m, reviewWithin: {REVIEW_WITHIN}}}\n"
    );
    product.person("ada").await?.apply("acme", &policy, false).await?;
    let ask = |incident: &str, limit: i64| OpenRequestRequest {
        tenant: "acme".into(),
        r#type: RequestType::Switchover.into(),
        resource: "billing-db".into(),
        target_site: away.clone(),
        reason: "the rack is on fire".into(),
        ticket: "CHG-7".into(),
        break_glass: Some(BreakGlassRequest {
            incident: incident.into(),
            reason: "no approver answers".into(),
            limit: Some(duration_to_pb(jiff::SignedDuration::from_mins(limit))),
        }),
        ..OpenRequestRequest::default()
    };
    let without = olga.open_with(ask("", 10)).await.expect_err("an incident is needed");
    ensure!(without.code() == Code::InvalidArgument && without.message().contains("incident"), "{without:?}");
    let long = olga.open_with(ask("INC-1", 600)).await.expect_err("at most an hour");
    ensure!(long.code() == Code::InvalidArgument && long.message().contains("limit"), "{long:?}");

    let request = olga.open_with(ask("INC-1", 10)).await?;
    let glass = request.opened.clone().unwrap_or_default().break_glass.unwrap_or_default();
    ensure!(!glass.skipped.is_empty() && glass.until.is_some() && glass.review_due.is_some(), "{glass:?}");
    messages_arrive(product, "request.break_glass", "billing-db").await?;
    refused(olga.start(&request.request_id, "yes").await, Code::InvalidArgument, "PHRASE_WRONG")?;
    olga.start(&request.request_id, &phrase(&request)).await?;
    let done = ended(product, &request.request_id).await?;
    ensure!(done.state() == RequestState::Succeeded, "{}", account(&done));
    let confirmed = done.confirmed.clone().unwrap_or_default();
    ensure!(confirmed.break_glass && confirmed.approvals.is_empty() && !confirmed.missing.is_empty(), "{confirmed:?}");

    messages_arrive(product, "request.break_glass_review_overdue", "billing-db").await?;
    product.cli("ingo", &["login", "--as", "ingo"])?.must_succeed()?;
    let shown = product.cli("ingo", &["request", "show", &request.request_id])?.must_succeed()?;
    ensure!(shown.out.contains("OVERDUE, was due"), "{}", shown.out);
    // The review is by somebody who did not break the glass.
    let review = || ReviewBreakGlassRequest {
        tenant: "acme".into(),
        request_id: request.request_id.clone(),
        justified: true,
        findings: "the rack really was on fire".into(),
        ..Default::default()
    };
    let own = olga.approval().review_break_glass(olga.request(review())).await;
    ensure!(own.is_err_and(|status| status.code() == Code::PermissionDenied), "olga is no approver");
    ingo.approval().review_break_glass(ingo.request(review())).await?;
    let shown = ingo.show(&request.request_id).await?;
    ensure!(shown.review.is_some_and(|review| review.justified), "the review shows");
    let filter = AuditFilter { request_id: request.request_id.clone(), ..Default::default() };
    let types: Vec<String> = ingo.events(filter).await?.into_iter().map(|event| event.r#type).collect();
    for kind in [
        "request.created",
        "request.confirmed",
        "request.break_glass_review_overdue",
        "request.break_glass_reviewed",
        "execution.succeeded",
    ] {
        ensure!(types.iter().any(|found| found == kind), "{kind} is not in {types:?}");
    }
    green_on(&ingo, "billing-db", &away).await
}

/// A copy of the standby is started apart, asked, measured and removed; nothing of it is left.
pub(crate) async fn isolated_drill(product: &mut Product) -> Result<()> {
    healthy(product, "orders-db").await?;
    let olga = product.person("olga").await?;
    let before = processes_of(product);
    let request = olga
        .open_with(OpenRequestRequest {
            tenant: "acme".into(),
            r#type: RequestType::IsolatedDrill.into(),
            resource: "orders-db".into(),
            reason: "monthly".into(),
            ticket: "CHG-8".into(),
            ..OpenRequestRequest::default()
        })
        .await?;
    product.person("ingo").await?.approve(&request.request_id).await?;
    olga.start(&request.request_id, &phrase(&request)).await?;
    let done = ended(product, &request.request_id).await?;
    ensure!(done.state() == RequestState::Succeeded, "{}", account(&done));
    let run = done.execution.unwrap_or_default();
    let [copy] = run.copies.as_slice() else { anyhow::bail!("{:?}", run.copies) };
    ensure!(copy.restore_time.is_some() && copy.newest_data_at.is_some() && copy.loss_window.is_some(), "{copy:?}");
    ensure!(!copy.teardown.is_empty(), "the removal was checked");
    for check in &copy.teardown {
        ensure!(check.outcome() == CheckOutcome::Passed, "{check:?}");
    }
    ensure!(!run.integrity.is_empty() && run.integrity.iter().all(|one| one.answer.is_some()), "{:?}", run.integrity);
    let left: Vec<String> = processes_of(product).into_iter().filter(|one| one.contains(&request.request_id)).collect();
    ensure!(left.is_empty(), "{left:?}");
    ensure!(!before.is_empty(), "processes can be seen at all");
    ensure!(rows(product, "orders-db")?.lost == 0, "production was not touched");
    healthy(product, "orders-db").await
}

fn skipped(product: &Product) -> bool {
    let pairs = product.pairs();
    let here = MEMBERS.iter().all(|member| pairs.iter().any(|pair| pair == member));
    if !here {
        println!("skipped: MariaDB or Redis is not on this machine (scripts/setup says why)");
    }
    !here
}

async fn at_home(product: &Product) -> Result<(String, String)> {
    for member in MEMBERS {
        healthy(product, member).await?;
    }
    let view = product.person("vera").await?.readiness(MEMBERS[0]).await?;
    let (home, away) = (view.primary_site.clone(), view.dr_site.clone());
    let vera = product.person("vera").await?;
    for member in MEMBERS {
        if vera.readiness(member).await?.active_site != home {
            let back = run(product, RequestType::Failback, &home).await?;
            ensure!(back.state() == RequestState::Succeeded, "{}", account(&back));
        }
        green_on(&vera, member, &home).await?;
    }
    Ok((home, away))
}

fn ask(kind: RequestType, target: &str) -> OpenRequestRequest {
    OpenRequestRequest {
        tenant: "acme".into(),
        r#type: kind.into(),
        group: GROUP.into(),
        target_site: target.into(),
        reason: "end-to-end test".into(),
        ticket: "CHG-9".into(),
        ..OpenRequestRequest::default()
    }
}

fn phrase(request: &RequestView) -> String {
    request.opened.clone().unwrap_or_default().confirmation_phrase
}

async fn approve(product: &Product, id: &str) -> Result<()> {
    product.person("ingo").await?.approve(id).await?;
    let view = product.person("bea").await?.approve(id).await?;
    ensure!(view.state() == RequestState::Approved, "not approved: {:?}", view.missing);
    Ok(())
}

async fn run(product: &Product, kind: RequestType, target: &str) -> Result<RequestView> {
    let olga = product.person("olga").await?;
    let request = olga.open_with(ask(kind, target)).await?;
    approve(product, &request.request_id).await?;
    olga.start(&request.request_id, &phrase(&request)).await?;
    ended(product, &request.request_id).await
}

async fn all_moved(product: &Product, done: &RequestView, site: &str) -> Result<()> {
    ensure!(done.state() == RequestState::Succeeded, "{}", account(done));
    let run = done.execution.clone().unwrap_or_default();
    ensure!(run.steps.iter().all(|step| step.state() == StepState::Succeeded), "{:?}", run.steps);
    let end = run.succeeded.unwrap_or_default();
    let vera = product.person("vera").await?;
    for member in MEMBERS {
        let outcome = end.members.iter().find(|outcome| outcome.resource == member).cloned().unwrap_or_default();
        ensure!(outcome.moved && outcome.protected && outcome.site == site, "{outcome:?}");
        let loss = outcome.loss.unwrap_or_default();
        ensure!(loss.certainty() == LossCertainty::ProvenNone && !loss.limits.is_empty(), "{member}: {loss:?}");
        ensure!(run.prechecks.iter().any(|check| check.resource == member), "prechecks of {member}");
        ensure!(run.postchecks.iter().any(|check| check.resource == member), "postchecks of {member}");
        green_on(&vera, member, site).await?;
        ensure!(writable_nodes_of(product, member).await? == 1, "one primary of {member}");
        ensure!(rows(product, member)?.lost == 0, "no acknowledged row of {member} is lost");
    }
    Ok(())
}

/// Each system moves only after the one it depends on has.
fn in_order(run: &ExecutionView) -> Result<()> {
    let times = |member: &str| {
        let steps = run.steps.iter().filter(|step| of(step) == member);
        let begun: Option<Timestamp> = steps.clone().filter_map(|step| from_pb(step.started_at.as_ref())).min();
        let done: Option<Timestamp> = steps.filter_map(|step| from_pb(step.finished_at.as_ref())).max();
        (begun, done)
    };
    for pair in MEMBERS.windows(2) {
        let ((_, done), (begun, _)) = (times(pair[0]), times(pair[1]));
        ensure!(done.is_some() && done <= begun, "{} ended at {done:?}, {} began at {begun:?}", pair[0], pair[1]);
    }
    Ok(())
}

fn of(step: &muster_domain::pb::execution::v1::StepView) -> &str {
    step.step.as_ref().map(|step| step.resource.as_str()).unwrap_or_default()
}

/// Asked of PostgreSQL itself; of the others through the demo's own hands.
async fn writable_nodes_of(product: &Product, member: &str) -> Result<usize> {
    if member == "orders-db" {
        return Ok(writable_nodes(&product.data(), member).await?.len());
    }
    // Counting rows needs exactly one node that takes writes.
    rows(product, member).map(|_| 1)
}

/// Command lines that name the product's data or a drill.
fn processes_of(product: &Product) -> Vec<String> {
    let data = product.data().display().to_string();
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let lines = processes.flatten().filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&data) || line.contains("drill"))
        .collect()
}
