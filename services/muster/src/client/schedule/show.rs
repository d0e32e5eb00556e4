//! `muster schedule show`.

use clap::Args;
use muster_domain::pb::schedule::v1::GetScheduleRequest;

use super::{local, of, state, utc};
use crate::client::{
    error::CliError,
    output::{Screen, table::Table, words},
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    name: String,
}

pub(super) async fn run(args: ShowArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let ask = GetScheduleRequest { tenant: session.tenant(), name: args.name, min_version: 0 };
    let found = session.schedules().get_schedule(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&found);
    }
    let schedule = found.schedule.clone().unwrap_or_default();
    let spec = schedule.spec.clone().unwrap_or_default();
    screen.line(&format!("{} (version {}): {} of {}", schedule.name, schedule.version, spec.what, of(&spec)))?;
    screen.line(&format!("when: {}", schedule.in_words))?;
    screen.line(&format!("next: {}", words::time(schedule.next_due_at.as_ref())))?;
    screen.line(&format!("last success: {}", words::time(schedule.last_success_at.as_ref())))?;
    if schedule.overdue {
        screen.line("OVERDUE: no success for too long after it was due")?;
    }
    let mut table = Table::new(&["DUE (UTC)", "LOCAL", "STATE", "REQUEST", "NOTE"]);
    for occurrence in &found.occurrences {
        table.row([
            utc(occurrence).into(),
            local(occurrence).into(),
            state(occurrence.state()),
            words::or_dash(&occurrence.request_id).into(),
            words::shortened(&occurrence.note).into(),
        ]);
    }
    table.print(screen, "it was never due yet")
}
