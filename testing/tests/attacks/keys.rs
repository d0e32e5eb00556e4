//! Keys that change hands: who verifies follows a rotation as far as the log proves it, and a revocation never.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use muster_testing::poll::{self, Look};
use muster_tlog::Note;

use crate::stage::{Installation, LIMIT, Stage, TENANT};

async fn signed_by_both(here: &Installation) -> Result<()> {
    let file = here.epoch(1).join("checkpoint");
    poll::until("both keys and the witness to have signed", LIMIT, || async {
        let signatures =
            fs::read(&file).ok().and_then(|bytes| Note::parse(&bytes).ok()).map_or(0, |n| n.signatures().len());
        Ok(if signatures == 3 { Look::Found(()) } else { Look::NotYet(signatures) })
    })
    .await
}

fn exported(here: &Installation, name: &str, more: &[&str]) -> Result<String> {
    let path = here.path(name).display().to_string();
    here.muster(&[&["audit", "export", "--package", "--file", &path], more].concat())?.must_succeed()?;
    Ok(path)
}

pub(crate) async fn rotated_and_revoked(stage: &Stage) -> Result<()> {
    let here = stage.installation().await?;
    here.verify_is_good()?;
    let old = here.key().await?.to_string();
    here.muster(&["audit", "rotate-key", "--reason", "yearly"])?.must_succeed()?;
    signed_by_both(&here).await?;
    // The profile has pinned the older key alone, and so has who got a package.
    let package = exported(&here, "rotated", &[])?;
    for args in [&["audit", "verify"][..], &["audit", "verify", &package, "--key", &old]] {
        let said = here.muster(args)?;
        ensure!(said.code == 0, "{said:?}");
        ensure!(
            said.out.contains("the log's key changed: event ") && said.out.contains("both sign for now"),
            "{said:?}"
        );
        ensure!(!said.out.contains("the policy also lists"), "{said:?}");
    }

    let size = here.covered().await?.size;
    ensure!(size > 5, "{size}");
    here.muster(&["audit", "revoke-key", &old, "--last-good", "5", "--reason", "stolen"])?.must_succeed()?;
    // The witness hears of the new key while it runs.
    here.introduce_log().await?;
    here.covered().await?;
    let new = here.key().await?.to_string();
    here.verify_says(
        &[],
        &["A new epoch has a new key", "Epoch 2 began because: key revoked", "the first 5 leaves count"],
    )?;
    let said = here.muster(&["audit", "verify", "--key", &new])?;
    ensure!(said.code == 0 && said.out.contains("GOOD"), "{said:?}");
    // The profile had seen more of the past epoch than counts now: all of it is there again.
    ensure!(said.out.contains("all of their events are in the new epoch, unchanged"), "{said:?}");

    // A package of the past epoch, and both name all keys that the log has had.
    let (past, present) = (exported(&here, "past", &["--epoch", "1"])?, exported(&here, "present", &[])?);
    here.verify_says(&[&past, "--key", &old], &["which ended at size 5"])?;
    for package in [&past, &present] {
        let policy = fs::read_to_string(format!("{package}/policy")).context("a policy")?;
        ensure!(policy.contains(&format!("log {old}\n")) && policy.contains(&format!("log {new}\n")), "{policy}");
    }
    let said = here.muster(&["audit", "verify", &present, "--key", &new])?;
    ensure!(said.code == 0 && !said.out.contains("the policy also lists"), "{said:?}");
    let said = here.muster(&[
        "audit",
        "export",
        "--package",
        "--epoch",
        "9",
        "--file",
        &here.path("no").display().to_string(),
    ])?;
    ensure!(said.code == 3 && said.err.contains("1 to 2"), "{said:?}");
    Ok(())
}

/// No attack: the one way to take content away leaves every proof good, and says so.
pub(crate) async fn content_destroyed(stage: &Stage) -> Result<()> {
    let here = stage.sealed_installation().await?;
    for title in ["Secret Alpha", "Secret Beta"] {
        here.muster(&["gap", "open", "--title", title, "--severity", "low"])?.must_succeed()?;
    }
    here.covered().await?;
    let key = here.key().await?.to_string();
    let before = exported(&here, "before", &[])?;
    ensure!(fs::read_to_string(format!("{before}/events.jsonl"))?.contains("Secret Alpha"), "it is readable before");
    here.muster(&["audit", "destroy-payload-key", "--reason", "the contract ended", "--confirm", TENANT])?
        .must_succeed()?;
    here.covered().await?;
    let after = exported(&here, "after", &[])?;
    let events = fs::read_to_string(format!("{after}/events.jsonl"))?;
    ensure!(!events.contains("Secret"), "{events}");
    ensure!(events.contains("gap.opened") && events.contains("payload-key.destroyed"), "{events}");
    for args in [&["audit", "verify"][..], &["audit", "verify", &after, "--key", &key, "--all-events"]] {
        let said = here.muster(args)?;
        ensure!(said.code == 0 && said.out.contains("GOOD"), "{said:?}");
    }
    Ok(())
}
