//! The record of everything that the cases before have done.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use muster_domain::{
    access::TABLE,
    pb::{
        audit::v1::{AuditFilter, ExportFormat},
        request::v1::RequestType,
    },
};
use muster_testing::Product;
use serde_json::Value;

use crate::support::direction;

pub(crate) async fn complete_and_exported(product: &mut Product) -> Result<()> {
    let vera = product.person("vera").await?;
    // So that the case also stands alone: a request that a viewer tries to approve.
    let (_, target) = direction(product, "orders-db").await?;
    let request = product.person("olga").await?.open(RequestType::Switchover, "orders-db", &target).await?;
    let _ = vera.approve(&request.request_id).await;

    let json = vera.export(ExportFormat::Json, AuditFilter::default()).await?;
    let events: Vec<Value> = String::from_utf8(json)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let csv = vera.export(ExportFormat::Csv, AuditFilter::default()).await?;
    let mut reader = csv::Reader::from_reader(csv.as_slice());
    let rows: Vec<BTreeMap<String, String>> = reader.deserialize().collect::<Result<_, _>>()?;

    // Without a gap from the first event on; the second export also holds the event of the first.
    for (index, event) in events.iter().enumerate() {
        let sequence: usize = event["sequence"].as_str().context("sequence")?.parse()?;
        ensure!(sequence == index + 1, "event {} stands at place {}", sequence, index + 1);
        for field in ["time", "eventId", "type", "outcome", "payloadSha256"] {
            ensure!(event[field].as_str().is_some_and(|text| !text.is_empty()), "{field} is missing in {event}");
        }
        ensure!(event["actor"]["id"].as_str().is_some_and(|id| !id.is_empty()), "no actor in {event}");
    }
    ensure!(rows.len() > events.len(), "{} rows of CSV, {} of JSON", rows.len(), events.len());
    for (row, event) in rows.iter().zip(&events) {
        ensure!(
            row["seq"] == event["sequence"].as_str().unwrap_or_default()
                && row["event_id"] == event["eventId"].as_str().unwrap_or_default(),
            "{row:?} {event}"
        );
    }
    // What the list shows is what is exported.
    let listed = vera.events(AuditFilter::default()).await?;
    ensure!(
        listed.iter().zip(&events).all(|(a, b)| a.event_id == b["eventId"].as_str().unwrap_or_default())
            && listed.len() > events.len(),
        "list and export agree"
    );
    let one = AuditFilter { request_id: request.request_id.clone(), ..Default::default() };
    let of_request = vera.events(one).await?;
    ensure!(
        of_request.iter().any(|r| r.r#type == "request.created")
            && of_request.iter().all(|r| r.request_id == request.request_id),
        "filtered by request"
    );

    let denied = |event: &&Value| {
        event["type"] == "access.denied"
            && event["actor"]["name"] == "Vera"
            && event["reason"].as_str().is_some_and(|why| why.contains("ApproveRequest"))
    };
    ensure!(
        events.iter().find(denied).is_some_and(|event| event["outcome"] == "denied"),
        "the viewer's attempt is a denial"
    );

    // TC-052: what people may do beside reading adds events (gaps, reviews, keys); nothing takes one away.
    let changing = TABLE.iter().filter(|rule| rule.changes && rule.method.contains("AuditService"));
    let verbs = changing.filter_map(|rule| rule.method.split_once('/')).map(|(_, verb)| verb).collect::<Vec<_>>();
    let adding = |verb: &&str| verb.ends_with("Gap") || verb.starts_with("Review") || verb.ends_with("Key");
    ensure!(!verbs.is_empty() && verbs.iter().all(adding), "{verbs:?}");
    product.cli("vera", &["login", "--as", "vera"])?.must_succeed()?;
    let said = product.cli("vera", &["audit", "export", "--format", "json"])?.must_succeed()?;
    ensure!(said.out.lines().count() > events.len(), "the command line exports the same");
    Ok(())
}
