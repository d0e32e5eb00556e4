//! The calendar: a due time opens a request and asks people, and never runs anything by itself.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use muster_domain::pb::{
    audit::v1::AuditFilter,
    request::v1::{ListRequestsRequest, RequestState, RequestView},
};
use muster_testing::{
    Person, Product,
    poll::{self, Look},
};
use tonic::Code;

use crate::{
    alerts::messages_arrive,
    support::{account, ended, healthy, refused},
};

const RESOURCE: &str = "orders-db";
/// From its due time to the request in the list, on a busy machine.
const OPENED: Duration = Duration::from_secs(60);

fn manifest(name: &str, due: Timestamp, more: &str) -> String {
    format!(
        "kind: Schedule\nmetadata: {{name: {name}, tenant: acme}}\nspec:\n  what: readiness-drill\n  resource: {RESOURCE}\n  \
         dates: [\"{due:.0}\"]\n  timeZone: Europe/Berlin\n  reason: monthly proof\n  ticket: CHG-60\n{more}"
    )
}

fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(seconds)
}

/// The request that the schedule opened.
async fn opened(person: &Person, schedule: &str) -> Result<RequestView> {
    poll::until(&format!("the request of schedule {schedule}"), OPENED, || async {
        let ask = ListRequestsRequest { tenant: "acme".into(), ..Default::default() };
        let listed = person.approval().list_requests(person.request(ask)).await?.into_inner().requests;
        let of = |view: &RequestView| view.opened.as_ref().is_some_and(|opened| opened.schedule == schedule);
        Ok(match listed.iter().find(|view| of(view)) {
            Some(view) => Look::Found(view.clone()),
            None => Look::NotYet(listed.len()),
        })
    })
    .await
}

/// TC-060: declared, previewed with the offsets of its clock, noticed, due; the request asks the approvers, the drill is
/// run, and the schedule knows its success.
pub(crate) async fn falls_due(product: &mut Product) -> Result<()> {
    healthy(product, RESOURCE).await?;
    let (ada, olga) = (product.person("ada").await?, product.person("olga").await?);
    product.cli("vera", &["login", "--as", "vera"])?.must_succeed()?;

    let monthly = "kind: Schedule\nmetadata: {name: third-saturday, tenant: acme}\nspec:\n  what: isolated-drill\n  \
                   resource: orders-db\n  rrule: FREQ=MONTHLY;BYDAY=3SA;BYHOUR=2\n  timeZone: Europe/Berlin\n";
    ada.apply("acme", monthly, false).await?;
    let dates = ["schedule", "preview", "third-saturday", "--after", "2026-10-01", "-o", "json"];
    let preview = product.cli("vera", &dates)?.must_succeed()?.json()?;
    let local: Vec<&str> =
        preview["occurrences"].as_array().context("dates")?.iter().filter_map(|o| o["localTime"].as_str()).collect();
    ensure!(local.len() == 10, "{preview}");
    ensure!(local[0] == "2026-10-17T02:00:00+02:00[Europe/Berlin]", "summer time: {local:?}");
    ensure!(local[1] == "2026-11-21T02:00:00+01:00[Europe/Berlin]", "winter time: {local:?}");

    ada.apply("acme", &manifest("proof", in_seconds(4), "  notices: [2s]\n  window: 1h\n"), false).await?;
    messages_arrive(product, "schedule.upcoming", RESOURCE).await?;
    let request = opened(&olga, "proof").await?;
    messages_arrive(product, "schedule.due", RESOURCE).await?;
    let told = request.opened.clone().unwrap_or_default();
    ensure!(told.due_at.is_some() && told.plan.is_some() && told.reason == "monthly proof", "{told:?}");
    ensure!(request.state() == RequestState::PendingApproval, "{:?} {:?}", request.state(), request.missing);
    // Whoever declared it asked for it.
    ensure!(told.requester.clone().unwrap_or_default().id.contains("ada"), "{:?}", told.requester);

    let id = request.request_id.clone();
    refused(olga.start(&id, &told.confirmation_phrase).await, Code::FailedPrecondition, "NOT_APPROVED")?;
    let mut view = product.person("ingo").await?.approve(&id).await?;
    if view.state() == RequestState::PendingApproval {
        view = product.person("bea").await?.approve(&id).await?;
    }
    ensure!(view.state() == RequestState::Approved, "{:?}", view.missing);
    olga.start(&id, &told.confirmation_phrase).await?;
    let done = ended(product, &id).await?;
    ensure!(done.state() == RequestState::Succeeded, "{}", account(&done));
    becomes(product, "proof", "OCCURRENCE_STATE_SUCCEEDED").await?;
    Ok(())
}

/// TC-061: nobody decides: it is never run, it lapses, that is told, and the record has no confirmation.
pub(crate) async fn never_by_itself(product: &mut Product) -> Result<()> {
    let (ada, olga) = (product.person("ada").await?, product.person("olga").await?);
    product.cli("vera", &["login", "--as", "vera"])?.must_succeed()?;
    ada.apply("acme", &manifest("nobody-comes", in_seconds(3), "  window: 4s\n  overdueAfter: 6s\n"), false).await?;
    let request = opened(&olga, "nobody-comes").await?;
    messages_arrive(product, "schedule.lapsed", RESOURCE).await?;
    messages_arrive(product, "schedule.overdue", RESOURCE).await?;
    let shown = olga.show(&request.request_id).await?;
    ensure!(shown.state() == RequestState::Expired && shown.execution.is_none(), "{}", account(&shown));
    ensure!(shown.confirmed.is_none(), "nobody confirmed it: {:?}", shown.confirmed);
    becomes(product, "nobody-comes", "OCCURRENCE_STATE_OVERDUE").await?;
    let filter = AuditFilter { request_id: request.request_id.clone(), ..Default::default() };
    let types: Vec<String> =
        product.person("vera").await?.events(filter).await?.into_iter().map(|e| e.r#type).collect();
    ensure!(types.contains(&"request.created".to_owned()), "{types:?}");
    ensure!(!types.iter().any(|kind| kind == "request.confirmed" || kind.starts_with("execution.")), "{types:?}");
    Ok(())
}

async fn becomes(product: &Product, schedule: &str, state: &str) -> Result<()> {
    poll::until(&format!("schedule {schedule} to be {state}"), OPENED, || async {
        let shown = product.cli("vera", &["schedule", "show", schedule, "-o", "json"])?.must_succeed()?.json()?;
        let found = shown["occurrences"][0]["state"].as_str().unwrap_or_default().to_owned();
        Ok(if found == state { Look::Found(()) } else { Look::NotYet(shown.to_string()) })
    })
    .await
}
