//! Reading the text of a recurrence rule: `NAME=VALUE` parts, each known and each once.

use std::{collections::BTreeMap, ops::RangeInclusive};

use jiff::{
    Timestamp,
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};

use super::recurrence::Until;

/// Longest rule: every part written out stays far below.
const MAX_TEXT: usize = 500;
/// Values of one part.
const MAX_VALUES: usize = 60;

/// Why a calendar rule cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) part: String,
    pub(super) value: String,
    pub(super) limit: String,
}

impl Unreadable {
    pub(super) fn new(part: &str, value: &str, limit: &str) -> Self {
        let short = |text: &str| text.chars().take(80).collect();
        Self { part: short(part), value: short(value), limit: limit.to_owned() }
    }
}

pub(super) struct Parts(BTreeMap<String, String>);

impl Parts {
    pub(super) fn split(text: &str) -> Result<Self, Unreadable> {
        let mut parts = BTreeMap::new();
        let text = text.trim().trim_start_matches("RRULE:").to_ascii_uppercase();
        if text.len() > MAX_TEXT {
            let length = format!("{} characters", text.len());
            return Err(Unreadable::new("the rule", &length, &format!("at most {MAX_TEXT}")));
        }
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let (name, value) =
                part.split_once('=').ok_or_else(|| Unreadable::new("the rule", part, "NAME=VALUE;NAME=VALUE"))?;
            if parts.insert(name.trim().to_owned(), value.trim().to_owned()).is_some() {
                return Err(Unreadable::new(name, "twice", "once"));
            }
        }
        Ok(Self(parts))
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    pub(super) fn list<T>(&mut self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Unreadable> {
        let Some(text) = self.take(name) else { return Ok(Vec::new()) };
        let values: Vec<&str> = text.split(',').collect();
        if values.len() > MAX_VALUES {
            return Err(Unreadable::new(name, &format!("{} values", values.len()), &format!("at most {MAX_VALUES}")));
        }
        let read = |value: &str| read(value.trim()).ok_or_else(|| Unreadable::new(name, value, what(name)));
        values.into_iter().map(read).collect()
    }

    /// Sorted, each once. `signed`: also from the end.
    pub(super) fn numbers(
        &mut self,
        name: &str,
        range: RangeInclusive<i8>,
        signed: bool,
    ) -> Result<Vec<i8>, Unreadable> {
        let mut numbers = self.list(name, |value| {
            let number: i8 = value.parse().ok()?;
            (range.contains(&number) || (signed && range.contains(&number.checked_neg()?))).then_some(number)
        })?;
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    pub(super) fn positions(&mut self) -> Result<Vec<i16>, Unreadable> {
        self.list("BYSETPOS", |value| value.parse().ok().filter(|n: &i16| *n != 0 && n.unsigned_abs() <= 366))
    }

    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, Unreadable> {
        let Some(text) = self.take(name) else { return Ok(None) };
        let limit = format!("{} to {}", range.start(), range.end());
        match text.parse().ok().filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(Unreadable::new(name, &text, &limit)),
        }
    }

    /// "20271231" or "20271231T220000Z".
    pub(super) fn until(&mut self) -> Result<Option<Until>, Unreadable> {
        let Some(text) = self.take("UNTIL") else { return Ok(None) };
        let day = || Date::strptime("%Y%m%d", &text).ok().map(Until::Day);
        let at = || instant(&text).map(Until::At);
        let limit = "a day like 20271231, or a time in UTC like 20271231T220000Z";
        day().or_else(at).map(Some).ok_or_else(|| Unreadable::new("UNTIL", &text, limit))
    }

    /// Weeks begin on Monday; a rule may say so.
    pub(super) fn week_start(&mut self) -> Result<(), Unreadable> {
        match self.take("WKST") {
            Some(day) if day != "MO" => Err(Unreadable::new("WKST", &day, "MO")),
            _ => Ok(()),
        }
    }

    /// What nobody took is not understood, and a part that is passed over would change the dates.
    pub(super) fn finish(self) -> Result<(), Unreadable> {
        let known = "FREQ, INTERVAL, BYMONTH, BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE, BYSETPOS, COUNT, UNTIL, WKST";
        match self.0.keys().next() {
            Some(unknown) => Err(Unreadable::new(unknown, "not known here", known)),
            None => Ok(()),
        }
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    let at = DateTime::strptime("%Y%m%dT%H%M%S", text.strip_suffix('Z')?).ok()?;
    TimeZone::UTC.to_timestamp(at).ok()
}

fn what(name: &str) -> &'static str {
    match name {
        "BYDAY" => "days like MO, 3SA or -1SU",
        "BYMONTH" => "1 to 12",
        "BYMONTHDAY" => "1 to 31, or -31 to -1 from the end",
        "BYHOUR" => "0 to 23",
        "BYMINUTE" => "0 to 59",
        _ => "numbers from 1 to 366, or from the end with a minus",
    }
}

/// "SA", "3SA", "-1SU"
pub(super) fn weekday(text: &str) -> Option<(Option<i8>, Weekday)> {
    let (nth, day) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let day = match day {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    };
    match nth {
        "" => Some((None, day)),
        nth => {
            let nth: i8 = nth.parse().ok()?;
            matches!(nth, -5..=-1 | 1..=5).then_some((Some(nth), day))
        }
    }
}
