//! `muster describe`: one thing with everything known about it.

use clap::Args;
use jiff::Timestamp;
use muster_domain::pb::common::v1::PageRequest;
use muster_domain::pb::inventory::v1::{Document, Kind};
use muster_domain::pb::readiness::v1::{Assessment, GetReadinessRequest, ReadinessView, Status};
use muster_domain::pb::request::v1::{ListRequestsRequest, RequestView};
use serde_json::json;
use tonic::Code;

use super::{
    error::CliError,
    get::{fetch_document, yaml},
    kinds,
    output::{Screen, table::clean, words},
    request,
    session::Session,
};

/// What happened last; the rest is `muster request list --resource NAME`.
const LAST_REQUESTS: u32 = 5;

#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// tenant, site, resource, group, policy or route.
    kind: String,
    name: String,
}

pub(crate) async fn run(args: DescribeArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let kind = kinds::must_be_document_kind(&args.kind)?;
    let document = fetch_document(kind, &args.name, session).await?;
    if kind != Kind::Resource {
        return if screen.is_table() { show_document(&document, screen) } else { screen.value(&document) };
    }
    let readiness = readiness(&args.name, session).await?;
    let requests = last_requests(&args.name, session).await?;
    if !screen.is_table() {
        return screen.value(&json!({ "document": document, "readiness": readiness, "requests": requests }));
    }
    show_document(&document, screen)?;
    match &readiness {
        Some(view) => show_readiness(view, session.clock.now(), screen)?,
        None => screen.line("\nreadiness: not known at this moment, so it counts as UNKNOWN")?,
    }
    screen.line("")?;
    screen.heading("last requests")?;
    request::table(&requests).print(screen, "  none")
}

/// `None`: the monitor has not seen it yet, or does not answer. The document is shown anyway.
async fn readiness(name: &str, session: &Session) -> Result<Option<ReadinessView>, CliError> {
    let ask = GetReadinessRequest { tenant: session.tenant(), resource: name.to_owned(), min_version: 0 };
    match session.monitor().get_readiness(session.ask(ask)).await {
        Ok(answer) => Ok(answer.into_inner().resource),
        Err(status) if matches!(status.code(), Code::NotFound | Code::Unavailable | Code::Unimplemented) => Ok(None),
        Err(status) => Err(status.into()),
    }
}

async fn last_requests(name: &str, session: &Session) -> Result<Vec<RequestView>, CliError> {
    let page = Some(PageRequest { page_size: LAST_REQUESTS, page_token: String::new() });
    let ask = ListRequestsRequest {
        tenant: session.tenant(),
        resource: name.to_owned(),
        page,
        ..ListRequestsRequest::default()
    };
    Ok(session.approval().list_requests(session.ask(ask)).await?.into_inner().requests)
}

fn show_document(document: &Document, screen: &Screen) -> Result<(), CliError> {
    screen.heading(&kinds::title(document.kind(), &document.name))?;
    let retired = if document.retired { ", RETIRED" } else { "" };
    screen.field("version", format!("{}{retired}", document.version))?;
    screen.field(
        "declared",
        format!("{} by {}", words::time(document.declared_at.as_ref()), words::or_dash(&document.declared_by)),
    )?;
    screen.line("")?;
    for line in yaml(document)?.trim_end().lines() {
        screen.line(&format!("  {}", clean(line)))?;
    }
    Ok(())
}

