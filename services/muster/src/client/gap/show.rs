//! `muster gap show`.

use super::{find, severity, state};
use crate::client::{
    error::CliError,
    output::{Screen, words},
    session::Session,
};

pub(super) async fn run(id: &str, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let gap = find::find(id, session).await?;
    if !screen.is_table() {
        return screen.value(&gap);
    }
    let opened = gap.opened.clone().unwrap_or_default();
    screen.heading(&opened.title)?;
    screen.field("id", opened.gap_id.as_str())?;
    screen.field("state", state(&gap))?;
    screen.field("severity", severity(&gap))?;
    let of = if opened.resource.is_empty() { &opened.group } else { &opened.resource };
    screen.field("of", words::or_dash(of))?;
    screen
        .field("opened", format!("{} by {} ({})", words::time(gap.opened_at.as_ref()), gap.opened_by, opened.source))?;
    if !opened.request_id.is_empty() {
        screen.field("request", format!("{}; `muster audit report {}`", opened.request_id, opened.request_id))?;
    }
    if !opened.objectives.is_empty() {
        screen.field("objectives", opened.objectives.join(", "))?;
    }
    if !opened.description.is_empty() {
        screen.lines(&opened.description.lines().map(str::to_owned).collect::<Vec<_>>())?;
    }
    if let Some(planned) = &gap.planned {
        let due = words::time(planned.due.as_ref());
        let overdue = if gap.overdue { ", OVERDUE" } else { "" };
        screen.field("planned", format!("{} by {}, due {due}{overdue}", planned.plan, planned.owner))?;
    }
    if let Some(accepted) = &gap.accepted {
        let (who, until) = (words::actor(accepted.actor.as_ref()), words::time(accepted.until.as_ref()));
        screen.field("accepted", format!("until {until} by {who}: {}", accepted.reason))?;
    }
    if let Some(closed) = &gap.closed {
        let (who, at) = (words::actor(closed.actor.as_ref()), words::time(closed.closed_at.as_ref()));
        screen.field("closed", format!("{at} by {who}: {}", closed.note))?;
        if !closed.evidence.is_empty() {
            screen.field("evidence", format!("{} ({})", closed.evidence, closed.evidence_request_id))?;
        }
    }
    if let Some(reopened) = &gap.reopened {
        let (who, at) = (words::actor(reopened.actor.as_ref()), words::time(reopened.reopened_at.as_ref()));
        screen.field("opened again", format!("{at} by {who}: {}", reopened.reason))?;
    }
    Ok(())
}
