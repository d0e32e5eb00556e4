//! The record as a stranger verifies it: `muster audit verify` and `prove`, and a package with nothing but OpenSSL and the
//! system's own programs.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use muster_testing::{
    Product,
    by_hand::Auditor,
    poll::{self, Look},
};
use serde_json::Value;

/// A checkpoint follows an event within a second and the witness' answer.
const PUBLISHED: Duration = Duration::from_secs(60);

pub(crate) async fn verified(product: &mut Product) -> Result<()> {
    let work = tempfile::Builder::new().prefix("muster-by-hand-").tempdir()?;
    let path = |name: &str| work.path().join(name).display().to_string();

    product.cli("vera", &["login", "--as", "vera"])?.must_succeed()?;

    // Online: every event of the stream is as it was logged; the key is pinned at the first use.
    let first = verify(product, &[])?;
    let size = number(&first["checkpoint"]["size"])?;
    ensure!(first["good"] == true && first["checkpoint"]["witnessed"] == true, "{first}");
    ensure!(number(&first["verified"]["leaves"])? == size && size > 1, "{first}");
    ensure!(number(&first["verified"]["eventsCompared"])? == size - 1, "{first}");
    let again = verify(product, &[])?;
    let trusted = again["checkpoint"]["trusted"].as_str().unwrap_or_default();
    ensure!(trusted == "by the key that this profile pinned before", "{again}");
    ensure!(number(&again["verified"]["olderCheckpoints"])? == 1, "the kept checkpoint is compared: {again}");

    // One event's proof, verified at once and again from its file alone.
    let proof = path("event.tlog-proof");
    let said = product.cli("vera", &["audit", "prove", "3", "--file", &proof, "-o", "json"])?.must_succeed()?.json()?;
    ensure!(said["sequence"] == 3 && said["witnessed"] == true, "{said}");
    let log = product.cli("vera", &["audit", "log", "-o", "json"])?.must_succeed()?.json()?;
    let key = log["verifierKeys"][0].as_str().context("a key")?.to_owned();
    ensure!(verify(product, &[&proof, "--key", &key])?["good"] == true, "the proof alone");

    // A package, once as a folder and once as an archive: good with the key, refused without.
    let package = path("package");
    export(product, &package).await?;
    let report = verify(product, &[&package, "--key", &key, "--all-events"])?;
    ensure!(report["good"] == true && number(&report["verified"]["documents"])? > 0, "{report}");
    let archive = path("package.tar");
    export(product, &archive).await?;
    ensure!(verify(product, &[&archive, "--key", &key])?["good"] == true, "the archive");
    let stranger = product.cli("nobody-yet", &["audit", "verify", &package])?;
    ensure!(stranger.code == 2 && stranger.err.contains("--key is needed"), "{stranger:?}");

    by_hand(&work, &package, &log, &key)?;

    // One event of the package is edited.
    let events = fs::read_to_string(work.path().join("package/events.jsonl"))?;
    let line = events.lines().nth(1).context("a second event")?;
    let event: Value = serde_json::from_str(line)?;
    let subject = event["subject"].as_str().context("a subject")?;
    let field = |subject: &str| format!("\"subject\":\"{subject}\"");
    let edited = line.replacen(&field(subject), &field(&subject.replacen("rec.", "rec.x", 1)), 1);
    ensure!(edited != line, "{line}");
    fs::write(work.path().join("package/events.jsonl"), events.replacen(line, &edited, 1))?;
    let said = product.cli("vera", &["audit", "verify", &package, "--key", &key])?;
    let named = format!("event {} ({subject}) was edited: its subject was {subject}", event["seq"]);
    ensure!(said.code == 1 && said.out.contains(&named) && said.out.contains("NOT GOOD"), "{said:?}");
    ensure!(said.out.contains("events.jsonl: "), "the manifest names the file: {said:?}");
    Ok(())
}

/// The page's own commands, with a key that reached the auditor on another way.
fn by_hand(work: &tempfile::TempDir, package: &str, log: &Value, key: &str) -> Result<()> {
    let keys = work.path().join("keys");
    fs::create_dir(&keys)?;
    fs::write(keys.join("log.vkey"), format!("{key}\n"))?;
    let policy: muster_tlog::Policy = log["policy"].as_str().context("a policy")?.parse()?;
    let witness = policy.witnesses.first().context("muster up runs a witness")?;
    fs::write(keys.join("witness.vkey"), format!("{}\n", witness.key))?;
    let auditor = Auditor { package: package.into(), keys, scratch: work.path().to_owned() };
    let (good, said) = auditor.follow_the_page(None)?;
    ensure!(good, "the page:\n{said}");
    Ok(())
}

fn verify(product: &Product, arguments: &[&str]) -> Result<Value> {
    let all: Vec<&str> = ["audit", "verify", "-o", "json"].iter().chain(arguments).copied().collect();
    product.cli("vera", &all)?.must_succeed()?.json()
}

/// An export waits for the newest checkpoint by itself; after a case that stopped the witness it may not have come yet.
async fn export(product: &Product, file: &str) -> Result<()> {
    poll::until("a package", PUBLISHED, || async {
        let said = product.cli("vera", &["audit", "export", "--package", "--file", file])?;
        Ok(if said.code == 0 { Look::Found(()) } else { Look::NotYet(format!("{said:?}")) })
    })
    .await
}

fn number(value: &Value) -> Result<u64> {
    value.as_u64().with_context(|| format!("a number: {value}"))
}
