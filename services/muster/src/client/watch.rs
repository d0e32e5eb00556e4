//! `muster watch`: the fleet as it is now. A table that is not live any more says so: an old green is not a green.

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use muster_domain::pb::readiness::v1::{ReadinessView, Status, WatchReadinessRequest, WatchReadinessResponse};
use muster_domain::time::{duration_from_pb, humane};
use tokio::time::{Instant, MissedTickBehavior};
use tonic::Streaming;

use super::{
    error::CliError,
    output::{Screen, style::Tone, table::Table, words},
    session::Session,
};

/// Ages grow between messages too.
const REDRAW: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Muster speaks of each resource every 5 s. One it has been silent about for longer may be anything by now.
const SILENT_AFTER: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Show the fleet once and end.
    #[arg(long)]
    once: bool,
}

/// What was heard, and when.
struct Fleet {
    resources: BTreeMap<String, (ReadinessView, Instant)>,
    lost: Option<(Instant, String)>,
}

pub(crate) async fn run(args: WatchArgs, session: &Session, screen: &Screen) -> Result<(), CliError> {
    let mut fleet = Fleet { resources: BTreeMap::new(), lost: None };
    let mut stream = open(session).await?;
    let mut redraw = tokio::time::interval(REDRAW);
    redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pause = FIRST_PAUSE;
    loop {
        tokio::select! {
            message = stream.message() => match message {
                Ok(Some(message)) => {
                    pause = FIRST_PAUSE;
                    fleet.take_in(&message);
                    if screen.is_table() { fleet.show_news(&message, session, screen)? } else { screen.json_line(&message)? }
                    if args.once {
                        return Ok(());
                    }
                }
                ended => {
                    let why = ended.err().map_or_else(|| "the server ended the stream".to_owned(), |status| status.message().to_owned());
                    fleet.lose(&why, screen)?;
                    stream = reopen(session, &mut fleet, &mut pause, screen).await?;
                }
            },
            _ = redraw.tick() => fleet.redraw(session, screen)?,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

async fn open(session: &Session) -> Result<Streaming<WatchReadinessResponse>, CliError> {
    let ask = WatchReadinessRequest { tenant: session.tenant() };
    Ok(session.monitor().watch_readiness(session.follow(ask)).await?.into_inner())
}

/// Until Muster answers again, or says that it will not.
async fn reopen(
    session: &Session,
    fleet: &mut Fleet,
    pause: &mut Duration,
    screen: &Screen,
) -> Result<Streaming<WatchReadinessResponse>, CliError> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(*pause) => {}
            _ = tokio::signal::ctrl_c() => return Err(CliError::PipeClosed),
        }
        *pause = (*pause * 2).min(LONGEST_PAUSE);
        match open(session).await {
            Ok(stream) => return Ok(stream),
            Err(CliError::Unavailable(_)) => fleet.redraw(session, screen)?,
            Err(error) => return Err(error),
        }
    }
}

impl Fleet {
    fn take_in(&mut self, message: &WatchReadinessResponse) {
        self.lost = None;
        let now = Instant::now();
        for view in &message.resources {
            self.resources.insert(view.resource.clone(), (view.clone(), now));
        }
    }

    fn lose(&mut self, why: &str, screen: &Screen) -> Result<(), CliError> {
        self.lost.get_or_insert_with(|| (Instant::now(), why.to_owned()));
        if screen.is_terminal() { Ok(()) } else { screen.note(&format!("not live any more: {why}; trying again")) }
    }

    /// Without a terminal: one line for each change.
    fn show_news(&self, message: &WatchReadinessResponse, session: &Session, screen: &Screen) -> Result<(), CliError> {
        if screen.is_terminal() {
            return self.redraw(session, screen);
        }
        fleet_table(message.resources.iter(), Duration::ZERO, session.clock.now())
            .print(screen, "no resource is watched")
    }

    fn redraw(&self, session: &Session, screen: &Screen) -> Result<(), CliError> {
        if !screen.is_terminal() || (self.resources.is_empty() && self.lost.is_none()) {
            return Ok(());
        }
        // Home, and clear below: less flicker than clearing first.
        screen.raw(b"\x1b[H\x1b[2J")?;
        screen.heading(&format!(
            "{} at {}   {:.0}   Ctrl-C ends",
            session.tenant(),
            session.server,
            session.clock.now()
        ))?;
        if let Some((since, why)) = &self.lost {
            let text = format!(
                "NOT LIVE: nothing heard for {} s ({why}); what is shown may be wrong by now",
                since.elapsed().as_secs()
            );
            screen.line(&screen.paint(Tone::Bad, &text))?;
        }
        let views = self.resources.values().map(|(view, heard)| (view, heard.elapsed()));
        let mut sorted: Vec<_> = views.collect();
        sorted.sort_by_key(|(view, since_heard)| (urgency(status_of(view, *since_heard)), view.resource.clone()));
        let mut table = heading();
        for (view, since_heard) in sorted {
            add(&mut table, view, since_heard, session.clock.now());
        }
        table.print(screen, "no resource is watched")
    }
}

