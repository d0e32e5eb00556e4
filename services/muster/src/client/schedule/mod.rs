//! `muster schedule …`: what is due when, and what came of it. Schedules are declared with `muster apply`.

mod calendar;
mod list;
mod preview;
mod review;
mod show;

use clap::Subcommand;
use muster_domain::pb::inventory::v1::ScheduleSpec;
use muster_domain::pb::schedule::v1::{Occurrence, OccurrenceState};
use muster_domain::time::from_pb;

use super::{
    error::CliError,
    output::{Screen, style::Tone, table::Cell},
    session::Session,
};

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// The declared schedules: what is due next, and what is overdue.
    List(list::ListArgs),
    /// One schedule with its past due times.
    Show(show::ShowArgs),
    /// The next dates of a declared schedule, or of one in a file that is not declared yet. Changes nothing.
    Preview(preview::PreviewArgs),
    /// Every due time of every schedule between two moments.
    Calendar(calendar::CalendarArgs),
    /// Record the plan or access review that was due.
    Review(review::ReviewArgs),
}

pub(crate) async fn run(command: ScheduleCommand, session: &Session, screen: &Screen) -> Result<(), CliError> {
    match command {
        ScheduleCommand::List(args) => list::run(args, session, screen).await,
        ScheduleCommand::Show(args) => show::run(args, session, screen).await,
        ScheduleCommand::Preview(args) => preview::run(args, session, screen).await,
        ScheduleCommand::Calendar(args) => calendar::run(args, session, screen).await,
        ScheduleCommand::Review(args) => review::run(args, session, screen).await,
    }
}

/// "orders-db", "group shop", "plan shop-to-ams"
fn about(resource: &str, group: &str, plan: &str) -> String {
    match (resource, group, plan) {
        ("", "", "") => "the tenant".to_owned(),
        ("", "", plan) => format!("plan {plan}"),
        ("", group, _) => format!("group {group}"),
        (resource, _, _) => resource.to_owned(),
    }
}

fn of(spec: &ScheduleSpec) -> String {
    about(&spec.resource, &spec.group, &spec.plan)
}

fn state(state: OccurrenceState) -> Cell {
    match state {
        OccurrenceState::Unspecified => super::output::words::UNKNOWN.into(),
        OccurrenceState::Upcoming => "upcoming".into(),
        OccurrenceState::Open => Cell::toned(Tone::Warning, "open"),
        OccurrenceState::Succeeded => Cell::toned(Tone::Good, "succeeded"),
        OccurrenceState::Lapsed => Cell::toned(Tone::Bad, "lapsed"),
        OccurrenceState::Skipped => Cell::toned(Tone::Dim, "left out"),
        OccurrenceState::Overdue => Cell::toned(Tone::Bad, "OVERDUE"),
    }
}

/// "2026-11-21 02:00:00 +01:00 Europe/Berlin": the wall clock, how far it is from UTC, and where it hangs.
fn local(occurrence: &Occurrence) -> String {
    let (clock, zone) = occurrence.local_time.split_once('[').unwrap_or((&occurrence.local_time, ""));
    let Some((date, time)) = clock.split_once('T') else { return super::output::words::or_dash(clock) };
    let sign = time.find(['+', '-', 'Z']).unwrap_or(time.len());
    let (time, offset) = time.split_at_checked(sign).unwrap_or((time, ""));
    format!("{date} {time} {offset} {}", zone.trim_end_matches(']')).trim_end().to_owned()
}

/// "2026-11-21T01:00:00Z"
fn utc(occurrence: &Occurrence) -> String {
    from_pb(occurrence.due_at.as_ref()).map_or_else(|| super::output::words::UNKNOWN.to_owned(), |at| at.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_time_is_told_by_the_clock_on_the_wall_with_its_offset() {
        let at = |text: &str| local(&Occurrence { local_time: text.into(), ..Occurrence::default() });
        assert_eq!(at("2026-11-21T02:00:00+01:00[Europe/Berlin]"), "2026-11-21 02:00:00 +01:00 Europe/Berlin");
        assert_eq!(at("2026-11-21T02:00:00-05:00[America/New_York]"), "2026-11-21 02:00:00 -05:00 America/New_York");
        assert_eq!(at(""), "-");
    }
}
