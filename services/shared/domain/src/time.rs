//! Conversions between the wire's times and ours.

use jiff::civil::Time;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

use crate::refusal::{Refusal, field_refusal};

pub type PbTimestamp = pbjson_types::Timestamp;
pub type PbDuration = pbjson_types::Duration;

pub fn to_pb(at: Timestamp) -> PbTimestamp {
    PbTimestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

/// `None` when absent or outside what a timestamp can hold.
pub fn from_pb(at: Option<&PbTimestamp>) -> Option<Timestamp> {
    at.and_then(|t| Timestamp::new(t.seconds, t.nanos).ok())
}

/// The time that a caller gave, if one: a time that cannot be is refused, and is not taken for an absent one.
pub fn given(field: &str, at: Option<&PbTimestamp>) -> Result<Option<Timestamp>, Refusal> {
    match (at, from_pb(at)) {
        (Some(at), None) => Err(field_refusal(
            field,
            "FIELD_INVALID",
            "a time that exists",
            format!("{} s {} ns", at.seconds, at.nanos),
            "years 1 to 9999",
            "correct the time",
        )),
        (_, found) => Ok(found),
    }
}

pub fn duration_to_pb(d: SignedDuration) -> PbDuration {
    PbDuration { seconds: d.as_secs(), nanos: d.subsec_nanos() }
}

pub fn duration_from_pb(d: Option<&PbDuration>) -> Option<SignedDuration> {
    // Nanoseconds of a hostile message may overflow the seconds: checked, never a panic.
    d.and_then(|d| SignedDuration::from_secs(d.seconds).checked_add(SignedDuration::from_nanos(i64::from(d.nanos))))
}

/// A time zone by its IANA name, from the database inside the program: the same on every machine, and no file is read.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

/// "22:00", a time of day in hours and minutes.
pub fn time_of_day(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| digits.parse().ok().filter(|_| digits.len() == 2 && !digits.starts_with('+'));
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// "4 min 10 s", for people.
pub fn humane(d: SignedDuration) -> String {
    let total = d.as_secs().unsigned_abs();
    let sign = if d.is_negative() { "-" } else { "" };
    let (h, m, s) = (total / 3600, total % 3600 / 60, total % 60);
    let text = match (h, m, s) {
        (0, 0, _) if total < 10 && d.subsec_millis() != 0 => format!("{:.1} s", d.as_secs_f64().abs()),
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    };
    format!("{sign}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_names_and_times_of_day_two_digits_each() {
        assert!(zone("Europe/Berlin").is_some() && zone("UTC").is_some());
        for name in ["", "Berlin", "Europe/Atlantis", "../etc/passwd"] {
            assert!(zone(name).is_none(), "{name}");
        }
        assert_eq!(time_of_day("22:05"), Some(jiff::civil::time(22, 5, 0, 0)));
        for text in ["", "22", "24:00", "7:00", "07:60", "+7:00", "07:00:00", "0７:00"] {
            assert!(time_of_day(text).is_none(), "{text}");
        }
    }
}