/// Worst first; within it by name.
fn urgency(status: Status) -> u8 {
    match status {
        Status::Red => 0,
        Status::Unknown | Status::Unspecified => 1,
        Status::Yellow => 2,
        Status::Green => 3,
    }
}

fn status_of(view: &ReadinessView, since_heard: Duration) -> Status {
    if since_heard > SILENT_AFTER {
        return Status::Unknown;
    }
    view.assessment.as_ref().map_or(Status::Unknown, |assessment| assessment.status())
}

fn why(view: &ReadinessView, since_heard: Duration) -> String {
    if since_heard > SILENT_AFTER {
        return format!("nothing heard of it for {} s: lost sight, or taken out of use", since_heard.as_secs());
    }
    let reasons = view.assessment.as_ref().map(|assessment| assessment.reasons.as_slice()).unwrap_or_default();
    reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join("; ")
}

pub(crate) fn fleet_table<'v>(
    views: impl Iterator<Item = &'v ReadinessView>,
    since_heard: Duration,
    now: Timestamp,
) -> Table {
    let mut table = heading();
    views.for_each(|view| add(&mut table, view, since_heard, now));
    table
}

fn heading() -> Table {
    Table::new(&[
        "STATUS",
        "RESOURCE",
        "TIER",
        "ENVIRONMENT",
        "RUNS ON",
        "RPO NOW",
        "RPO TARGET",
        "OBSERVED",
        "SINCE",
        "WHY",
    ])
}

fn add(table: &mut Table, view: &ReadinessView, since_heard: Duration, now: Timestamp) {
    let assessment = view.assessment.clone().unwrap_or_default();
    let age = duration_from_pb(view.freshness.as_ref());
    let heard = SignedDuration::try_from(since_heard).unwrap_or(SignedDuration::ZERO);
    let observed =
        age.map_or_else(|| words::UNKNOWN.to_owned(), |age| format!("{} ago", humane(age.saturating_add(heard))));
    let since = words::ago(view.status_since.as_ref(), now);
    let silent = since_heard > SILENT_AFTER;
    table.row([
        words::status(status_of(view, since_heard)),
        view.resource.as_str().into(),
        words::tier(view.tier()).into(),
        words::environment(view.environment()).into(),
        words::or_dash(if silent { "" } else { &view.active_site }).into(),
        words::duration(assessment.rpo_now.as_ref().filter(|_| !silent)).into(),
        words::duration(view.rpo_target.as_ref()).into(),
        observed.into(),
        since.into(),
        why(view, since_heard).into(),
    ]);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::pb::readiness::v1::Assessment;
    use muster_domain::time::duration_to_pb;

    use super::*;
    use crate::client::Format;

    #[test]
    fn what_is_not_known_is_said_and_ages_grow() {
        let judged = ReadinessView {
            resource: "orders-db".into(),
            assessment: Some(Assessment {
                status: Status::Green.into(),
                rpo_now: Some(duration_to_pb(SignedDuration::from_secs(2))),
                ..Assessment::default()
            }),
            freshness: Some(duration_to_pb(SignedDuration::from_secs(3))),
            ..ReadinessView::default()
        };
        let unseen = ReadinessView { resource: "new-db".into(), ..ReadinessView::default() };
        let now = "2026-11-21T20:00:00Z".parse().unwrap();
        let table = fleet_table([&judged, &unseen].into_iter(), Duration::from_secs(10), now);
        let lines = table.render(&Screen::remembering(Format::Table));
        assert!(
            lines[1].starts_with("● GREEN") && lines[1].contains("2 s") && lines[1].contains("13 s ago"),
            "{lines:?}"
        );
        assert!(lines[2].starts_with("? UNKNOWN") && lines[2].contains("unknown"), "{lines:?}");
        let old = fleet_table([&judged].into_iter(), Duration::from_secs(21), now)
            .render(&Screen::remembering(Format::Table));
        assert!(
            old[1].starts_with("? UNKNOWN") && !old[1].contains("GREEN") && !old[1].contains(" 2 s "),
            "an old green is not a green: {old:?}"
        );
        assert!(urgency(Status::Red) < urgency(Status::Unknown) && urgency(Status::Unknown) < urgency(Status::Green));
    }
}
