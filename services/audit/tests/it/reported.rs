//! The run report, as a page and as data.

use std::time::{Duration, Instant};

use muster_domain::pb::{
    audit::v1::{GetRunReportRequest, ReportFormat, ReviewDrillRequest},
    request::v1::RequestType,
};
use serde_json::Value;
use tonic::Status;

use crate::{
    given::{End, REASON, Story},
    world::{Caller, World, code},
};

const TENANT: &str = "reported";
/// What FR-042 gives it after the end of a run.
const READY_WITHIN: Duration = Duration::from_secs(5);

async fn report(who: &Caller, request_id: &str, format: ReportFormat) -> Result<String, Status> {
    let ask = GetRunReportRequest { tenant: TENANT.into(), request_id: request_id.into(), format: format.into() };
    let answer = who.client().get_run_report(who.request(ask)).await?.into_inner();
    Ok(String::from_utf8(answer.content).unwrap())
}

async fn data(who: &Caller, request_id: &str) -> Value {
    serde_json::from_str(&report(who, request_id, ReportFormat::Json).await.unwrap()).unwrap()
}

pub(crate) async fn one_page_says_all_of_it(world: &mut World) {
    let bea = world.bea(TENANT);
    let story = Story::whole(world, TENANT, RequestType::Switchover, End::Succeeded { rto_seconds: 61 }).await;
    let ended = Instant::now();
    let id = story.id.to_string();
    let said = data(&bea, &id).await;
    assert!(ended.elapsed() < READY_WITHIN, "{:?}", ended.elapsed());

    assert_eq!(said["title"], "switchover of orders-db from west to east");
    assert_eq!(said["state"], "succeeded");
    assert_eq!(said["request"]["reason"], REASON);
    assert_eq!(said["decisions"][0]["who"], "ingo");
    assert_eq!(said["decisions"][0]["plan_hash"], "abc123");
    assert_eq!(said["decisions"][1]["what"], "started it");
    assert_eq!(
        (&said["objectives"][0]["objective"], &said["objectives"][0]["verdict"]),
        (&"RTO".into(), &"missed".into())
    );
    assert_eq!(
        (&said["objectives"][1]["objective"], &said["objectives"][1]["verdict"]),
        (&"RPO".into(), &"met".into())
    );
    assert_eq!(said["objectives"][0]["measured_seconds"], 61.0);
    assert_eq!(said["losses"][0]["limits"][0], "This cluster only.");
    assert_eq!(said["markers"].as_array().unwrap().len(), 4);
    assert_eq!(said["steps"][0]["attempts"][0]["outcome"], "succeeded");
    assert_eq!(said["steps"][0]["attempts"][0]["text"], "promoted at 0/3020000");
    assert!(said["deviations"].as_array().unwrap().contains(&"RTO of orders-db was missed.".into()));
    assert_eq!(said["timeline"].as_array().unwrap().len() as u64, said["proof"]["events"].as_u64().unwrap());
    assert_eq!(said["proof"]["checkpoint_size"], Value::Null, "without a log there is no proof, and it says so");
    assert!(said["proof"]["text"].as_str().unwrap().contains("audit.store"));

    let ask = ReviewDrillRequest {
        tenant: TENANT.into(),
        request_id: id.clone(),
        accepted: true,
        note: "as planned".into(),
        ..Default::default()
    };
    bea.client().review_drill(bea.request(ask)).await.unwrap();
    world.reacted(TENANT, story.sequence).await;
    crate::world::eventually("the report shows its gap and its review", async || {
        let said = data(&bea, &id).await;
        said["reviews"][0]["note"] == "as planned" && said["gaps"][0]["severity"] == "moderate"
    })
    .await;

    let page = report(&bea, &id, ReportFormat::Html).await.unwrap();
    assert!(page.contains("patch night &lt;script&gt;") && !page.contains("<script"), "text is text");
    for part in ["Loss statement", "Deviations", "Decisions", "Markers", "Timeline", "Proof", "as planned", "disk full"]
    {
        assert_eq!(page.contains(part), part != "disk full", "{part}");
    }

    let failed = Story::whole(world, TENANT, RequestType::ReadinessDrill, End::Failed).await;
    let said = data(&bea, &failed.id.to_string()).await;
    assert_eq!((&said["state"], &said["run"]["error"]), (&"failed".into(), &"disk full".into()));
    assert_eq!(said["objectives"][0]["verdict"], "not measured", "unknown is never zero");
    assert_eq!(said["steps"][0]["state"], "failed");
    assert_eq!(code(report(&bea, "nothing", ReportFormat::Html).await), "REQUEST_NOT_FOUND");
}