fn show_readiness(view: &ReadinessView, now: Timestamp, screen: &Screen) -> Result<(), CliError> {
    screen.line("")?;
    screen.heading("readiness")?;
    let assessment = view.assessment.clone().unwrap_or_default();
    screen.field("status", words::status(assessment.status()))?;
    screen.field("since", words::time(view.status_since.as_ref()))?;
    screen.field("freshness", format!("newest observation {} old", words::duration(view.freshness.as_ref())))?;
    screen.field(
        "runs on",
        if view.active_site.is_empty() { words::UNKNOWN.to_owned() } else { view.active_site.clone() },
    )?;
    screen.field(
        "RPO",
        format!(
            "now {}, target {}",
            words::duration(assessment.rpo_now.as_ref()),
            words::duration(view.rpo_target.as_ref())
        ),
    )?;
    screen.field("RTO target", words::duration(view.rto_target.as_ref()))?;
    show_evidence(&assessment, screen)?;
    if let Some(thresholds) = &view.thresholds {
        screen.field(
            "limits",
            format!(
                "RPO warning {}, breach {} for {}; stale after {}, lost after {}",
                words::duration(thresholds.rpo_warning.as_ref()),
                words::duration(thresholds.rpo_breach.as_ref()),
                words::duration(thresholds.breach_for.as_ref()),
                words::duration(thresholds.stale_after.as_ref()),
                words::duration(thresholds.lost_after.as_ref()),
            ),
        )?;
    }
    if let Some(good) = &view.last_known_good {
        screen.line("")?;
        screen.heading(&format!("last known good ({})", words::ago(good.observed_at.as_ref(), now)))?;
        screen.field("status then", words::status(good.status()))?;
        show_evidence(good, screen)?;
    }
    screen.line("")?;
    screen.heading("open alerts")?;
    for alert in &view.open_alerts {
        screen.field(words::alert_kind(alert.kind()), format!("since {}", words::time(alert.opened_at.as_ref())))?;
    }
    if view.open_alerts.is_empty() { screen.line(&format!("  {}", no_alert(view))) } else { Ok(()) }
}

/// A red system whose alert is not there yet looks like one that nobody will be told about.
fn no_alert(view: &ReadinessView) -> String {
    let is_red = view.assessment.as_ref().is_some_and(|assessment| assessment.status() == Status::Red);
    match view.thresholds.as_ref().filter(|_| is_red) {
        None => "none".to_owned(),
        Some(limits) => {
            format!("none yet: it opens when the problem has lasted {}", words::duration(limits.breach_for.as_ref()))
        }
    }
}

/// Reasons with their numbers, positions, and what can be said about missing data.
fn show_evidence(assessment: &Assessment, screen: &Screen) -> Result<(), CliError> {
    for reason in &assessment.reasons {
        screen.field("reason", format!("{}: {}", reason.code, reason.text))?;
        for number in &reason.measurements {
            let value = |value: Option<f64>| {
                value.map_or_else(|| words::UNKNOWN.to_owned(), |value| format!("{value} {}", number.unit))
            };
            let limit = number.limit.map_or_else(String::new, |_| format!(" (limit {})", value(number.limit)));
            screen.field("", format!("{} = {}{limit}", number.name, value(number.value)))?;
        }
    }
    screen.field("not received", words::bytes(assessment.not_received_bytes))?;
    screen.field("not applied", words::bytes(assessment.not_applied_bytes))?;
    for (name, marker) in [("primary", &assessment.primary), ("standby", &assessment.standby)] {
        screen.field(name, marker.as_ref().map_or_else(|| "marker unavailable".to_owned(), words::marker))?;
    }
    for (index, line) in words::loss(assessment.loss.as_ref()).into_iter().enumerate() {
        screen.field(if index == 0 { "data loss" } else { "" }, line)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use muster_domain::pb::common::v1::Thresholds;

    use super::*;

    #[test]
    fn a_red_system_without_an_alert_says_when_it_comes() {
        let mut view = ReadinessView {
            assessment: Some(Assessment { status: Status::Red.into(), ..Assessment::default() }),
            thresholds: Some(Thresholds {
                breach_for: Some(muster_domain::time::duration_to_pb(jiff::SignedDuration::from_secs(30))),
                ..Thresholds::default()
            }),
            ..ReadinessView::default()
        };
        assert_eq!(no_alert(&view), "none yet: it opens when the problem has lasted 30 s");
        view.assessment = Some(Assessment { status: Status::Yellow.into(), ..Assessment::default() });
        assert_eq!(no_alert(&view), "none");
    }
}
