//! Lengths of time and sizes as people write them: `30s`, `1h30m`, `16MiB`.

use jiff::SignedDuration;

/// What is shown as allowed when a length of time is wrong.
pub(super) const DURATION_FORMS: &str = "whole numbers with units, largest first: 500ms, 30s, 5m, 4h, 1h30m, 2d";
pub(super) const SIZE_FORMS: &str = "bytes, or a whole number with KiB, MiB or GiB: 16777216, 16MiB";

/// Units from the largest; a duration names each at most once, in this order.
const UNITS: [(&str, i64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads `1h30m`. The error says what is wrong with it.
pub(super) fn duration(text: &str) -> Result<SignedDuration, &'static str> {
    let mut rest = text.trim();
    if rest.starts_with('-') {
        return Err("a length of time is not negative");
    }
    if rest.is_empty() {
        return Err("a length of time has a value");
    }
    let mut millis: i64 = 0;
    let mut units_left = &UNITS[..];
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() {
            return Err("a length of time is whole numbers with units");
        }
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() && after.is_empty() {
            return Err("a length of time needs its unit");
        }
        let Some(position) = units_left.iter().position(|(name, _)| *name == unit) else {
            return Err("a length of time is whole numbers with units");
        };
        let number: i64 = number.parse().map_err(|_| "a length of time fits into its range")?;
        let part = number.checked_mul(units_left[position].1).ok_or("a length of time fits into its range")?;
        millis = millis.checked_add(part).ok_or("a length of time fits into its range")?;
        units_left = &units_left[position + 1..];
        rest = after;
    }
    Ok(SignedDuration::from_millis(millis))
}

/// The same the other way round: `1h30m`.
pub(super) fn write_duration(duration: SignedDuration) -> String {
    let mut millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let mut text = String::new();
    for (unit, size) in UNITS {
        if millis / size > 0 {
            text.push_str(&format!("{}{unit}", millis / size));
            millis %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Reads `16MiB`.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("4h", 14_400_000),
            ("1h30m", 5_400_000),
            ("2d", 172_800_000),
            (" 1m5s ", 65_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text).unwrap(), SignedDuration::from_millis(millis), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused() {
        for text in [
            "",
            "-5s",
            "30",
            "5 m",
            "1.5h",
            "30m1h",
            "5s5s",
            "s",
            "5x",
            "1h30",
            "99999999999999999999s",
            "9223372036854775807d",
            "+5s",
            "５s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_written_duration_reads_the_same() {
        for millis in [0, 1, 999, 1_000, 61_000, 5_400_000, 90_061_001] {
            let length = SignedDuration::from_millis(millis);
            assert_eq!(duration(&write_duration(length)).unwrap(), length);
        }
    }

    #[test]
    fn sizes_have_binary_units_only() {
        assert_eq!(size("16777216"), Some(16 << 20));
        assert_eq!(size("16MiB"), Some(16 << 20));
        assert_eq!(size("1 GiB"), Some(1 << 30));
        for text in ["16MB", "-1", "1.5MiB", "", "MiB", "99999999999999GiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }
}
