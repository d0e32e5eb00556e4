//! What the clock skips is due right after; what it shows twice is due once, the first time.

use super::*;

#[test]
fn in_berlin() {
    let spec = rrule("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "Europe/Berlin");
    assert_eq!(
        next(&spec, "2026-03-28T00:00:00Z", 3),
        [
            "2026-03-28T02:30:00+01:00[Europe/Berlin]",
            "2026-03-29T03:00:00+02:00[Europe/Berlin]",
            "2026-03-30T02:30:00+02:00[Europe/Berlin]",
        ]
    );
    assert_eq!(
        next(&spec, "2026-10-24T00:00:00Z", 3),
        [
            "2026-10-24T02:30:00+02:00[Europe/Berlin]",
            "2026-10-25T02:30:00+02:00[Europe/Berlin]",
            "2026-10-26T02:30:00+01:00[Europe/Berlin]",
        ]
    );
    assert_eq!(
        next(&cron("30 2 * * *", "Europe/Berlin"), "2026-01-01T00:00:00Z", 400),
        next(&spec, "2026-01-01T00:00:00Z", 400)
    );
}

#[test]
fn in_new_york() {
    let spec = rrule("FREQ=DAILY;BYHOUR=2;BYMINUTE=15", "America/New_York");
    assert_eq!(next(&spec, "2026-03-08T05:00:00Z", 1), ["2026-03-08T03:00:00-04:00[America/New_York]"]);
    let spec = rrule("FREQ=DAILY;BYHOUR=1;BYMINUTE=15", "America/New_York");
    assert_eq!(
        next(&spec, "2026-11-01T04:00:00Z", 2),
        ["2026-11-01T01:15:00-04:00[America/New_York]", "2026-11-02T01:15:00-05:00[America/New_York]"]
    );
}

/// Its clock changes by half an hour.
#[test]
fn on_lord_howe() {
    let spec = rrule("FREQ=DAILY;BYHOUR=2;BYMINUTE=10", "Australia/Lord_Howe");
    assert_eq!(next(&spec, "2026-10-03T15:00:00Z", 1), ["2026-10-04T02:30:00+11:00[Australia/Lord_Howe]"]);
    let spec = rrule("FREQ=DAILY;BYHOUR=1;BYMINUTE=45", "Australia/Lord_Howe");
    assert_eq!(
        next(&spec, "2026-04-04T13:00:00Z", 2),
        ["2026-04-05T01:45:00+11:00[Australia/Lord_Howe]", "2026-04-06T01:45:00+10:30[Australia/Lord_Howe]"]
    );
}

#[test]
fn two_times_in_one_gap_are_one() {
    let spec = rrule("FREQ=DAILY;BYHOUR=2;BYMINUTE=10,50", "Europe/Berlin");
    assert_eq!(
        next(&spec, "2026-03-29T00:00:00Z", 2),
        ["2026-03-29T03:00:00+02:00[Europe/Berlin]", "2026-03-30T02:10:00+02:00[Europe/Berlin]"]
    );
}
