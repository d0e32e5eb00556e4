//! When a failed attempt is made again.

use jiff::SignedDuration;

use super::routing::EMAIL;

const fn seconds(s: i64) -> SignedDuration {
    SignedDuration::from_secs(s)
}
const fn minutes(m: i64) -> SignedDuration {
    SignedDuration::from_mins(m)
}
const fn hours(h: i64) -> SignedDuration {
    SignedDuration::from_hours(h)
}

/// Standard Webhooks: about three days in all.
const WEBHOOK: &[SignedDuration] =
    &[seconds(5), minutes(5), minutes(30), hours(2), hours(5), hours(10), hours(14), hours(20), hours(24)];

/// Page class: seconds first, then as above.
const WEBHOOK_PAGE: &[SignedDuration] = &[
    seconds(5),
    seconds(15),
    seconds(30),
    seconds(60),
    minutes(5),
    minutes(30),
    hours(2),
    hours(5),
    hours(10),
    hours(14),
    hours(20),
    hours(24),
];

/// A relay's "later" is mostly over after 5 to 15 minutes (greylisting); after four hours mail is no news.
const MAIL: &[SignedDuration] = &[
    minutes(1),
    minutes(5),
    minutes(15),
    minutes(30),
    minutes(30),
    minutes(30),
    minutes(30),
    minutes(30),
    minutes(30),
];

const MAIL_PAGE: &[SignedDuration] = &[
    seconds(5),
    seconds(15),
    seconds(30),
    seconds(60),
    minutes(5),
    minutes(15),
    minutes(30),
    minutes(30),
    minutes(30),
    minutes(30),
    minutes(30),
    minutes(30),
];

/// A far side may ask for patience, but not for ever.
pub const MAX_RETRY_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// How long to wait after the `attempt`-th attempt failed (1 is the first); `None` when that was the last.
/// `seed` spreads retries by ±10 %, so that a thousand messages do not come back in the same second.
pub fn retry_delay(channel: &str, page_class: bool, attempt: u32, seed: u64) -> Option<SignedDuration> {
    let index = usize::try_from(attempt).ok()?.checked_sub(1)?;
    delays(channel, page_class).get(index).map(|delay| jittered(*delay, mixed(seed, attempt)))
}

/// The waits after the first attempt, the second, and so on.
pub(super) fn delays(channel: &str, page_class: bool) -> &'static [SignedDuration] {
    match (channel == EMAIL, page_class) {
        (true, false) => MAIL,
        (true, true) => MAIL_PAGE,
        (false, false) => WEBHOOK,
        (false, true) => WEBHOOK_PAGE,
    }
}

/// 0.9 to 1.1 of the delay.
fn jittered(delay: SignedDuration, random: u64) -> SignedDuration {
    let permille = 900 + i64::try_from(random % 201).unwrap_or(100);
    SignedDuration::from_millis(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX / 2_000) * permille / 1_000)
}

/// SplitMix64: neighbouring seeds give unrelated numbers.
fn mixed(seed: u64, attempt: u32) -> u64 {
    let mut z = seed.wrapping_add(u64::from(attempt).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;
    use proptest::prelude::*;

    fn plain(channel: &str, page: bool) -> Vec<i64> {
        // The middle of the jitter, to the second.
        delays(channel, page).iter().map(|d| d.as_secs()).collect()
    }

    #[test]
    fn the_schedules_are_those_of_the_sheets() {
        assert_eq!(plain("webhook", false), [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]);
        assert_eq!(plain("webhook", true)[..6], [5, 15, 30, 60, 300, 1800]);
        assert_eq!(plain("email", false)[..4], [60, 300, 900, 1800]);
        assert_eq!(plain("email", true)[..4], [5, 15, 30, 60]);
        let three_days: i64 = plain("webhook", false).iter().sum();
        assert!((72..=78).contains(&(three_days / 3600)));
    }

    #[test]
    fn schedules_end() {
        for channel in ["email", "webhook"] {
            for page in [false, true] {
                assert_eq!(retry_delay(channel, page, 100, 1), None);
                assert_eq!(retry_delay(channel, page, 0, 1), None);
            }
        }
    }

    proptest! {
        #[test]
        fn jitter_stays_within_ten_percent_and_repeats_for_a_seed(page: bool, attempt in 1u32..10, seed: u64, mail: bool) {
            let channel = if mail { "email" } else { "webhook" };
            let nominal = plain(channel, page)[attempt as usize - 1] * 1_000;
            let delay = retry_delay(channel, page, attempt, seed).unwrap();
            let millis = i64::try_from(delay.as_millis()).unwrap();
            prop_assert!(millis >= nominal * 9 / 10 && millis <= nominal * 11 / 10);
            prop_assert_eq!(retry_delay(channel, page, attempt, seed), Some(delay));
        }
    }
}
