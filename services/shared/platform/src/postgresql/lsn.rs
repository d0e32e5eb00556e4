//! A position in PostgreSQL's log.

use std::{fmt, str::FromStr};

/// Written "X/Y" in hexadecimal; the number behind it is `(X << 32) + Y`. Positions compare only within
/// one system and one line of timelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

/// A log page, at every build's default; a page begins with a header that is no record.
const PAGE: u64 = 8192;
/// The longer of the two headers, at the beginning of a segment.
const LONGEST_PAGE_HEADER: u64 = 40;

impl Lsn {
    /// Bytes from `other` up to here; zero when `other` is ahead.
    pub fn bytes_since(self, other: Self) -> u64 {
        self.0.saturating_sub(other.0)
    }

    /// The name, without the timeline, of the segment file that holds the byte before this position.
    pub(super) fn segment(self, segment_size: u64) -> Option<String> {
        let number = self.0.checked_sub(1)?.checked_div(segment_size)?;
        let per_file = (1_u64 << 32).checked_div(segment_size)?;
        Some(format!("{:08X}{:08X}", number.checked_div(per_file)?, number.checked_rem(per_file)?))
    }

    /// The end of the last record before an insert position. At the beginning of a page the insert
    /// position stands behind the page's header, which is not shipped before the next record is:
    /// no standby would ever seem to have all of an idle primary.
    pub fn end_of_record(self) -> Self {
        let into_page = self.0 % PAGE;
        if into_page <= LONGEST_PAGE_HEADER { Self(self.0 - into_page) } else { self }
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a log position: expected hexadecimal X/Y")]
pub struct InvalidLsn(String);

impl FromStr for Lsn {
    type Err = InvalidLsn;

    fn from_str(text: &str) -> Result<Self, InvalidLsn> {
        let half = |part: &str| {
            let hex = !part.is_empty() && part.len() <= 8 && part.bytes().all(|b| b.is_ascii_hexdigit());
            if hex { u64::from_str_radix(part, 16).ok() } else { None }
        };
        text.split_once('/')
            .and_then(|(high, low)| Some(Self((half(high)? << 32) + half(low)?)))
            .ok_or_else(|| InvalidLsn(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn reads_and_writes_positions() {
        for text in ["0/0", "0/3010430", "16/B374D848", "FFFFFFFF/FFFFFFFF"] {
            assert_eq!(text.parse::<Lsn>().unwrap().to_string(), text);
        }
        assert_eq!("1/0".parse::<Lsn>().unwrap().0, 1 << 32);
        assert!("1/FF".parse::<Lsn>().unwrap() < "2/0".parse::<Lsn>().unwrap());
    }

    #[test]
    fn refuses_what_is_no_position() {
        for text in ["", "/", "0", "0/", "/1", "0/1FFFFFFFF", "0/+1", "0/ 1", "x/1", "0/1/2"] {
            assert!(text.parse::<Lsn>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_the_segment_file() {
        let name = |text: &str| text.parse::<Lsn>().unwrap().segment(16 << 20);
        assert_eq!(name("0/3010430").as_deref(), Some("0000000000000003"));
        assert_eq!(name("0/4000000").as_deref(), Some("0000000000000003"));
        assert_eq!(name("16/B374D848").as_deref(), Some("00000016000000B3"));
        assert_eq!(name("0/0"), None);
        assert_eq!(Lsn(5).segment(0), None);
    }

    #[test]
    fn an_insert_position_behind_a_page_header_is_the_page_begin() {
        assert_eq!(Lsn(0x3_002_018).end_of_record(), Lsn(0x3_002_000));
        assert_eq!(Lsn(0x4_000_028).end_of_record(), Lsn(0x4_000_000));
        assert_eq!(Lsn(0x3_010_430).end_of_record(), Lsn(0x3_010_430));
    }
}
