//! TC-050: from the request to the end of its run, every actor, time, payload and outcome is in the story and in the
//! report, and the report is there within 5 s.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use muster_domain::pb::{
    audit::v1::{AuditFilter, AuditRecord, GetRunReportRequest, GetStoryRequest, ReportFormat, StoryLine},
    request::v1::{RequestState, RequestType},
};
use muster_testing::{Person, Product};
use serde_json::Value;

use crate::support::{account, direction, ended, healthy, started};

const READY_WITHIN: Duration = Duration::from_secs(5);

pub(crate) async fn told_and_reported(product: &mut Product) -> Result<()> {
    let vera = product.person("vera").await?;
    healthy(product, "orders-db").await?;
    let (_, target) = direction(product, "orders-db").await?;
    // Nobody names a target: the drill is about the side where the system does not run, wherever it was brought before.
    let request = started(product, RequestType::ReadinessDrill, "orders-db", "").await?;
    ensure!(request.opened.clone().unwrap_or_default().target_site == target, "{target} expected: {request:?}");
    let id = request.request_id;
    // A viewer tries to go beyond what a viewer may.
    ensure!(vera.stop(&id, "I would like to").await.is_err(), "a viewer stops nothing");
    let view = ended(product, &id).await?;
    let over = Instant::now();
    ensure!(view.state() == RequestState::Succeeded, "{}", account(&view));

    let report = report(&vera, &id).await?;
    ensure!(over.elapsed() < READY_WITHIN, "the report took {:?}", over.elapsed());
    // Messages go out meanwhile: what was listed first is told later.
    let named = vera.events(AuditFilter { request_id: id.clone(), ..Default::default() }).await?;
    let lines = story(&vera, &id).await?;
    complete(&named, &lines)?;
    causes_first(&lines)?;
    let end = lines.iter().map(record).filter(|event| event.r#type.starts_with("execution.")).map(|e| e.sequence).max();
    let of_run: Vec<StoryLine> = lines.iter().filter(|line| Some(record(line).sequence) <= end).cloned().collect();
    says_it_all(&report, &of_run)?;
    // What follows a run, such as a schedule that it proves, is in a report that is made after the story was told.
    says_it_all(&self::report(&vera, &id).await?, &lines)?;
    by_command(product, &id, lines.len())
}

async fn story(person: &Person, id: &str) -> Result<Vec<StoryLine>> {
    let ask = GetStoryRequest { tenant: "acme".into(), request_id: id.into(), min_version: 0 };
    Ok(person.audit().get_story(person.request(ask)).await?.into_inner().lines)
}

async fn report(person: &Person, id: &str) -> Result<Value> {
    let format = ReportFormat::Json.into();
    let ask = GetRunReportRequest { tenant: "acme".into(), request_id: id.into(), format };
    let answer = person.audit().get_run_report(person.request(ask)).await?.into_inner();
    Ok(serde_json::from_slice(&answer.content)?)
}

fn record(line: &StoryLine) -> &AuditRecord {
    line.record.as_ref().expect("a line has its record")
}

/// Nothing that names the request is left out, and each line has all of its parts.
fn complete(named: &[AuditRecord], lines: &[StoryLine]) -> Result<()> {
    let told: BTreeMap<u64, &AuditRecord> = lines.iter().map(|line| (record(line).sequence, record(line))).collect();
    ensure!(told.len() == lines.len(), "an event is told twice");
    for event in named {
        let told = told.get(&event.sequence);
        ensure!(told.is_some_and(|told| *told == event), "listed as {event:?}, told as {told:?}");
    }
    for event in told.values() {
        let actor = event.actor.as_ref().is_some_and(|actor| !actor.id.is_empty());
        let complete = actor && event.time.is_some() && !event.outcome.is_empty() && event.payload_json.len() > 2;
        ensure!(complete, "{event:?}");
    }
    let chapters: BTreeSet<&str> = lines.iter().map(|line| line.chapter.as_str()).collect();
    ensure!(["gate", "decision", "execution"].iter().all(|chapter| chapters.contains(chapter)), "{chapters:?}");
    let who: BTreeSet<&str> = told.values().filter_map(|e| Some(e.actor.as_ref()?.name.as_str())).collect();
    ensure!(["Olga", "Ingo", "executor"].iter().all(|name| who.contains(name)), "{who:?}");
    for kind in ["request.created", "request.approved", "request.confirmed", "execution.started", "execution.succeeded"]
    {
        ensure!(told.values().any(|event| event.r#type == kind), "{kind} is missing");
    }
    Ok(())
}

/// Each event stands below and after what it says caused it.
fn causes_first(lines: &[StoryLine]) -> Result<()> {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let all: BTreeSet<&str> = lines.iter().map(|line| record(line).event_id.as_str()).collect();
    for line in lines {
        let cause = record(line).causation_id.as_str();
        if all.contains(cause) {
            let above = seen.get(cause).with_context(|| format!("{} before its cause", record(line).r#type))?;
            ensure!(line.depth > *above, "{} is not below its cause", record(line).r#type);
        }
        seen.insert(&record(line).event_id, line.depth);
    }
    Ok(())
}

fn says_it_all(report: &Value, lines: &[StoryLine]) -> Result<()> {
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    ensure!(report["state"] == "succeeded" && report["drill"] == true, "{report:#}");
    let decided: Vec<String> =
        list("decisions").iter().map(|d| format!("{} {}", d["who"], d["what"]).replace('"', "")).collect();
    ensure!(
        decided.iter().any(|d| d.starts_with("Ingo approved")) && decided.iter().any(|d| d == "Olga started it"),
        "{decided:?}"
    );
    ensure!(!list("checks").is_empty(), "no check is in the report");
    // Messages may have gone out between the two answers.
    let timeline: BTreeSet<u64> = list("timeline").iter().filter_map(|moment| moment["sequence"].as_u64()).collect();
    let is_message =
        |event: &AuditRecord| ["delivery/", "intent/"].iter().any(|kind| event.aggregate.starts_with(kind));
    let of_run = lines.iter().map(record).filter(|event| !is_message(event));
    for event in of_run {
        ensure!(timeline.contains(&event.sequence), "{} is not in the timeline", event.r#type);
    }
    let steps = list("steps");
    ensure!(steps.iter().all(|step| step["attempts"].as_array().is_some_and(|all| !all.is_empty())), "{steps:?}");
    Ok(())
}

fn by_command(product: &Product, id: &str, least: usize) -> Result<()> {
    product.cli("vera", &["login", "--as", "vera"])?.must_succeed()?;
    let told = product.cli("vera", &["audit", "story", id])?.must_succeed()?;
    ensure!(told.out.lines().count() > least, "{}", told.out);
    let page = product.cli("vera", &["audit", "report", id])?.must_succeed()?;
    ensure!(page.out.contains("<h2>Decisions</h2>") && page.out.contains("Ingo"), "{}", page.out);
    let outside = ["<script", "http://", "https://", "src=\""];
    ensure!(!outside.iter().any(|outside| page.out.contains(outside)), "the page is self-contained");
    Ok(())
}
