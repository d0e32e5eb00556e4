//! Somebody with access to the log's own store, or with its key.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use muster_domain::pb::audit::v1::audit_log_event::Event;
use muster_testing::{
    file_store::copy,
    poll::{self, Look},
};
use muster_tlog::{Algorithm, SoftwareKey};

use crate::{
    forged,
    stage::{Installation, LIMIT, Stage},
};

/// Broker and log as they were before, both. In between the log grows, and `anchors` so many see that it did.
pub(crate) async fn roll_back(here: &mut Installation, anchors: usize) -> Result<()> {
    here.stop().await?;
    here.nats.stop().await?;
    let (store, log) = (here.nats.dir().join("store"), here.path("log"));
    let (kept_store, kept_log) = (here.path("kept-store"), here.path("kept-log"));
    copy(&store, &kept_store)?;
    copy(&log, &kept_log)?;
    here.at_the_files(|_| Ok(())).await?;
    here.append(30).await?;
    let size = here.covered().await?.size;
    here.verify_is_good()?;
    poll::until("the anchors to have it", LIMIT, || async {
        let anchored = here.own_events().await?.into_iter().filter(|event| match event {
            Event::Anchored(anchored) => anchored.checkpoint.as_ref().is_some_and(|kept| kept.size >= size),
            _ => false,
        });
        let count = anchored.count();
        Ok(if count >= anchors { Look::Found(()) } else { Look::NotYet(count) })
    })
    .await?;
    here.at_the_files(|_| {
        for (from, to) in [(&kept_store, &store), (&kept_log, &log)] {
            fs::remove_dir_all(to)?;
            copy(from, to)?;
        }
        Ok(())
    })
    .await
}

pub(crate) async fn rolled_back(stage: &Stage) -> Result<()> {
    let mut here = stage.installation().await?;
    roll_back(&mut here, 0).await?;
    here.append(3).await?;
    let split =
        here.says("the witness to contradict", |event| {
            if let Event::SplitDetected(split) = event { Some(split) } else { None }
        })
        .await?;
    ensure!(split.seen_by == "witness:customer", "{split:?}");
    ensure!(split.text.contains("has cosigned this log at size"), "{split:?}");
    // And anybody who has looked at the log before.
    here.verify_says(&[], &["the log was cut off"])?;
    let said = here.muster(&["audit", "log"])?;
    ensure!(said.out.contains("has cosigned this log at size"), "{said:?}");
    Ok(())
}

pub(crate) async fn forged(stage: &Stage) -> Result<()> {
    let here = stage.installation().await?;
    let size = here.covered().await?.size;
    here.verify_is_good()?;
    let key = here.key().await?;
    let stranger = SoftwareKey::from_seed(key.name(), Algorithm::Ed25519, &[66; 32])?;
    let note = forged::checkpoint(key.name(), size, &stranger);
    fs::write(here.epoch(1).join("checkpoint"), &note)?;
    here.verify_says(&[], &["checkpoint cannot be believed"])?;
    let (status, _) = here.witness.add(&forged::request(size, &note)).await?;
    ensure!(status == 403, "the witness answered {status}");
    Ok(())
}

pub(crate) async fn stolen_key(stage: &Stage) -> Result<()> {
    let here = stage.installation().await?;
    let size = here.covered().await?.size;
    here.verify_is_good()?;
    let key = here.stolen_key().await?;
    let origin = here.key().await?.name().to_owned();
    let grown = forged::checkpoint(&origin, size + 5, &key);
    let answer = here.witness.add(&forged::request(size, &grown)).await?;
    ensure!(answer.0 == 422, "a tree that does not extend the log: {answer:?}");
    let same = forged::checkpoint(&origin, size, &key);
    let answer = here.witness.add(&forged::request(size, &same)).await?;
    ensure!(answer == (409, format!("{size}\n")), "another tree of the same size: {answer:?}");
    ensure!(here.witness.log().contains("WITNESS ALARM"), "{}", here.witness.log());

    // Shown to auditors without the witness, it counts for nothing.
    fs::write(here.epoch(1).join("checkpoint"), &same)?;
    here.verify_says(&[], &["too few witnesses"])
}

pub(crate) async fn split_view(stage: &Stage) -> Result<()> {
    let here = stage.installation().await?;
    here.verify_is_good()?;
    let size = here.checkpoint(1).context("a checkpoint")?.size;
    let key = here.stolen_key().await?;
    let other = here.path("shown-to-somebody-else");
    fs::write(&other, forged::checkpoint(here.key().await?.name(), size, &key))?;
    here.verify_says(&["--checkpoint", &other.display().to_string()], &["there are two logs", &format!("size {size}")])
}

pub(crate) async fn left_out(stage: &Stage) -> Result<()> {
    let here = stage.installation().await?;
    here.append(10).await?;
    here.covered().await?;
    let (package, key) = (here.path("package"), here.key().await?.to_string());
    let path = package.display().to_string();
    here.muster(&["audit", "export", "--package", "--file", &path])?.must_succeed()?;
    let said = here.muster(&["audit", "verify", &path, "--key", &key])?;
    ensure!(said.code == 0, "{said:?}");

    let leaves = package.join("leaves.txt");
    let text = fs::read_to_string(&leaves).with_context(|| format!("{:?}", fs::read_dir(&package)))?;
    let at = text.find("seq 9\n").context("sequence 9")?;
    let begin = text[..at].rfind("muster-audit-leaf/v1\n").context("its leaf")?;
    let end = text[at..].find("muster-audit-").map_or(text.len(), |next| at + next);
    fs::write(&leaves, format!("{}{}", &text[..begin], &text[end..]))?;
    here.verify_says(&[&path, "--key", &key], &["does not have the leaf that the log has at index 9"])
}
