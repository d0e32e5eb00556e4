//! A calendar in words, for people who approve and for the list.

use jiff::{Timestamp, civil::Weekday};

use super::calendar::{Calendar, Rule};
use super::recurrence::{Frequency, Recurrence, Until};

/// Dates that are spelled out; of more the first and their number are told.
const MAX_SPELLED: usize = 2;

/// "every third Saturday of the month at 02:00, Europe/Berlin"
pub(super) fn calendar(calendar: &Calendar) -> String {
    let text = match &calendar.rule {
        Rule::Cron(cron) => cron.describe().trim_end_matches('.').to_owned(),
        Rule::Recurrence(rule) => recurrence(rule),
        Rule::Dates(dates) => spelled(dates, calendar),
    };
    format!("{text}, {}", calendar.zone_name)
}

fn spelled(dates: &[Timestamp], calendar: &Calendar) -> String {
    let shown: Vec<String> = dates.iter().take(MAX_SPELLED).map(|at| minute(*at, calendar)).collect();
    match dates.len() {
        0..=MAX_SPELLED => format!("on {}", shown.join(" and on ")),
        more => format!("on {} dates, the first on {}", more, shown.first().map_or("", String::as_str)),
    }
}

/// "2026-11-21 at 02:00"
fn minute(at: Timestamp, calendar: &Calendar) -> String {
    let local = calendar.local(at);
    let (date, time) = local.split_once('T').unwrap_or((&local, ""));
    format!("{date} at {}", time.get(..5).unwrap_or(time))
}

fn recurrence(rule: &Recurrence) -> String {
    let unit = match rule.frequency {
        Frequency::Daily => "day",
        Frequency::Weekly => "week",
        Frequency::Monthly => "month",
        Frequency::Yearly => "year",
    };
    let every = if rule.interval == 1 { String::new() } else { format!(" of every {}", nth_unit(rule.interval, unit)) };
    let mut text = format!("every {}{every}", days(rule, unit));
    if !rule.months.is_empty() {
        text.push_str(&format!(" in {}", list(rule.months.iter().map(|month| month_name(*month)).collect())));
    }
    if !rule.positions().is_empty() {
        let places = rule.positions().iter().map(|position| ordinal(i64::from(*position))).collect();
        text.push_str(&format!(" (the {} of these in each {unit})", list(places)));
    }
    text.push_str(&format!(" at {}", list(rule.times_of_day())));
    match (rule.count, rule.until) {
        (Some(count), _) => text.push_str(&format!(", {count} times")),
        (None, Some(Until::Day(day))) => text.push_str(&format!(", until {day}")),
        (None, Some(Until::At(at))) => text.push_str(&format!(", until {at}")),
        (None, None) => {}
    }
    text
}

fn days(rule: &Recurrence, unit: &str) -> String {
    let of_week: Vec<String> = rule.days.iter().map(|(nth, day)| weekday(*nth, *day)).collect();
    let of_month: Vec<String> = rule.month_days.iter().map(|day| format!("{} day", ordinal(i64::from(*day)))).collect();
    let in_month = if unit == "month" || unit == "year" { " of the month" } else { "" };
    match (of_week.is_empty(), of_month.is_empty()) {
        (true, true) => "day".to_owned(),
        (false, true) if rule.days.iter().any(|(nth, _)| nth.is_some()) => format!("{}{in_month}", list(of_week)),
        (false, true) => list(of_week),
        (true, false) => format!("{} of the month", list(of_month)),
        (false, false) => format!("{} that is the {} of the month", list(of_week), list(of_month)),
    }
}

fn weekday(nth: Option<i8>, day: Weekday) -> String {
    let name = match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    };
    nth.map_or_else(|| name.to_owned(), |nth| format!("{} {name}", ordinal(i64::from(nth))))
}

/// "third", "last", "second last"
fn ordinal(number: i64) -> String {
    let place = number.abs();
    let text = match place {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        4 => "fourth".to_owned(),
        5 => "fifth".to_owned(),
        11..=13 => format!("{place}th"),
        place if place % 10 == 1 => format!("{place}st"),
        place if place % 10 == 2 => format!("{place}nd"),
        place if place % 10 == 3 => format!("{place}rd"),
        place => format!("{place}th"),
    };
    match (number < 0, place) {
        (false, _) => text,
        (true, 1) => "last".to_owned(),
        (true, _) => format!("{text} last"),
    }
}

fn nth_unit(interval: u32, unit: &str) -> String {
    format!("{} {unit}", ordinal(i64::from(interval)))
}

fn month_name(month: i8) -> String {
    let names = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let index = usize::try_from(month - 1).unwrap_or_default();
    names.get(index).copied().unwrap_or_default().to_owned()
}

/// "a", "a and b", "a, b and c"
fn list(mut items: Vec<String>) -> String {
    match items.pop() {
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} and {last}", items.join(", ")),
        None => String::new(),
    }
}
