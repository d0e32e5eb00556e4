//! Windows of time that people declare: from one moment until another, or every week, in a time zone.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Time},
    tz::{AmbiguousZoned, TimeZone},
};

use crate::pb::inventory::v1::{TimeWindow, WeeklyWindow};
use crate::time::{PbTimestamp, from_pb, time_of_day, zone};

/// `Some(end)` when the window holds at this moment; no end inside: until somebody ends it.
pub(crate) fn time_window_at(window: &TimeWindow, at: Timestamp) -> Option<Option<Timestamp>> {
    holds_at(window.from.as_ref(), window.until.as_ref(), window.weekly.as_ref(), at)
}

/// The same for the three parts of a window.
pub(crate) fn holds_at(
    from: Option<&PbTimestamp>,
    until: Option<&PbTimestamp>,
    weekly: Option<&WeeklyWindow>,
    at: Timestamp,
) -> Option<Option<Timestamp>> {
    let (from, until) = (from_pb(from), from_pb(until));
    if from.is_some_and(|from| at < from) || until.is_some_and(|until| at >= until) {
        return None;
    }
    match weekly {
        None => Some(until),
        Some(weekly) => {
            let end = weekly_end(weekly, at)?;
            Some(Some(until.map_or(end, |until| until.min(end))))
        }
    }
}

/// The end of the weekly window that holds at this moment.
///
/// Clock changes only make a window longer: a beginning that happens twice counts from the first, an end that happens
/// twice counts until the second. A window that cannot be read holds: one that silently does nothing is worse.
fn weekly_end(weekly: &WeeklyWindow, at: Timestamp) -> Option<Timestamp> {
    let (Some(start), Some(end), Some(zone)) =
        (time_of_day(&weekly.start), time_of_day(&weekly.end), zone(&weekly.time_zone))
    else {
        return Some(Timestamp::MAX);
    };
    let today = zone.to_datetime(at).date();
    let days = [today.checked_sub(1.day()).ok(), Some(today)].into_iter().flatten();
    let windows = days.filter(|day| is_on(weekly, *day)).filter_map(|day| {
        let last = if end <= start { day.checked_add(1.day()).ok()? } else { day };
        let from = instant(&zone, day, start, AmbiguousZoned::earlier)?;
        let until = instant(&zone, last, end, AmbiguousZoned::later)?;
        (from <= at && at < until).then_some(until)
    });
    windows.max()
}

fn is_on(weekly: &WeeklyWindow, day: Date) -> bool {
    let number = u32::from(day.weekday().to_monday_one_offset().unsigned_abs());
    weekly.days.is_empty() || weekly.days.contains(&number)
}

fn instant(
    zone: &TimeZone,
    day: Date,
    time: Time,
    settle: impl Fn(AmbiguousZoned) -> Result<jiff::Zoned, jiff::Error>,
) -> Option<Timestamp> {
    settle(zone.to_ambiguous_zoned(day.to_datetime(time))).ok().map(|zoned| zoned.timestamp())
}
