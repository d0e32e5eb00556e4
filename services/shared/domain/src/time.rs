//! Conversions between the wire's times and ours.

use jiff::{SignedDuration, Timestamp};

pub type PbTimestamp = pbjson_types::Timestamp;
pub type PbDuration = pbjson_types::Duration;

pub fn to_pb(at: Timestamp) -> PbTimestamp {
    PbTimestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

/// `None` when absent or outside what a timestamp can hold.
pub fn from_pb(at: Option<&PbTimestamp>) -> Option<Timestamp> {
    at.and_then(|t| Timestamp::new(t.seconds, t.nanos).ok())
}

pub fn duration_to_pb(d: SignedDuration) -> PbDuration {
    PbDuration { seconds: d.as_secs(), nanos: d.subsec_nanos() }
}

pub fn duration_from_pb(d: Option<&PbDuration>) -> Option<SignedDuration> {
    // Nanoseconds of a hostile message may overflow the seconds: checked, never a panic.
    d.and_then(|d| SignedDuration::from_secs(d.seconds).checked_add(SignedDuration::from_nanos(i64::from(d.nanos))))
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
