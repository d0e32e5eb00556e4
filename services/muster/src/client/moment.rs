//! A point in time as people write it for something that is to come.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use super::error::CliError;

/// A time, a day (its beginning in UTC), or in how long.
pub(super) fn moment(option: &str, text: &str, now: Timestamp) -> Result<Timestamp, CliError> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(day) = text.parse::<Date>()
        && let Ok(start) = day.to_zoned(TimeZone::UTC)
    {
        return Ok(start.timestamp());
    }
    let ahead = text.parse::<SignedDuration>().ok().and_then(|ahead| now.checked_add(ahead).ok());
    ahead.ok_or_else(|| {
        CliError::Usage(format!(
            "{option} '{text}': write a time (2026-11-21T20:00:00Z), a day (2026-11-21) or in how long (48h)"
        ))
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn moments_are_points_days_or_ahead() {
        let now: Timestamp = "2026-11-21T20:00:00Z".parse().unwrap();
        assert_eq!(moment("--until", "2026-11-30", now).unwrap().to_string(), "2026-11-30T00:00:00Z");
        assert_eq!(moment("--until", "48h", now).unwrap().to_string(), "2026-11-23T20:00:00Z");
        assert_eq!(moment("--until", "soon", now).unwrap_err().exit().code(), 2);
    }
}
