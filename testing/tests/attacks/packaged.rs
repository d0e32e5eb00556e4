//! Packages of what the main job does not run: what their documents say, and that the checks of exports accept them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use muster_domain::{
    AggregateId,
    execution::Execution,
    inventory::Declared,
    pb::{
        common::v1::{LossCertainty, LossStatement},
        execution::v1::{
            ExecutionEvent, ExecutionFailed, ExecutionStarted, ExecutionSucceeded, Member, execution_event::Event,
        },
        inventory::v1::{Document, DocumentDeclared, InventoryEvent, Kind, document::Spec, inventory_event},
        plan::v1::{PlanRef, PlanSpec},
    },
    time::{duration_to_pb, to_pb},
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    at_the_broker,
    stage::{Installation, Stage, TENANT, meta, tenant},
};

/// The run's id.
async fn run(here: &Installation, started: ExecutionStarted, end: Event) -> Result<String> {
    let (id, now) = (Uuid::now_v7(), Timestamp::now());
    let started = ExecutionStarted {
        request_id: id.to_string(),
        started_at: Some(to_pb(now)),
        confirmed_at: Some(to_pb(now)),
        rto_target: Some(duration_to_pb(SignedDuration::from_mins(5))),
        ..started
    };
    for (version, event) in [(1, Event::Started(started)), (2, end)] {
        let event = ExecutionEvent { event: Some(event) };
        here.log.append::<Execution>(&tenant(), &AggregateId::from(id), version, &meta()?, &event).await?;
    }
    Ok(id.to_string())
}

fn failed(error: &str) -> Event {
    Event::Failed(ExecutionFailed {
        finished_at: Some(to_pb(Timestamp::now())),
        step: "copy".into(),
        error: error.into(),
        known_state: "the copy is removed".into(),
        ..ExecutionFailed::default()
    })
}

fn succeeded() -> Event {
    Event::Succeeded(ExecutionSucceeded {
        finished_at: Some(to_pb(Timestamp::now())),
        rto_measured: Some(duration_to_pb(SignedDuration::from_secs(42))),
        rto_met: true,
        loss: Some(LossStatement { certainty: LossCertainty::ProvenNone.into(), ..LossStatement::default() }),
        ..ExecutionSucceeded::default()
    })
}

/// An own plan, as it was declared and published.
async fn declare_plan(here: &Installation, name: &str) -> Result<()> {
    let spec = PlanSpec { display_name: "The shop by hand".into(), owner: "team shop".into(), ..PlanSpec::default() };
    let document = Document {
        kind: Kind::Plan.into(),
        tenant: TENANT.into(),
        name: name.into(),
        version: 1,
        spec: Some(Spec::PlanSpec(spec)),
        ..Document::default()
    };
    let declared = DocumentDeclared { document: Some(document), ..DocumentDeclared::default() };
    let event = InventoryEvent { event: Some(inventory_event::Event::Declared(declared)) };
    here.log.append::<Declared>(&tenant(), &format!("plan-{name}").parse()?, 1, &meta()?, &event).await?;
    Ok(())
}

pub(crate) async fn odd_runs(stage: &Stage) -> Result<()> {
    let here = stage.installation().await?;
    let on = |kind: &str, drill| ExecutionStarted { r#type: kind.into(), drill, ..ExecutionStarted::default() };
    let isolated = ExecutionStarted { resource: "orders-db".into(), ..on("isolated-drill", true) };
    let isolated = run(&here, isolated, failed("the copy did not start")).await?;
    let member = |name: &str| Member { resource: name.into(), ..Member::default() };
    let members = vec![member("catalog-db"), member("orders-db")];
    let group = ExecutionStarted { group: "shop".into(), members: members.clone(), ..on("switchover", false) };
    let group = run(&here, group, succeeded()).await?;
    declare_plan(&here, "shop-by-hand").await?;
    let plan = Some(PlanRef { name: "shop-by-hand".into(), version: 1, ..PlanRef::default() });
    let own = ExecutionStarted { group: "shop".into(), members, plan, ..on("switchover", false) };
    let own = run(&here, own, succeeded()).await?;
    here.covered().await?;

    // Somebody gives the stream a limit meanwhile; the package says that, too. An event that is taken out would stop the log.
    at_the_broker::limited(&here).await?;
    here.says_stream_changed("updated").await?;
    here.covered().await?;

    let package = here.path("package");
    here.muster(&["audit", "export", "--package", "--file", &package.display().to_string()])?.must_succeed()?;
    let result = |request: &str| result_of(&package.join(format!("oscal/assessment-results-{request}.json")));
    ensure!(state(&result(&isolated)?, "cp-4_obj.a-1").as_deref() == Some("not-satisfied"), "a drill that failed");
    for moved in [&group, &own] {
        ensure!(state(&result(moved)?, "cp-7_obj.a").as_deref() == Some("satisfied"), "{}", result(moved)?);
    }
    for plan in ["built-in-orders-db", "built-in-group-shop", "named-shop-by-hand"] {
        ensure!(package.join(format!("oscal/assessment-plan-{plan}.json")).is_file(), "no plan {plan}");
    }
    let record: Vec<PathBuf> =
        documents(&package)?.into_iter().filter(|path| named(path, "assessment-results-record-")).collect();
    let touched = record.iter().map(|path| result_of(path)).collect::<Result<Vec<_>>>()?;
    let touched = touched.iter().filter_map(|result| state(result, "au-9_obj.a"));
    ensure!(touched.collect::<Vec<_>>() == ["not-satisfied"], "the record was touched: {record:?}");
    ensure!(documents(&package)?.iter().any(|path| named(path, "mapping-collection")), "no mapping collection");
    accepted(&documents(&package)?)
}

fn named(path: &Path, prefix: &str) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(prefix))
}

fn result_of(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    let document: Value = serde_json::from_slice(&bytes)?;
    Ok(document["assessment-results"]["results"][0].clone())
}

/// "satisfied" or not; nothing where nothing was found.
fn state(result: &Value, objective: &str) -> Option<String> {
    let finding = result["findings"].as_array()?.iter().find(|finding| finding["target"]["target-id"] == objective)?;
    finding["target"]["status"]["state"].as_str().map(str::to_owned)
}

fn documents(package: &Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(package.join("oscal"))?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut found: Vec<PathBuf> = files
        .filter(|path| !path.display().to_string().ends_with(".dsse.json") && !named(path, "compliance-mapping"))
        .collect();
    found.sort();
    Ok(found)
}

/// With NIST's schemas and compliance-trestle where they were set up, else with the rules alone.
fn accepted(documents: &[PathBuf]) -> Result<()> {
    let oscal = Path::new(env!("CARGO_MANIFEST_DIR")).join("oscal/validate.py");
    let tools = muster_local::tools::project_root()
        .and_then(|root| muster_local::tools::state_base(&root).ok())
        .map(|base| base.join("tools/bin/compliance-python"))
        .filter(|python| python.is_file());
    let (python, engines) = match tools {
        Some(python) => (python, ["--require", "trestle", "--require", "jsonschema"]),
        None => (PathBuf::from("python3"), ["--skip", "trestle", "--skip", "jsonschema"]),
    };
    let output = Command::new(python).arg("-B").arg(oscal).args(engines).args(documents).output()?;
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{text}");
    Ok(())
}
