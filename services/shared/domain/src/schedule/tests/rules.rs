//! Rules that are understood, and rules that are refused.

use super::*;

fn dates(rule: &str, after: &str, count: usize) -> Vec<String> {
    next(&rrule(rule, "UTC"), after, count).iter().map(|date| date[..16].to_owned()).collect()
}

#[test]
fn leap_days_last_days_and_the_31st() {
    assert_eq!(
        dates("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYHOUR=6", "2026-01-01T00:00:00Z", 2),
        ["2028-02-29T06:00", "2032-02-29T06:00"]
    );
    assert_eq!(
        dates("FREQ=MONTHLY;BYMONTHDAY=31;BYHOUR=6", "2026-01-01T00:00:00Z", 4),
        ["2026-01-31T06:00", "2026-03-31T06:00", "2026-05-31T06:00", "2026-07-31T06:00"]
    );
    assert_eq!(
        dates("FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=6", "2028-01-31T07:00:00Z", 2),
        ["2028-02-29T06:00", "2028-03-31T06:00"]
    );
    // 2100 is no leap year.
    assert_eq!(dates("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYHOUR=6", "2096-03-01T00:00:00Z", 1), ["2104-02-29T06:00"]);
}

#[test]
fn ordinals_positions_and_both_kinds_of_days() {
    assert_eq!(
        dates("FREQ=MONTHLY;BYDAY=-1SU;BYHOUR=3", "2026-02-01T00:00:00Z", 2),
        ["2026-02-22T03:00", "2026-03-29T03:00"]
    );
    // The last working day.
    assert_eq!(
        dates("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=3", "2026-01-01T00:00:00Z", 2),
        ["2026-01-30T03:00", "2026-02-27T03:00"]
    );
    // Friday the 13th.
    assert_eq!(
        dates("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;BYHOUR=3", "2026-01-01T00:00:00Z", 3),
        ["2026-02-13T03:00", "2026-03-13T03:00", "2026-11-13T03:00"]
    );
    assert_eq!(
        dates("FREQ=YEARLY;BYMONTH=3,9;BYDAY=1MO;BYHOUR=3", "2026-04-01T00:00:00Z", 2),
        ["2026-09-07T03:00", "2027-03-01T03:00"]
    );
    assert_eq!(
        dates("FREQ=MONTHLY;BYDAY=5SA;BYHOUR=3", "2026-01-01T00:00:00Z", 2),
        ["2026-01-31T03:00", "2026-05-30T03:00"]
    );
}

#[test]
fn intervals_and_counts_are_counted_from_the_start() {
    let starts = |rule: &str| ScheduleSpec { starts: Some(to_pb(at("2026-01-05T00:00:00Z"))), ..rrule(rule, "UTC") };
    let dates = |rule: &str, after: &str| -> Vec<String> {
        next(&starts(rule), after, 3).iter().map(|date| date[..10].to_owned()).collect()
    };
    assert_eq!(
        dates("FREQ=WEEKLY;INTERVAL=2;BYDAY=WE;BYHOUR=1", "2026-01-01T00:00:00Z"),
        ["2026-01-07", "2026-01-21", "2026-02-04"]
    );
    // The same rule, asked years later, is still in step.
    assert_eq!(
        dates("FREQ=WEEKLY;INTERVAL=2;BYDAY=WE;BYHOUR=1", "2028-01-10T00:00:00Z"),
        ["2028-01-19", "2028-02-02", "2028-02-16"]
    );
    assert_eq!(
        dates("FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=10;BYHOUR=1", "2026-01-01T00:00:00Z"),
        ["2026-01-10", "2026-04-10", "2026-07-10"]
    );
    assert_eq!(dates("FREQ=DAILY;COUNT=2;BYHOUR=1", "2026-01-01T00:00:00Z"), ["2026-01-05", "2026-01-06"]);
    assert!(dates("FREQ=DAILY;COUNT=2;BYHOUR=1", "2026-01-06T01:00:00Z").is_empty());
    assert_eq!(dates("FREQ=DAILY;UNTIL=20260106;BYHOUR=1", "2026-01-01T00:00:00Z").len(), 2);
    assert_eq!(dates("FREQ=DAILY;UNTIL=20260106T003000Z;BYHOUR=1", "2026-01-01T00:00:00Z").len(), 1);
}

