//! `muster schedule calendar`.

use clap::Args;
use muster_domain::pb::schedule::v1::ListCalendarRequest;
use muster_domain::time::to_pb;

use super::{about, local, state, utc};
use crate::client::{
    error::CliError,
    moment::moment,
    output::{Screen, table::Table, words},
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct CalendarArgs {
    /// From this time: a time, a day, or in how long; default: now.
    #[arg(long)]
    from: Option<String>,
    /// Until this time, in the same forms; default: 31 days later.
    #[arg(long)]
    until: Option<String>,
}

pub(super) async fn run(args: CalendarArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let now = session.clock.now();
    let at = |option: &str, text: Option<&str>| text.map(|text| moment(option, text, now)).transpose();
    let ask = ListCalendarRequest {
        tenant: session.tenant(),
        from: at("--from", args.from.as_deref())?.map(to_pb),
        until: at("--until", args.until.as_deref())?.map(to_pb),
        min_version: 0,
    };
    let calendar = session.schedules().list_calendar(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&calendar);
    }
    let mut table = Table::new(&["DUE (UTC)", "LOCAL", "SCHEDULE", "WHAT", "OF", "STATE", "NOTE"]);
    for occurrence in &calendar.occurrences {
        table.row([
            utc(occurrence).into(),
            local(occurrence).into(),
            occurrence.schedule.as_str().into(),
            occurrence.what.as_str().into(),
            about(&occurrence.resource, &occurrence.group, &occurrence.plan).into(),
            state(occurrence.state()),
            words::shortened(&occurrence.note).into(),
        ]);
    }
    table.print(screen, "nothing is due in this time")?;
    if calendar.cut {
        screen.note("there is more than is listed: ask for a shorter time")?;
    }
    Ok(())
}
