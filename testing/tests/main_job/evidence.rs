//! TC-051 and the evidence package: what is exported is what the list shows, other people's tools accept it, and whatever is
//! changed or left out is found.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use muster_domain::pb::{
    audit::v1::{AuditFilter, AuditRecord, OpenGapRequest, PlanGapRequest, ReviewDrillRequest, Severity},
    request::v1::{RequestState, RequestType},
};
use muster_domain::time::to_pb;
use muster_testing::Product;
use serde_json::Value;

use crate::{
    groups,
    support::{account, direction, ended, healthy, started},
    switchover,
};

/// How many events of each type.
type Counts = BTreeMap<String, usize>;

pub(crate) async fn packages(product: &mut Product) -> Result<()> {
    let runs = Runs::ensure(product).await?;
    gap_and_review(product, &runs).await?;
    product.cli("vera", &["login", "--as", "vera"])?.must_succeed()?;
    let place = tempfile::tempdir()?;

    let all = export(product, &place.path().join("all"), &["--package"])?;
    same_as_the_list(product, &all, AuditFilter::default()).await?;
    documents_of(&all, &runs)?;
    accepted_by_others(&all)?;
    signatures_hold(&all)?;
    verified(product, &all, true)?;

    by_date_and_system(product, place.path(), &runs).await?;
    same_bytes_again(product, place.path(), &all)?;
    broken_is_found(product, place.path(), &all)
}

/// One run of each kind that an auditor asks for.
struct Runs {
    succeeded: AuditRecord,
    failed: AuditRecord,
    broke_glass: AuditRecord,
}

impl Runs {
    /// Those that the cases before have left, or new ones when this case stands alone.
    async fn ensure(product: &mut Product) -> Result<Self> {
        healthy(product, "orders-db").await?;
        let (_, target) = direction(product, "orders-db").await?;
        let request = started(product, RequestType::ReadinessDrill, "orders-db", &target).await?;
        let done = ended(product, &request.request_id).await?;
        ensure!(done.state() == RequestState::Succeeded, "{}", account(&done));
        let succeeded = newest(product, "execution.succeeded", |event| event.request_id == request.request_id).await?;
        let failed = match newest(product, "execution.failed", |_| true).await? {
            Some(event) => Some(event),
            None => {
                Box::pin(switchover::failure_in_the_middle(product)).await?;
                newest(product, "execution.failed", |_| true).await?
            }
        };
        let glass = |event: &AuditRecord| event.outcome == "confirmed by break-glass";
        let broke_glass = match newest(product, "request.confirmed", glass).await? {
            Some(event) => Some(event),
            None => {
                Box::pin(groups::break_glass(product)).await?;
                newest(product, "request.confirmed", glass).await?
            }
        };
        healthy(product, "orders-db").await?;
        Ok(Self {
            succeeded: succeeded.context("a run that succeeded")?,
            failed: failed.context("a run that failed")?,
            broke_glass: broke_glass.context("a run by the emergency path")?,
        })
    }
}

async fn newest(product: &Product, kind: &str, fits: impl Fn(&AuditRecord) -> bool) -> Result<Option<AuditRecord>> {
    let filter = AuditFilter { types: vec![kind.into()], ..Default::default() };
    Ok(product.person("vera").await?.events(filter).await?.into_iter().rfind(fits))
}

/// A gap with a plan, and a review of the drill by somebody who did not run it.
async fn gap_and_review(product: &Product, runs: &Runs) -> Result<()> {
    let (olga, ingo) = (product.person("olga").await?, product.person("ingo").await?);
    let opened = OpenGapRequest {
        tenant: "acme".into(),
        idempotency_key: "evidence-gap".into(),
        title: "The _standby_ lags at month's end {{ see }} [notes]".into(),
        description: "Seen by *hand*\nover two lines | with a bar".into(),
        severity: Severity::Moderate.into(),
        resource: "orders-db".into(),
        ..Default::default()
    };
    let gap = olga.audit().open_gap(olga.request(opened)).await?.into_inner();
    let due = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 30);
    let planned = PlanGapRequest {
        tenant: "acme".into(),
        gap_id: gap.gap_id,
        plan: "faster disks".into(),
        owner: "the database team".into(),
        due: Some(to_pb(due)),
    };
    // The gap of an earlier try of this case is planned already.
    let _ = olga.audit().plan_gap(olga.request(planned)).await;
    let review = ReviewDrillRequest {
        tenant: "acme".into(),
        idempotency_key: format!("evidence-{}", runs.succeeded.request_id),
        request_id: runs.succeeded.request_id.clone(),
        accepted: true,
        note: "as expected".into(),
        gap_ids: Vec::new(),
    };
    ingo.audit().review_drill(ingo.request(review)).await?;
    Ok(())
}