#[test]
fn what_is_not_understood_is_refused_with_its_part() {
    for (rule, part) in [
        ("", "none of them"),
        ("FREQ=HOURLY;BYHOUR=2", "FREQ is HOURLY"),
        ("FREQ=DAILY", "BYHOUR is absent"),
        ("FREQ=WEEKLY;BYHOUR=2", "BYDAY is absent"),
        ("FREQ=MONTHLY;BYHOUR=2", "BYDAY is absent"),
        ("FREQ=YEARLY;BYDAY=1MO;BYHOUR=2", "BYMONTH is absent"),
        ("FREQ=WEEKLY;BYDAY=3SA;BYHOUR=2", "BYDAY is with an ordinal"),
        ("FREQ=MONTHLY;BYDAY=6SA;BYHOUR=2", "BYDAY is 6SA"),
        ("FREQ=MONTHLY;BYDAY=XX;BYHOUR=2", "BYDAY is XX"),
        ("FREQ=MONTHLY;BYMONTHDAY=32;BYHOUR=2", "BYMONTHDAY is 32"),
        ("FREQ=MONTHLY;BYMONTHDAY=0;BYHOUR=2", "BYMONTHDAY is 0"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR is 24"),
        ("FREQ=DAILY;BYHOUR=2;BYSECOND=5", "BYSECOND is not known here"),
        ("FREQ=DAILY;BYHOUR=2;BYHOUR=3", "BYHOUR is twice"),
        ("FREQ=DAILY;BYHOUR=2;INTERVAL=0", "INTERVAL is 0"),
        ("FREQ=DAILY;BYHOUR=2;INTERVAL=2", "INTERVAL or COUNT is without `starts`"),
        ("FREQ=DAILY;BYHOUR=2;COUNT=3", "INTERVAL or COUNT is without `starts`"),
        ("FREQ=DAILY;BYHOUR=2;UNTIL=tomorrow", "UNTIL is TOMORROW"),
        ("FREQ=DAILY;BYHOUR=2;WKST=SU", "WKST is SU"),
        ("every day", "the rule is EVERY DAY"),
    ] {
        let refusal = Calendar::of(&rrule(rule, "UTC"), &acme(), "x").unwrap_err();
        assert_eq!(refusal.value, part, "{rule}");
        assert!(!refusal.limit.is_empty() && !refusal.next_action.is_empty(), "{refusal:?}");
    }
    for rule in ["* * * *", "0 2 * * * *", "60 2 * * *", "0 2 32 * *", "@daily", "a b c d e"] {
        assert_eq!(Calendar::of(&cron(rule, "UTC"), &acme(), "x").unwrap_err().field, "spec.cron", "{rule}");
    }
    assert_eq!(Calendar::of(&cron("0 2 * * *", "Europe/Atlantis"), &acme(), "x").unwrap_err().field, "spec.timeZone");
    let two = ScheduleSpec { cron: "0 2 * * *".into(), ..rrule("FREQ=DAILY;BYHOUR=2", "UTC") };
    assert_eq!(Calendar::of(&two, &acme(), "x").unwrap_err().value, "cron and rrule");
}

#[test]
fn a_rule_without_dates_ends() {
    assert_eq!(
        calendar(&rrule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=2", "UTC"))
            .after(at("2026-01-01T00:00:00Z"))
            .next(),
        None
    );
    assert_eq!(calendar(&cron("0 2 30 2 *", "UTC")).after(at("2026-01-01T00:00:00Z")).next(), None);
}

#[test]
fn rules_in_words() {
    for (rule, words) in [
        ("FREQ=DAILY;BYHOUR=2", "every day at 02:00, UTC"),
        ("FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=2;BYMINUTE=30", "every Monday and Thursday at 02:30, UTC"),
        ("FREQ=MONTHLY;BYDAY=-1SU;BYHOUR=2", "every last Sunday of the month at 02:00, UTC"),
        ("FREQ=MONTHLY;BYMONTHDAY=15;BYHOUR=2", "every 15th day of the month at 02:00, UTC"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=2", "every last day of the month at 02:00, UTC"),
        (
            "FREQ=YEARLY;BYMONTH=3,9;BYDAY=1MO;BYHOUR=2",
            "every first Monday of the month in March and September at 02:00, UTC",
        ),
        ("FREQ=DAILY;BYHOUR=2;UNTIL=20271231", "every day at 02:00, until 2027-12-31, UTC"),
    ] {
        assert_eq!(calendar(&rrule(rule, "")).in_words(), words);
    }
    assert!(calendar(&cron("0 2 * * 6#3", "UTC")).in_words().contains("Saturday"));
}
