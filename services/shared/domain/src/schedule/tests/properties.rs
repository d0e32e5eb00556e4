//! What holds for every calendar.

use jiff::civil::{Date, DateTime, Weekday};
use proptest::prelude::*;

use super::*;
use crate::window::time_window_at;

const ZONES: [&str; 5] = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"];
const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

fn rules() -> impl Strategy<Value = String> {
    let time = (0..24_u8, 0..60_u8).prop_map(|(hour, minute)| format!("BYHOUR={hour};BYMINUTE={minute}"));
    let day = prop_oneof![
        Just("FREQ=DAILY".to_owned()),
        (0..7_usize, 0..7_usize).prop_map(|(a, b)| format!("FREQ=WEEKLY;BYDAY={},{}", DAYS[a], DAYS[b])),
        (0..7_usize, prop_oneof![1..=5_i8, -5..=-1_i8])
            .prop_map(|(day, nth)| format!("FREQ=MONTHLY;BYDAY={nth}{}", DAYS[day])),
        prop_oneof![1..=31_i8, -31..=-1_i8].prop_map(|day| format!("FREQ=MONTHLY;BYMONTHDAY={day}")),
        (1..=12_u8, 1..=31_u8).prop_map(|(month, day)| format!("FREQ=YEARLY;BYMONTH={month};BYMONTHDAY={day}")),
    ];
    (day, time).prop_map(|(day, time)| format!("{day};{time}"))
}

fn moments() -> impl Strategy<Value = Timestamp> {
    // 2020 to 2040
    (1_577_836_800_i64..2_208_988_800).prop_map(|second| Timestamp::from_second(second).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn due_times_go_forward_and_asking_from_the_middle_gives_the_same(
        rule in rules(), zone in 0..ZONES.len(), after in moments(), jitter in 0..20_i64, moves: bool,
        blackout in (0..10_i64, 1..400_i64),
    ) {
        let window = TimeWindow {
            from: Some(to_pb(after + hours(24 * blackout.0))),
            until: Some(to_pb(after + hours(24 * blackout.0 + blackout.1))),
            ..TimeWindow::default()
        };
        let spec = ScheduleSpec {
            jitter: Some(duration_to_pb(hours(jitter))),
            blackouts: vec![window.clone(), weekly(&[1, 5], "08:00", "19:00")],
            move_out_of_blackout: moves,
            ..rrule(&rule, ZONES[zone])
        };
        let calendar = calendar(&spec);
        let dues: Vec<Timestamp> = calendar.due_after(after).take(12).collect();
        let mut last = after;
        for due in &dues {
            prop_assert!(*due > last, "{last} then {due}");
            prop_assert!(time_window_at(&window, *due).is_none(), "{due} is in the blackout");
            prop_assert!(time_window_at(&spec.blackouts[1], *due).is_none(), "{due} is in the weekly blackout");
            last = *due;
        }
        for (index, due) in dues.iter().enumerate() {
            if let Some(next) = dues.get(index + 1) {
                prop_assert_eq!(calendar.due_after(*due).next(), Some(*next));
            }
            prop_assert_eq!(calendar.due_after(*due - SignedDuration::from_millis(1)).next(), Some(*due));
        }
        prop_assert_eq!(dues, calendar.due_after(after).take(12).collect::<Vec<_>>());
    }

    /// Every day, asked one by one whether the words of the rule say that it is due.
    #[test]
    fn a_rule_has_the_dates_that_its_words_say(rule in rules(), after in moments()) {
        let found: Vec<Timestamp> = calendar(&rrule(&rule, "UTC")).due_after(after).take(3).collect();
        let until = found.last().copied().unwrap_or(after + hours(24 * 1_600));
        let first = jiff::tz::TimeZone::UTC.to_datetime(after).date();
        let wanted: Vec<Timestamp> = first
            .series(jiff::Span::new().days(1))
            .take(366 * 13)
            .filter_map(|day| says(&rule, day))
            .map(|at| jiff::tz::TimeZone::UTC.to_timestamp(at).unwrap())
            .skip_while(|at| *at <= after)
            .take_while(|at| *at <= until)
            .take(3)
            .collect();
        prop_assert_eq!(found, wanted, "{}", rule);
    }

    /// However often and however late somebody looks, each due time is recorded once, and none is lost.
    #[test]
    fn each_due_time_counts_once(looks in prop::collection::vec(1..400_i64, 1..12)) {
        let mut world = World::of(rrule("FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=2", "Europe/Berlin"), "2026-01-01T00:00:00Z");
        let mut now = world.declared_at;
        for hours_later in looks {
            now += hours(hours_later);
            world.look(&now.to_string());
        }
        let mut recorded = Vec::new();
        for event in &world.events {
            if let Some(Event::Fired(fired)) = &event.event {
                recorded.extend(fired.missed.iter().copied());
                recorded.extend(fired.due_at);
            }
        }
        let wanted: Vec<_> = world.calendar.due_after(world.declared_at).take_while(|due| *due <= now).map(to_pb).collect();
        prop_assert_eq!(recorded, wanted);
    }

    #[test]
    fn no_text_breaks_the_reader(rule in ".{0,60}", parts in prop::collection::vec("(FREQ|BYDAY|BYHOUR|UNTIL|BYSETPOS|BYMONTHDAY)=[A-Z0-9,+-]{0,8}", 0..5)) {
        for text in [rule.clone(), parts.join(";")] {
            let _ = Calendar::of(&rrule(&text, "UTC"), &acme(), "x");
            let _ = Calendar::of(&cron(&text, "UTC"), &acme(), "x");
        }
    }
}

/// Reads the rule its own way, part by part.
fn says(rule: &str, day: Date) -> Option<DateTime> {
    let part = |name: &str| rule.split(';').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str| part(name).map(|text| text.parse::<i8>().unwrap());
    let of_week = part("BYDAY").is_none_or(|days| days.split(',').any(|wanted| is_day(wanted, day)));
    let of_month = number("BYMONTHDAY").is_none_or(|wanted| {
        if wanted > 0 { day.day() == wanted } else { day.day() == day.days_in_month() + 1 + wanted }
    });
    let of_year = number("BYMONTH").is_none_or(|month| day.month() == month);
    (of_week && of_month && of_year).then(|| day.at(number("BYHOUR").unwrap(), number("BYMINUTE").unwrap(), 0, 0))
}

fn is_day(wanted: &str, day: Date) -> bool {
    let (nth, name) = wanted.split_at(wanted.len() - 2);
    let weekdays = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    let index = DAYS.iter().position(|day| *day == name).unwrap();
    let from_start = (day.day() - 1) / 7 + 1;
    let from_end = -((day.days_in_month() - day.day()) / 7 + 1);
    day.weekday() == weekdays[index]
        && (nth.is_empty() || nth.parse::<i8>().unwrap() == from_start || nth.parse::<i8>().unwrap() == from_end)
}
