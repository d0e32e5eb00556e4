//! `muster audit log`: the tenant's transparency log, its witnesses, and what auditors need of it.

use jiff::SignedDuration;
use muster_domain::{
    pb::audit::v1::{GetLogRequest, GetLogResponse},
    time::{from_pb, humane},
};
use muster_tlog::{Checkpoint, Note, Policy};

use super::verify::pin_name;
use crate::client::{
    GlobalArgs,
    error::CliError,
    output::{
        Screen,
        style::Tone,
        table::{Cell, Table},
        words,
    },
    profile::ProfileFile,
    session::Session,
};

pub(crate) async fn run(session: &Session, global: &GlobalArgs, screen: &Screen) -> Result<(), CliError> {
    let log = session.audit().get_log(session.ask(GetLogRequest { tenant: session.tenant() })).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&log);
    }
    let pinned = ProfileFile::of(&global.profile)?.load()?.logs.remove(&pin_name(session)).unwrap_or_default();
    head(&log, screen)?;
    for key in &log.verifier_keys {
        let mark = if pinned.keys.contains(key) { " (pinned in this profile)" } else { "" };
        screen.field("key", format!("{key}{mark}"))?;
    }
    let policy: Option<Policy> = log.policy.parse().ok();
    for witness in policy.into_iter().flat_map(|policy| policy.witnesses) {
        screen.field("witness key", witness.key.to_string())?;
    }
    if log.witnesses.is_empty() {
        screen.field(
            "witnesses",
            Cell::toned(Tone::Warning, "none: nobody outside the operator vouches that there is only one log"),
        )?;
    } else {
        screen.line("")?;
        witnesses(&log, session, screen)?;
    }
    if log.epochs.len() > 1 {
        screen.line("")?;
        epochs(&log, screen)?;
    }
    screen.line("")?;
    screen.line(
        "For auditors, on another way than through Muster: the key above, and the keys of the witnesses. They verify",
    )?;
    screen.line("`muster audit export --package` with `muster audit verify PACKAGE --key …`, or as docs/verify-without-muster.md says.")
}

fn head(log: &GetLogResponse, screen: &Screen) -> Result<(), CliError> {
    screen.heading(&log.origin)?;
    screen.field("epoch", log.epoch.to_string())?;
    let first = log.epochs.iter().find(|epoch| epoch.epoch == log.epoch).map_or(1, |epoch| epoch.first_sequence);
    let (published, pending) = (parse(&log.checkpoint), parse(&log.pending));
    match &published {
        Some(checkpoint) => {
            screen.field("checkpoint", format!("{} leaves, root {}", checkpoint.size, checkpoint.root))?;
        }
        None => screen.field("checkpoint", Cell::toned(Tone::Warning, "none published yet"))?,
    }
    let size = published.map_or(0, |checkpoint| checkpoint.size);
    if let Some(pending) = pending.filter(|pending| pending.size > size) {
        let waiting = format!("{} leaves are signed and wait for witnesses", pending.size - size);
        screen.field("pending", Cell::toned(Tone::Warning, waiting))?;
    }
    let covered = (first + size).saturating_sub(2);
    screen.field(
        "stream",
        match log.stream_sequence.checked_sub(covered) {
            Some(0) | None => format!("every event up to {} is published", log.stream_sequence),
            Some(newer) => format!("{newer} events after {covered} are not yet published"),
        },
    )?;
    if !log.stopped.is_empty() {
        let stopped = format!("the signer stopped: {}", log.stopped);
        screen.field("stopped", Cell::toned(Tone::Bad, stopped))?;
    }
    Ok(())
}

fn parse(note: &str) -> Option<Checkpoint> {
    Note::parse(note.as_bytes()).ok()?.text().parse().ok()
}

fn witnesses(log: &GetLogResponse, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let now = session.clock.now();
    let mut table = Table::new(&["WITNESS", "SIZE", "COSIGNED", "STATE"]);
    for witness in &log.witnesses {
        let ago =
            from_pb(witness.cosigned_at.as_ref()).map(|at| humane(now.duration_since(at).max(SignedDuration::ZERO)));
        let state = match witness.problem.as_str() {
            "" => Cell::toned(Tone::Good, "good"),
            problem => Cell::toned(Tone::Bad, words::shortened(problem)),
        };
        let ago = ago.map_or_else(|| "never".to_owned(), |ago| format!("{ago} ago"));
        table.row([witness.name.as_str().into(), witness.size.to_string().into(), ago.into(), state]);
    }
    table.print(screen, "no witnesses")
}

fn epochs(log: &GetLogResponse, screen: &Screen) -> Result<(), CliError> {
    let mut table = Table::new(&["EPOCH", "FROM SEQUENCE", "BEGAN BECAUSE", "AFTER", "ORIGIN"]);
    for epoch in &log.epochs {
        let after = epoch.previous.as_ref().map_or_else(|| "-".to_owned(), |old| format!("{} leaves", old.size));
        table.row([
            epoch.epoch.to_string().into(),
            epoch.first_sequence.to_string().into(),
            epoch.reason.as_str().into(),
            after.into(),
            epoch.origin.as_str().into(),
        ]);
    }
    table.print(screen, "no epochs")
}
