//! `muster audit prove`: the proof of one event as a file that verifies without Muster.

use std::path::PathBuf;

use clap::Args;
use muster_domain::pb::audit::v1::{GetLogRequest, ProveEventRequest};
use muster_tlog::{TlogProof, verify::name_of};
use serde_json::json;

use super::verify::{KeyArgs, Trusted, pin_name};
use crate::client::{
    GlobalArgs,
    error::CliError,
    exit::Exit,
    output::{Screen, style::Tone},
    profile::ProfileFile,
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// The event's id, or its sequence (`muster audit list` shows both).
    #[arg(value_name = "EVENT_ID|SEQUENCE")]
    event: String,
    /// Where to write the proof; default: seq-<sequence>.tlog-proof in this directory.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
}

pub(crate) async fn run(
    args: ProveArgs,
    session: &Session,
    global: &GlobalArgs,
    screen: &Screen,
) -> Result<Exit, CliError> {
    let sequence: u64 = args.event.parse().unwrap_or_default();
    let event_id = if sequence == 0 { args.event.clone() } else { String::new() };
    let tenant = session.tenant();
    let ask = ProveEventRequest { tenant: tenant.clone(), event_id, sequence };
    let answer = session.audit().prove_event(session.ask(ask)).await?.into_inner();
    let log = session.audit().get_log(session.ask(GetLogRequest { tenant })).await?.into_inner();

    // What the server gives is verified before anybody keeps it.
    let wrong = |why: String| CliError::Failed(format!("the server's proof proves nothing: {why}"));
    let proof = TlogProof::parse(&answer.proof).map_err(|error| wrong(error.to_string()))?;
    let (leaf, checkpoint) = proof.verify().map_err(|error| wrong(error.to_string()))?;
    if leaf.sequence() != Some(answer.sequence) || (sequence != 0 && sequence != answer.sequence) {
        return Err(wrong(format!("it is of {}", name_of(&leaf))));
    }
    let known = ProfileFile::of(&global.profile)?.load()?.logs.remove(&pin_name(session));
    let trusted = Trusted::decide(&args.keys, known.as_ref(), &checkpoint.origin, &log.verifier_keys)?;
    let published = log.policy.parse().ok();
    let (policy, _) = trusted.trust.policy(published.as_ref());
    let judgement = policy.judge(&proof.checkpoint).map_err(|error| wrong(error.to_string()))?;

    let file = args.file.unwrap_or_else(|| PathBuf::from(format!("seq-{:06}.tlog-proof", answer.sequence)));
    std::fs::write(&file, &answer.proof).map_err(|error| CliError::Failed(format!("{}: {error}", file.display())))?;
    if !screen.is_table() {
        screen.value(&json!({
            "file": file.display().to_string(), "sequence": answer.sequence, "leaf": leaf.to_text().unwrap_or_default(),
            "index": proof.index, "size": checkpoint.size, "root": checkpoint.root.to_hex(), "witnessed": judgement.quorum,
        }))?;
        return Ok(Exit::Done);
    }
    screen.field("event", name_of(&leaf))?;
    screen.field("log", checkpoint.origin)?;
    screen.field("place", format!("index {} of {} leaves, root {}", proof.index, checkpoint.size, checkpoint.root))?;
    screen.field("signed", trusted.source.words())?;
    if judgement.quorum {
        screen.field("witnessed", "yes")?;
    } else {
        let missing = judgement.missing.join(", ");
        screen.field(
            "witnessed",
            screen.paint(Tone::Warning, &format!("not yet (missing: {missing}); prove it again later")),
        )?;
    }
    screen.line(&format!("verified, and written to {}", file.display()))?;
    screen.line(&format!(
        "verify it anywhere: muster audit verify {} --key VKEY, or docs/verify-without-muster.md",
        file.display()
    ))?;
    Ok(Exit::Done)
}
