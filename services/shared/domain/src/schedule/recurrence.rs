//! A recurrence rule of RFC 5545, section 3.3.10, without its `DTSTART`: the parts that fleets of drills need.
//!
//! `FREQ` DAILY, WEEKLY, MONTHLY, YEARLY; `INTERVAL`, `BYMONTH`, `BYMONTHDAY`, `BYDAY` (with ordinals by the month),
//! `BYHOUR`, `BYMINUTE`, `BYSETPOS`, `COUNT`, `UNTIL`. What a start would have said has to be said: the time of day, the
//! day of a weekly, monthly or yearly rule, and `starts` for what is counted.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};

use super::parse::{self, Parts, Unreadable};

/// Longer than between two 29ths of February. A rule that has no date within it has none.
pub(super) const HORIZON_YEARS: i16 = 12;
/// Counts longer than this are not a plan any more.
const MAX_COUNT: u32 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// When a rule ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    At(Timestamp),
    /// The end of this day, where the schedule is.
    Day(Date),
}

impl Until {
    pub(super) fn instant(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Day(day) => {
                let last = day.at(23, 59, 59, 0);
                zone.to_ambiguous_zoned(last).later().ok().map(|zoned| zoned.timestamp())
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recurrence {
    pub(super) frequency: Frequency,
    pub(super) interval: u32,
    pub(super) months: Vec<i8>,
    /// From the end of the month when negative.
    pub(super) month_days: Vec<i8>,
    /// "3SA": with its ordinal in the month, from the end when negative.
    pub(super) days: Vec<(Option<i8>, Weekday)>,
    hours: Vec<i8>,
    minutes: Vec<i8>,
    positions: Vec<i16>,
    pub(super) count: Option<u32>,
    pub(super) until: Option<Until>,
}

impl Recurrence {
    pub(super) fn parse(text: &str) -> Result<Self, Unreadable> {
        let mut parts = Parts::split(text)?;
        let frequency = match parts.take("FREQ").as_deref() {
            Some("DAILY") => Frequency::Daily,
            Some("WEEKLY") => Frequency::Weekly,
            Some("MONTHLY") => Frequency::Monthly,
            Some("YEARLY") => Frequency::Yearly,
            other => {
                return Err(Unreadable::new("FREQ", other.unwrap_or("absent"), "DAILY, WEEKLY, MONTHLY or YEARLY"));
            }
        };
        let rule = Self {
            frequency,
            interval: parts.number("INTERVAL", 1..=366)?.unwrap_or(1),
            months: parts.numbers("BYMONTH", 1..=12, false)?,
            month_days: parts.numbers("BYMONTHDAY", 1..=31, true)?,
            days: parts.list("BYDAY", parse::weekday)?,
            hours: parts.numbers("BYHOUR", 0..=23, false)?,
            minutes: match parts.numbers("BYMINUTE", 0..=59, false)? {
                none if none.is_empty() => vec![0],
                minutes => minutes,
            },
            positions: parts.positions()?,
            count: parts.number("COUNT", 1..=MAX_COUNT)?,
            until: parts.until()?,
        };
        parts.week_start()?;
        parts.finish()?;
        rule.must_be_whole()?;
        Ok(rule)
    }

    /// What a start would have added has to be there, and nothing is given that means nothing.
    fn must_be_whole(&self) -> Result<(), Unreadable> {
        let refuse = |part: &str, limit: &str| Err(Unreadable::new(part, "absent", limit));
        if self.hours.is_empty() {
            return refuse("BYHOUR", "the hour, 0 to 23, as there is no start to take it from");
        }
        let has_day = !self.days.is_empty() || !self.month_days.is_empty();
        match self.frequency {
            Frequency::Weekly if self.days.is_empty() => refuse("BYDAY", "the days of the week"),
            Frequency::Weekly if !self.month_days.is_empty() => {
                Err(Unreadable::new("BYMONTHDAY", "with FREQ=WEEKLY", "BYDAY only"))
            }
            Frequency::Monthly if !has_day => refuse("BYDAY", "BYDAY or BYMONTHDAY"),
            Frequency::Yearly if !has_day => refuse("BYDAY", "BYDAY or BYMONTHDAY"),
            Frequency::Yearly if self.months.is_empty() => refuse("BYMONTH", "the months, 1 to 12"),
            Frequency::Daily | Frequency::Weekly if self.days.iter().any(|(nth, _)| nth.is_some()) => {
                Err(Unreadable::new("BYDAY", "with an ordinal", "ordinals with FREQ=MONTHLY or YEARLY only"))
            }
            _ if self.count.is_some() && self.until.is_some() => {
                Err(Unreadable::new("COUNT", "with UNTIL", "one of the two"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn positions(&self) -> &[i16] {
        &self.positions
    }

    /// "02:00"
    pub(super) fn times_of_day(&self) -> Vec<String> {
        let times = self.hours.iter().flat_map(|hour| self.minutes.iter().map(move |minute| (hour, minute)));
        times.map(|(hour, minute)| format!("{hour:02}:{minute:02}")).collect()
    }

    /// It is counted from the beginning, so there has to be one.
    pub(super) fn needs_start(&self) -> bool {
        self.interval > 1 || self.count.is_some()
    }

    /// The dates from `from` on, sorted; whole periods are counted from `anchor`.
    pub(super) fn dates(&self, anchor: Date, from: Date) -> impl Iterator<Item = DateTime> + '_ {
        // What is counted ends by itself.
        let horizon = from.checked_add(i64::from(HORIZON_YEARS).years()).unwrap_or(Date::MAX);
        let last = if self.count.is_some() { Date::MAX } else { horizon };
        let mut period = self.period_before(anchor, from);
        let mut ready = Vec::new().into_iter();
        std::iter::from_fn(move || {
            loop {
                if let Some(found) = ready.next() {
                    return Some(found);
                }
                let first = period.filter(|first| *first <= last)?;
                ready = self.in_period(first).into_iter();
                period = self.step(first, 1);
            }
        })
        .filter(move |at| at.date() >= from)
    }

    /// The first day of the newest counted period that begins at or before `from`.
    fn period_before(&self, anchor: Date, from: Date) -> Option<Date> {
        let first = self.first_of(anchor);
        let from = self.first_of(from.max(anchor));
        let between = match self.frequency {
            Frequency::Daily => i64::from(first.until(from).ok()?.get_days()),
            Frequency::Weekly => i64::from(first.until(from).ok()?.get_days()) / 7,
            Frequency::Monthly => months_since(first, from),
            Frequency::Yearly => i64::from(from.year()) - i64::from(first.year()),
        };
        self.step(first, between.max(0) / i64::from(self.interval))
    }

    fn first_of(&self, day: Date) -> Date {
        match self.frequency {
            Frequency::Daily => day,
            // Weeks begin on Monday, as RFC 5545 has it without WKST.
            Frequency::Weekly => {
                day.checked_sub(i64::from(day.weekday().to_monday_zero_offset()).days()).unwrap_or(day)
            }
            Frequency::Monthly => day.first_of_month(),
            Frequency::Yearly => day.first_of_year(),
        }
    }

    fn step(&self, first: Date, periods: i64) -> Option<Date> {
        let periods = periods.checked_mul(i64::from(self.interval))?;
        let span = jiff::Span::new();
        let span = match self.frequency {
            Frequency::Daily => span.try_days(periods),
            Frequency::Weekly => span.try_weeks(periods),
            Frequency::Monthly => span.try_months(periods),
            Frequency::Yearly => span.try_years(periods),
        };
        first.checked_add(span.ok()?).ok()
    }

    fn in_period(&self, first: Date) -> Vec<DateTime> {
        let mut days = match self.frequency {
            Frequency::Daily => {
                if self.day_fits(first) {
                    vec![first]
                } else {
                    Vec::new()
                }
            }
            Frequency::Weekly => self
                .days
                .iter()
                .filter_map(|(_, day)| first.checked_add(i64::from(day.to_monday_zero_offset()).days()).ok())
                .collect(),
            Frequency::Monthly => self.in_month(first),
            Frequency::Yearly => {
                let months = self.months.iter().filter_map(|month| Date::new(first.year(), *month, 1).ok());
                months.flat_map(|month| self.in_month(month)).collect()
            }
        };
        days.retain(|day| self.months.is_empty() || self.months.contains(&day.month()));
        let mut found: Vec<DateTime> = days.into_iter().flat_map(|day| self.times(day)).collect();
        found.sort_unstable();
        found.dedup();
        self.at_positions(found)
    }

    fn day_fits(&self, day: Date) -> bool {
        let of_week = self.days.is_empty() || self.days.iter().any(|(_, weekday)| *weekday == day.weekday());
        of_week && (self.month_days.is_empty() || self.is_month_day(day))
    }

    fn is_month_day(&self, day: Date) -> bool {
        let from_end = day.day() - day.days_in_month() - 1;
        self.month_days.iter().any(|wanted| *wanted == day.day() || *wanted == from_end)
    }

    /// Days by the month, days by the week, or where both are given those that are both.
    fn in_month(&self, first: Date) -> Vec<Date> {
        let days = (1..=first.days_in_month()).filter_map(|day| Date::new(first.year(), first.month(), day).ok());
        days.filter(|day| {
            let of_month = self.month_days.is_empty() || self.is_month_day(*day);
            of_month && (self.days.is_empty() || self.days.iter().any(|wanted| is_nth(*day, *wanted)))
        })
        .collect()
    }

    fn times(&self, day: Date) -> impl Iterator<Item = DateTime> + '_ {
        let times = self.hours.iter().flat_map(|hour| self.minutes.iter().map(move |minute| (*hour, *minute)));
        times.filter_map(move |(hour, minute)| Some(day.to_datetime(Time::new(hour, minute, 0, 0).ok()?)))
    }

    fn at_positions(&self, found: Vec<DateTime>) -> Vec<DateTime> {
        if self.positions.is_empty() {
            return found;
        }
        let wanted = self.positions.iter().filter_map(|position| {
            let index = usize::from(position.unsigned_abs()).checked_sub(1)?;
            if *position > 0 { Some(index) } else { found.len().checked_sub(index + 1) }
        });
        let mut chosen: Vec<DateTime> = wanted.filter_map(|index| found.get(index).copied()).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }
}

fn is_nth(day: Date, (nth, weekday): (Option<i8>, Weekday)) -> bool {
    day.weekday() == weekday
        && nth.is_none_or(|nth| day.nth_weekday_of_month(nth, weekday).is_ok_and(|found| found == day))
}

fn months_since(first: Date, from: Date) -> i64 {
    (i64::from(from.year()) - i64::from(first.year())) * 12 + i64::from(from.month()) - i64::from(first.month())
}
