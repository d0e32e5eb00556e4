//! Blackouts, jitter, one-off dates, beginnings and ends.

use super::*;

const DAILY: &str = "FREQ=DAILY;BYHOUR=2";

#[test]
fn the_third_saturday_is_said_and_found() {
    let spec = rrule("FREQ=MONTHLY;BYDAY=3SA;BYHOUR=2;BYMINUTE=0", "Europe/Berlin");
    assert_eq!(calendar(&spec).in_words(), "every third Saturday of the month at 02:00, Europe/Berlin");
    assert_eq!(
        next(&spec, "2026-11-01T00:00:00Z", 3),
        [
            "2026-11-21T02:00:00+01:00[Europe/Berlin]",
            "2026-12-19T02:00:00+01:00[Europe/Berlin]",
            "2027-01-16T02:00:00+01:00[Europe/Berlin]",
        ]
    );
    // The same by cron, which another library reads.
    assert_eq!(
        next(&cron("0 2 * * 6#3", "Europe/Berlin"), "2026-11-01T00:00:00Z", 24),
        next(&spec, "2026-11-01T00:00:00Z", 24)
    );
}

#[test]
fn what_falls_into_a_blackout_is_left_out_or_moved_to_its_end() {
    let blackouts = vec![from_until("year-end", "2026-12-20T00:00:00Z", "2026-12-23T12:00:00Z")];
    let left_out = ScheduleSpec { blackouts: blackouts.clone(), ..rrule(DAILY, "UTC") };
    let dues: Vec<Due> = calendar(&left_out).after(at("2026-12-18T12:00:00Z")).take(6).collect();
    let told: Vec<(String, bool)> = dues.iter().map(|due| (due.at.to_string(), due.is_left_out())).collect();
    assert_eq!(
        told,
        [
            ("2026-12-19T02:00:00Z".to_owned(), false),
            ("2026-12-20T02:00:00Z".to_owned(), true),
            ("2026-12-21T02:00:00Z".to_owned(), true),
            ("2026-12-22T02:00:00Z".to_owned(), true),
            ("2026-12-23T02:00:00Z".to_owned(), true),
            ("2026-12-24T02:00:00Z".to_owned(), false),
        ]
    );
    assert_eq!(dues[1].fate, Fate::LeftOut { because: "blackout year-end: books are closed".into() });

    // Four become one, and each is accounted for.
    let moved = ScheduleSpec { blackouts, move_out_of_blackout: true, ..rrule(DAILY, "UTC") };
    let due: Vec<String> =
        calendar(&moved).due_after(at("2026-12-18T12:00:00Z")).take(3).map(|due| due.to_string()).collect();
    assert_eq!(due, ["2026-12-19T02:00:00Z", "2026-12-23T12:00:00Z", "2026-12-24T02:00:00Z"]);
    let left_out = calendar(&moved).after(at("2026-12-18T12:00:00Z")).take(6).filter(Due::is_left_out).count();
    assert_eq!(left_out, 3);
    // Asked in the middle of the blackout, the one to come is still found.
    assert_eq!(calendar(&moved).due_after(at("2026-12-22T00:00:00Z")).next(), Some(at("2026-12-23T12:00:00Z")));
}

#[test]
fn blackouts_that_follow_each_other_are_one() {
    let blackouts = vec![
        from_until("one", "2026-12-20T00:00:00Z", "2026-12-21T00:00:00Z"),
        from_until("two", "2026-12-21T00:00:00Z", "2026-12-22T06:00:00Z"),
    ];
    let spec = ScheduleSpec { blackouts, move_out_of_blackout: true, ..rrule(DAILY, "UTC") };
    assert_eq!(calendar(&spec).due_after(at("2026-12-19T12:00:00Z")).next(), Some(at("2026-12-22T06:00:00Z")));
    // One that is not over for months: left out, and not moved into the next quarter.
    let blackouts = vec![from_until("long", "2026-12-20T00:00:00Z", "2027-06-01T00:00:00Z")];
    let spec = ScheduleSpec { blackouts, move_out_of_blackout: true, ..rrule(DAILY, "UTC") };
    let first = calendar(&spec).after(at("2026-12-19T12:00:00Z")).next().unwrap();
    assert!(first.is_left_out(), "{first:?}");
    assert_eq!(calendar(&spec).due_after(at("2026-12-19T12:00:00Z")).next(), Some(at("2027-06-01T00:00:00Z")));
}

#[test]
fn jitter_is_part_of_the_schedule_and_not_of_the_day() {
    let spec = ScheduleSpec { jitter: Some(duration_to_pb(hours(4))), ..rrule(DAILY, "UTC") };
    let first = |name: &str| {
        let calendar = Calendar::of(&spec, &acme(), name).unwrap();
        let dues: Vec<Timestamp> = calendar.due_after(at("2026-06-01T12:00:00Z")).take(3).collect();
        assert_eq!(dues[1].duration_since(dues[0]), hours(24), "always the same");
        let shift = dues[0].duration_since(at("2026-06-02T02:00:00Z"));
        assert!(shift >= SignedDuration::ZERO && shift < hours(4), "{shift:?}");
        shift
    };
    assert_eq!(first("orders"), first("orders"));
    let shifts: std::collections::BTreeSet<SignedDuration> = (0..40).map(|n| first(&format!("s-{n}"))).collect();
    assert!(shifts.len() > 30, "a fleet is spread: {shifts:?}");
    // Asked inside the shifted hours, today's is still to come.
    let calendar = Calendar::of(&spec, &acme(), "orders").unwrap();
    let due = calendar.due_after(at("2026-06-01T12:00:00Z")).next().unwrap();
    assert_eq!(calendar.due_after(due - SignedDuration::from_secs(1)).next(), Some(due));
}

#[test]
fn dates_are_sorted_each_once_and_within_their_limits() {
    let dates = ["2026-05-01T10:00:00Z", "2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z", "2027-01-01T00:00:00Z"];
    let spec = ScheduleSpec {
        dates: dates.iter().map(|date| to_pb(at(date))).collect(),
        ends: Some(to_pb(at("2026-12-31T00:00:00Z"))),
        ..drill()
    };
    let due: Vec<String> = calendar(&spec).due_after(at("2026-01-01T00:00:00Z")).map(|due| due.to_string()).collect();
    assert_eq!(due, ["2026-03-01T10:00:00Z", "2026-05-01T10:00:00Z"]);
    assert_eq!(calendar(&spec).in_words(), "on 3 dates, the first on 2026-03-01 at 10:00, UTC");
    let starts = ScheduleSpec { starts: Some(to_pb(at("2026-04-01T00:00:00Z"))), ..spec };
    assert_eq!(calendar(&starts).due_after(at("2026-01-01T00:00:00Z")).count(), 1);
}

#[test]
fn weekly_blackouts_are_by_the_clock_of_their_own_zone() {
    // Every Saturday night in Berlin until 06:00.
    let spec = ScheduleSpec {
        blackouts: vec![weekly(&[6], "00:00", "06:00")],
        move_out_of_blackout: true,
        ..rrule("FREQ=MONTHLY;BYDAY=3SA;BYHOUR=2", "Europe/Berlin")
    };
    assert_eq!(next(&spec, "2026-11-01T00:00:00Z", 1), ["2026-11-21T06:00:00+01:00[Europe/Berlin]"]);
}
