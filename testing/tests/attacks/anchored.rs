//! What is kept outside.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use muster_domain::pb::audit::v1::{CheckpointAnchored, audit_log_event::Event};
use muster_runtime::config::{AnchorKind, AuditAnchor, HumanDuration};

use crate::{
    at_the_log::roll_back,
    stage::{Installation, Stage},
    time_stamps::Authority,
};

fn anchor(name: &str, kind: AnchorKind, location: &str) -> AuditAnchor {
    let every = HumanDuration::seconds(1);
    AuditAnchor { name: name.into(), kind, location: location.into(), every }
}

async fn anchored(here: &Installation, kind: &'static str) -> Result<CheckpointAnchored> {
    let wanted = |event| match event {
        Event::Anchored(anchored) if anchored.kind == kind => Some(anchored),
        _ => None,
    };
    here.says(&format!("a checkpoint at {kind}"), wanted).await
}

pub(crate) async fn rolled_back(stage: &Stage) -> Result<()> {
    let mut here = stage.installation().await?;
    let (folder, repository) = (here.path("worm"), here.path("customer.git"));
    here.anchors(vec![
        anchor("worm", AnchorKind::Store, &folder.display().to_string()),
        anchor("customer-git", AnchorKind::Git, &repository.display().to_string()),
    ]);
    here.stop().await?;
    here.start().await?;
    let kept = anchored(&here, "folder").await?;
    ensure!(fs::read_to_string(&kept.location)?.starts_with("audit.example/"), "{kept:?}");
    let committed = anchored(&here, "git").await?;
    let commit = committed.location.rsplit(' ').next().context("a commit")?.to_owned();
    let shown = Command::new("git").arg("-C").arg(&repository).args(["cat-file", "-t", &commit]).output()?;
    ensure!(shown.stdout == b"commit\n", "{committed:?}: {shown:?}");

    // The witness is gone for good, and broker and log are rolled back: the anchors still know.
    here.config.audit.witnesses.clear();
    here.config.audit.quorum = 0;
    let size = here.checkpoint(1).context("a checkpoint")?.size;
    roll_back(&mut here, 2).await?;
    here.append(1).await?;
    let split = here
        .says(
            "an anchor to contradict",
            |event| if let Event::SplitDetected(split) = event { Some(split) } else { None },
        )
        .await?;
    ensure!(split.seen_by.starts_with("anchor:"), "{split:?}");
    ensure!(split.theirs.as_ref().is_some_and(|theirs| theirs.size >= size), "{split:?}");
    ensure!(split.text.contains("the store was rolled back") || split.text.contains("another tree"), "{split:?}");
    Ok(())
}

pub(crate) async fn time_stamped(stage: &Stage) -> Result<()> {
    let mut here = stage.installation().await?;
    let authority = Authority::start(&here.path("authority")).await?;
    here.anchors(vec![anchor("tsa", AnchorKind::Rfc3161, &authority.url)]);
    here.stop().await?;
    here.start().await?;
    let stamped = anchored(&here, "rfc3161").await?;
    let size = stamped.checkpoint.clone().unwrap_or_default().size;
    let directory = here.epoch(1).join("anchor/tsa");
    let (checkpoint, token) =
        (directory.join(format!("checkpoint.{size}")), directory.join(format!("checkpoint.{size}.tsr")));
    ensure!(verifies(&checkpoint, &token, &authority.certificate)?, "{stamped:?}");

    let forged = here.path("forged");
    fs::write(
        &forged,
        fs::read_to_string(&checkpoint)?.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1),
    )?;
    ensure!(!verifies(&forged, &token, &authority.certificate)?, "the token fits a forged checkpoint");
    Ok(())
}

fn verifies(file: &Path, token: &Path, authority: &Path) -> Result<bool> {
    let mut openssl = Command::new("openssl");
    openssl.args(["ts", "-verify", "-data"]).arg(file).arg("-in").arg(token).arg("-CAfile").arg(authority);
    Ok(openssl.output()?.status.success())
}
