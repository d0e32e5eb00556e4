//! `muster alert ack|silence|escalate`.

use clap::Args;
use jiff::SignedDuration;
use muster_domain::pb::notification::v1::{AcknowledgeAlertRequest, EscalateAlertRequest, SilenceAlertRequest};
use muster_domain::time::duration_to_pb;

use super::list::fetch;
use crate::client::{
    error::CliError,
    output::{Screen, words},
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct AckArgs {
    /// The alert's id, or enough of its beginning.
    id: String,
    /// What you do about it, for the others.
    #[arg(long, default_value = "", hide_default_value = true)]
    note: String,
}

#[derive(Debug, Args)]
pub(crate) struct SilenceArgs {
    /// The alert's id, or enough of its beginning.
    id: String,
    /// Why nobody has to be told.
    #[arg(long)]
    reason: String,
    /// For how long, 24h at most: 30m, 4h.
    #[arg(long = "for", value_name = "DURATION")]
    duration: String,
}

#[derive(Debug, Args)]
pub(crate) struct EscalateArgs {
    /// The alert's id, or enough of its beginning.
    id: String,
    /// What help you need: those who are called read it.
    #[arg(long)]
    reason: String,
}

pub(super) async fn acknowledge(args: AckArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = AcknowledgeAlertRequest {
        tenant: session.tenant(),
        alert_id: find(&args.id, session, screen).await?,
        note: args.note,
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.notifier().acknowledge_alert(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    let alert = answer.escalation.unwrap_or_default();
    let by = alert.acknowledged.unwrap_or_default().by;
    screen.line(&format!(
        "{} of {} is looked after by {}; it stays open until its cause is gone",
        alert.message_kind,
        alert.resource,
        words::actor(by.as_ref())
    ))
}

pub(super) async fn silence(args: SilenceArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let duration: SignedDuration = args.duration.parse().map_err(|_| {
        CliError::Usage(format!("--for '{}': write a length of time, such as 30m or 4h", args.duration))
    })?;
    let ask = SilenceAlertRequest {
        tenant: session.tenant(),
        alert_id: find(&args.id, session, screen).await?,
        reason: args.reason,
        duration: Some(duration_to_pb(duration)),
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.notifier().silence_alert(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    let alert = answer.escalation.unwrap_or_default();
    let until = alert.silenced.unwrap_or_default().until;
    screen.line(&format!(
        "{} of {} is silent until {}",
        alert.message_kind,
        alert.resource,
        words::time(until.as_ref())
    ))
}

/// Calls the step after the ones that the list says were called: not one that nobody looked at.
pub(super) async fn escalate(args: EscalateArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let id = find(&args.id, session, screen).await?;
    let open = fetch("", false, session, screen).await?;
    let called = open.escalations.iter().find(|alert| alert.alert_id == id).map_or(0, |alert| alert.step);
    let ask = EscalateAlertRequest {
        tenant: session.tenant(),
        alert_id: id,
        reason: args.reason,
        step: called.saturating_add(1),
        idempotency_key: session.idempotency_key(),
    };
    let answer = session.notifier().escalate_alert(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&answer);
    }
    let alert = answer.escalation.unwrap_or_default();
    screen.line(&format!(
        "{} of {}: step {} is called; `muster notify list --alert {}` shows what was told",
        alert.message_kind, alert.resource, alert.step, alert.alert_id
    ))
}

/// A whole id is sent as it is, so that the answer about an alert that is over comes from Muster.
async fn find(text: &str, session: &Session, screen: &Screen) -> Result<String, CliError> {
    const WHOLE: usize = 36;
    if text.len() >= WHOLE {
        return Ok(text.to_owned());
    }
    let all = fetch("", false, session, screen).await?;
    let ids: Vec<String> = all.escalations.into_iter().map(|a| a.alert_id).filter(|id| id.starts_with(text)).collect();
    match ids.as_slice() {
        [one] if !text.is_empty() => Ok(one.clone()),
        [] => Err(CliError::Usage(format!("no open alert begins with '{text}'; list them with `muster alert list`"))),
        _ => Err(CliError::Usage(format!("several open alerts begin with '{text}'; write more of the id"))),
    }
}
