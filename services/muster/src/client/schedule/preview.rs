//! `muster schedule preview`.

use std::path::PathBuf;

use clap::Args;
use muster_domain::TenantId;
use muster_domain::pb::inventory::v1::document::Spec;
use muster_domain::pb::schedule::v1::PreviewScheduleRequest;
use muster_domain::time::to_pb;
use muster_planner::manifest;

use super::{local, state, utc};
use crate::client::{
    apply::read_one,
    error::CliError,
    moment::moment,
    output::{Screen, table::Table, words},
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// A declared schedule, or with --file the one of the file that is meant.
    #[arg(required_unless_present = "file")]
    name: Option<String>,
    /// A manifest with a schedule that need not be declared; - for standard input.
    #[arg(short, long, value_name = "FILE|-")]
    file: Option<PathBuf>,
    /// How many dates, at most 100.
    #[arg(long, default_value_t = 10)]
    count: u32,
    /// Dates after this: a time, a day, or in how long; default: now.
    #[arg(long)]
    after: Option<String>,
}

pub(super) async fn run(args: PreviewArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let now = session.clock.now();
    let after = args.after.as_deref().map(|text| moment("--after", text, now)).transpose()?;
    let mut ask = PreviewScheduleRequest {
        tenant: session.tenant(),
        name: args.name.clone().unwrap_or_default(),
        spec: None,
        count: args.count,
        after: after.map(to_pb),
    };
    if let Some(file) = &args.file {
        let text = read_one(file)?.text;
        let tenant: TenantId = session.tenant().parse().map_err(|e| CliError::Usage(format!("--tenant: {e}")))?;
        let in_file = |fault: &dyn std::fmt::Display| format!("{}: {fault}", file.display());
        let declarations = manifest::parse(&text, &tenant)
            .map_err(|faults| CliError::Manifest(faults.iter().map(|fault| in_file(fault)).collect()))?;
        let mut schedules = declarations.into_iter().filter_map(|declared| match declared.document.spec {
            Some(Spec::ScheduleSpec(spec)) => Some((declared.document.name, spec)),
            _ => None,
        });
        let found = match &args.name {
            Some(name) => schedules.find(|(found, _)| found == name),
            None => schedules.next(),
        };
        let nothing = || CliError::Usage(in_file(&"there is no such document of the kind Schedule in it"));
        let (name, spec) = found.ok_or_else(nothing)?;
        (ask.name, ask.spec) = (name, Some(spec));
    }
    let preview = session.schedules().preview_schedule(session.ask(ask)).await?.into_inner();
    if !screen.is_table() {
        return screen.value(&preview);
    }
    screen.line(&preview.in_words)?;
    let mut table = Table::new(&["LOCAL", "UTC", "STATE", "NOTE"]);
    for occurrence in &preview.occurrences {
        let note = words::shortened(&occurrence.note);
        table.row([local(occurrence).into(), utc(occurrence).into(), state(occurrence.state()), note.into()]);
    }
    table.print(screen, "it is never due")
}