/// `muster audit export … --file PATH`: the package.
fn export(product: &Product, to: &Path, arguments: &[&str]) -> Result<PathBuf> {
    let file = to.display().to_string();
    let words: Vec<&str> = ["audit", "export"].iter().chain(arguments).chain(&["--file", &file]).copied().collect();
    product.cli("vera", &words)?.must_succeed()?;
    Ok(to.to_owned())
}

fn json(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
}

fn lines(package: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(package.join("events.jsonl"))?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// JSON Lines, CSV and the assessment logs of all documents hold the events that the list shows: the same, type by type.
async fn same_as_the_list(product: &Product, package: &Path, filter: AuditFilter) -> Result<()> {
    let last = json(&package.join("manifest.json"))?["log"]["last_sequence"].as_u64().context("last_sequence")?;
    let mut listed = product.person("vera").await?.events(filter).await?;
    listed.retain(|event| event.sequence <= last);
    ensure!(!listed.is_empty(), "nothing is listed");
    let events = lines(package)?;
    let (shown, held): (Vec<&str>, Vec<&str>) = (
        listed.iter().map(|event| event.event_id.as_str()).collect(),
        events.iter().filter_map(|event| event["record"]["eventId"].as_str()).collect(),
    );
    ensure!(shown == held, "the list shows {} events, events.jsonl holds {}", shown.len(), held.len());
    let wanted = count(listed.iter().map(|event| event.r#type.clone()));
    let mut csv = csv::Reader::from_path(package.join("events.csv"))?;
    let rows: Vec<BTreeMap<String, String>> = csv.deserialize().collect::<Result<_, _>>()?;
    ensure!(count(rows.iter().map(|row| row["type"].clone())) == wanted, "CSV differs from the list");
    for (row, event) in rows.iter().zip(&events) {
        ensure!(row["leaf_hash"] == event["leaf_hash"] && row["seq"].parse().ok() == event["seq"].as_u64(), "{row:?}");
    }
    let documented = logged_types(package)?;
    ensure!(documented == wanted, "OSCAL has {documented:?}, the list {wanted:?}");
    Ok(())
}

fn count(types: impl Iterator<Item = String>) -> Counts {
    types.fold(Counts::new(), |mut counts, kind| {
        *counts.entry(kind).or_default() += 1;
        counts
    })
}

/// The types of the entries of all assessment logs.
fn logged_types(package: &Path) -> Result<Counts> {
    let mut types = Vec::new();
    for path in documents(package, "assessment-results-")? {
        let document = json(&path)?;
        for result in document["assessment-results"]["results"].as_array().into_iter().flatten() {
            for entry in result["assessment-log"]["entries"].as_array().into_iter().flatten() {
                types.push(prop(entry, "event-type").context("an entry without a type")?);
            }
        }
    }
    Ok(count(types.into_iter()))
}

fn prop(of: &Value, name: &str) -> Option<String> {
    of["props"].as_array()?.iter().find(|prop| prop["name"] == name)?["value"].as_str().map(str::to_owned)
}

/// The package's OSCAL documents whose name begins so, in order.
fn documents(package: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = fs::read_dir(package.join("oscal"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(prefix) && !name.ends_with(".dsse.json") && name != "compliance-mapping.json"
        })
        .collect();
    found.sort();
    Ok(found)
}

/// What each run's document says, and what it does not say.
fn documents_of(package: &Path, runs: &Runs) -> Result<()> {
    let of = |event: &AuditRecord| -> Result<Value> {
        let path = package.join(format!("oscal/assessment-results-{}.json", event.request_id));
        Ok(json(&path)?["assessment-results"]["results"][0].clone())
    };
    let state = |result: &Value, objective: &str| {
        let findings = result["findings"].as_array().cloned().unwrap_or_default();
        let found = findings.into_iter().find(|finding| finding["target"]["target-id"] == objective);
        found.and_then(|finding| finding["target"]["status"]["state"].as_str().map(str::to_owned))
    };
    let (good, bad, glass) = (of(&runs.succeeded)?, of(&runs.failed)?, of(&runs.broke_glass)?);
    ensure!(state(&good, "cp-4_obj.a-3").as_deref() == Some("satisfied"), "{}", good["findings"]);
    ensure!(state(&good, "cp-4_obj.a-1").is_none(), "checks alone test no plan: {}", good["findings"]);
    ensure!(state(&good, "cp-4_obj.b").as_deref() == Some("satisfied"), "the review counts: {}", good["findings"]);
    ensure!(state(&good, "cp-7_obj.a").is_none(), "checks alone move nothing: {}", good["findings"]);
    ensure!(good["attestations"].as_array().is_some_and(|all| !all.is_empty()), "who approved and reviewed");
    let states: Vec<&Value> =
        bad["findings"].as_array().into_iter().flatten().map(|finding| &finding["target"]["status"]["state"]).collect();
    ensure!(states.iter().any(|state| **state == "not-satisfied"), "{}", bad["findings"]);
    ensure!(state(&bad, "cp-10_obj-1").as_deref() != Some("satisfied"), "{}", bad["findings"]);
    ensure!(bad["risks"].as_array().is_some_and(|risks| !risks.is_empty()), "a failure is a risk");
    ensure!(prop(&glass, "break-glass").as_deref() == Some("true"), "{}", glass["props"]);
    let discovered = glass["observations"].as_array().into_iter().flatten();
    ensure!(discovered.into_iter().any(|seen| seen["types"][0] == "discovery"), "{}", glass["observations"]);
    let plan =
        json(&package.join("oscal/plan-of-action-and-milestones.json"))?["plan-of-action-and-milestones"].clone();
    let items = plan["poam-items"].as_array().context("items")?;
    ensure!(
        items.iter().any(|item| item["title"].as_str().is_some_and(|title| title.contains("standby"))),
        "{items:?}"
    );
    ensure!(items.iter().all(|item| item["related-risks"].is_array()), "{items:?}");
    Ok(())
}

/// NIST's schemas, the rules, and compliance-trestle.
fn accepted_by_others(package: &Path) -> Result<()> {
    let all = documents(package, "")?;
    let oscal = Path::new(env!("CARGO_MANIFEST_DIR")).join("oscal");
    let Some(tools) = compliance_tools() else {
        let mut python = Command::new("python3");
        return says_yes(
            python.arg(oscal.join("validate.py")).args(["--skip", "trestle", "--skip", "jsonschema"]).args(&all),
        );
    };
    let mut python = Command::new(tools.join("compliance-python"));
    let require = ["--require", "trestle", "--require", "jsonschema"];
    says_yes(python.arg("-B").arg(oscal.join("validate.py")).args(require).args(&all))?;
    let workspace = tempfile::tempdir()?;
    let trestle = |arguments: &[&str]| {
        let mut trestle = Command::new(tools.join("trestle"));
        says_yes(trestle.current_dir(workspace.path()).args(arguments))
    };
    trestle(&["init", "--local"])?;
    for (number, kind) in
        ["assessment-plan", "assessment-results", "plan-of-action", "component-definition"].iter().enumerate()
    {
        let path = documents(package, kind)?.pop().with_context(|| format!("no {kind}"))?;
        trestle(&["import", "-f", &path.display().to_string(), "-o", &format!("document-{number}")])?;
    }
    trestle(&["validate", "-a"])
}

/// Where setup has put compliance-trestle; says why when it has not.
fn compliance_tools() -> Option<PathBuf> {
    let root = muster_local::tools::project_root()?;
    let base = muster_local::tools::state_base(&root).ok()?;
    let tools = base.join("tools/bin");
    if tools.join("compliance-python").is_file() {
        return Some(tools);
    }
    let why = fs::read_to_string(base.join("tools/missing/trestle"))
        .unwrap_or_else(|_| "scripts/setup trestle was not run".into());
    println!("skipped: compliance-trestle and jsonschema: {}", why.trim());
    None
}

fn says_yes(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// `trestle verify` accepts what was signed, and refuses it changed.
fn signatures_hold(package: &Path) -> Result<()> {
    let Some(tools) = compliance_tools() else { return Ok(()) };
    let document = documents(package, "plan-of-action")?.pop().context("a plan of action")?;
    let verify = |file: &Path| {
        let mut trestle = Command::new(tools.join("trestle"));
        trestle
            .current_dir(package)
            .args(["verify", "--beta", "--subject-name", "plan-of-action-and-milestones.json", "-f"])
            .arg(file);
        trestle.arg("--signature").arg(document.with_extension("dsse.json"));
        says_yes(trestle.arg("--public-key").arg(package.join("package-key.pem")))
    };
    verify(&document)?;
    let place = tempfile::tempdir()?;
    let changed = place.path().join("changed.json");
    fs::write(&changed, fs::read_to_string(&document)?.replacen("faster disks", "slower disks", 1))?;
    ensure!(verify(&changed).is_err(), "a changed document is not the one that was signed");
    Ok(())
}

/// The key as it would reach an auditor: out of the log itself, not out of the package.
fn key(product: &Product) -> Result<String> {
    let log = product.cli("vera", &["audit", "log", "-o", "json"])?.must_succeed()?.json()?;
    let keys = log["verifierKeys"].as_array().context("verifierKeys")?;
    keys.last().and_then(Value::as_str).map(str::to_owned).context("a key")
}

fn verified(product: &Product, package: &Path, good: bool) -> Result<String> {
    let (path, key) = (package.display().to_string(), key(product)?);
    let said = product.cli("vera", &["audit", "verify", &path, "--all-events", "--key", &key])?;
    ensure!((said.code == 0) == good, "{said:?}");
    Ok(format!("{}{}", said.out, said.err))
}

async fn by_date_and_system(product: &Product, place: &Path, runs: &Runs) -> Result<()> {
    let of_failed = AuditFilter { request_id: runs.failed.request_id.clone(), ..Default::default() };
    let events = product.person("vera").await?.events(of_failed).await?;
    let from = events.first().and_then(|event| event.time).context("a first event")?;
    let from = muster_domain::time::from_pb(Some(&from)).context("its time")?;
    let resource = runs.failed.resource.clone();
    let package =
        export(product, &place.join("system"), &["--package", "--resource", &resource, "--from", &from.to_string()])?;
    let filter = AuditFilter { resource, from: Some(to_pb(from)), ..Default::default() };
    same_as_the_list(product, &package, filter).await?;
    accepted_by_others(&package)?;

    let request = &runs.broke_glass.request_id;
    let package = export(product, &place.join("request"), &["--format", "oscal", "--request", request])?;
    ensure!(!package.join("events.csv").exists(), "CSV was not asked for");
    let named = package.join(format!("oscal/assessment-results-{request}.json"));
    ensure!(documents(&package, "assessment-results-")? == [named], "one run was asked for");
    let filter = AuditFilter { request_id: request.clone(), ..Default::default() };
    let listed = product.person("vera").await?.events(filter).await?;
    ensure!(logged_types(&package)? == count(listed.into_iter().map(|event| event.r#type)), "all of its events");
    Ok(())
}

/// The same checkpoint gives the same bytes, as a directory and as an archive; and the export is itself in the record.
fn same_bytes_again(product: &Product, place: &Path, all: &Path) -> Result<()> {
    let manifest = fs::read(all.join("manifest.json"))?;
    let size = json(&all.join("manifest.json"))?["log"]["size"].to_string();
    let again = export(product, &place.join("again"), &["--package", "--checkpoint", &size])?;
    ensure!(fs::read(again.join("manifest.json"))? == manifest, "another manifest for the same checkpoint");
    let (one, two) = (place.join("one.tar"), place.join("two.tar"));
    for archive in [&one, &two] {
        export(product, archive, &["--package", "--checkpoint", &size])?;
    }
    ensure!(fs::read(&one)? == fs::read(&two)?, "two archives of one checkpoint differ");
    let created = product.cli("vera", &["audit", "list", "--type", "export.created", "-o", "json"])?.must_succeed()?;
    let digest = {
        use sha2::Digest as _;
        sha2::Sha256::digest(&manifest).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    ensure!(created.out.contains(&digest), "the export is recorded with the digest of its manifest");
    let unknown = product
        .cli("vera", &["audit", "export", "--checkpoint", "2", "--file", &place.join("no").display().to_string()])?;
    ensure!(unknown.code != 0 && unknown.err.contains("newest published checkpoint"), "{unknown:?}");
    ensure!(!place.join("no").exists(), "nothing is left of a package that was refused");
    Ok(())
}

/// One event changed, one left out, one leaf left out: each is found and named.
fn broken_is_found(product: &Product, place: &Path, all: &Path) -> Result<()> {
    let broken = |name: &str, file: &str, change: &dyn Fn(&str) -> String| -> Result<String> {
        let copy = place.join(name);
        says_yes(Command::new("cp").arg("-r").arg(all).arg(&copy))?;
        let text = fs::read_to_string(copy.join(file))?;
        let changed = change(&text);
        ensure!(changed != text, "{name}: nothing was changed");
        fs::write(copy.join(file), changed)?;
        verified(product, &copy, false)
    };
    let middle = |text: &str| text.lines().count() / 2;
    let edited = broken("edited", "events.jsonl", &|text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let line = middle(text);
        let mut event: Value = serde_json::from_str(&lines[line]).unwrap_or_default();
        event["payload_b64"] = "AAAA".into();
        lines[line] = event.to_string();
        lines.join("\n") + "\n"
    })?;
    ensure!(edited.contains("event "), "the event is named: {edited}");
    broken("left-out", "events.jsonl", &|text| {
        let gone = middle(text);
        text.lines().enumerate().filter(|(line, _)| *line != gone).map(|(_, text)| format!("{text}\n")).collect()
    })?;
    broken("leaf-left-out", "leaves.txt", &|text| {
        let leaves: Vec<&str> = text.split("\n\n").collect();
        let gone = leaves.len() / 2;
        let rest = leaves.iter().enumerate().filter(|(leaf, _)| *leaf != gone).map(|(_, leaf)| *leaf);
        rest.collect::<Vec<_>>().join("\n\n")
    })?;
    Ok(())
}
