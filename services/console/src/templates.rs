//! The pages' templates and how values are shown.

use jiff::{SignedDuration, Timestamp};
use minijinja::{Environment, Value};
use muster_domain::{access::role_name, pb::common::v1::Role};
use muster_runtime::Clock;

pub(crate) struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    pub(crate) fn new(clock: Clock) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Chainable);
        for (name, source) in [
            ("layout.html", include_str!("templates/layout.html")),
            ("fleet.html", include_str!("templates/fleet.html")),
            ("fleet_table.html", include_str!("templates/fleet_table.html")),
            ("resource.html", include_str!("templates/resource.html")),
            ("requests.html", include_str!("templates/requests.html")),
            ("request.html", include_str!("templates/request.html")),
            ("audit.html", include_str!("templates/audit.html")),
            ("problem.html", include_str!("templates/problem.html")),
        ] {
            environment.add_template(name, source)?;
        }
        environment.add_filter("duration", duration);
        environment.add_filter("time", time);
        environment.add_filter("word", word);
        environment.add_filter("bytes", bytes);
        environment.add_filter("role", role);
        environment.add_function("now", move || clock.now().to_string());
        Ok(Self { environment })
    }

    pub(crate) fn render(&self, name: &str, context: Value) -> Result<String, minijinja::Error> {
        self.environment.get_template(name)?.render(context)
    }
}

/// "12.5s" of the API as "12 s"; absent is "unknown", never 0.
fn duration(value: Value) -> String {
    let seconds = value.as_str().and_then(|text| text.strip_suffix('s')).and_then(|text| text.parse::<f64>().ok());
    match seconds {
        Some(seconds) => muster_domain::time::humane(SignedDuration::from_millis((seconds * 1_000.0) as i64)),
        None => "unknown".into(),
    }
}

/// A time with its date, in UTC; the exact one stands in the element's title.
fn time(value: Value) -> String {
    match value.as_str().and_then(|text| text.parse::<Timestamp>().ok()) {
        Some(at) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        None => "-".into(),
    }
}

/// "REQUEST_STATE_PENDING_APPROVAL" as "pending approval".
fn word(value: Value, prefix: String) -> String {
    let text = value.as_str().unwrap_or_default();
    let bare = text.strip_prefix(&format!("{prefix}_")).unwrap_or(text);
    if bare.is_empty() { "unknown".into() } else { bare.to_lowercase().replace('_', " ") }
}

/// "ROLE_APPROVER_IT" as "Approver-IT".
fn role(value: Value) -> String {
    let role = value.as_str().and_then(Role::from_str_name).unwrap_or_default();
    role_name(role).to_owned()
}

/// 64-bit numbers are strings in proto3 JSON.
fn bytes(value: Value) -> String {
    let number = value.as_str().and_then(|text| text.parse::<u64>().ok()).or_else(|| u64::try_from(value.clone()).ok());
    match number {
        Some(n) if n < 10_240 => format!("{n} bytes"),
        Some(n) if n < 10_485_760 => format!("{} KiB", n / 1_024),
        Some(n) => format!("{} MiB", n / 1_048_576),
        None => "unknown".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_values_are_unknown_and_never_zero() {
        assert_eq!(duration(Value::UNDEFINED), "unknown");
        assert_eq!(bytes(Value::from(())), "unknown");
        assert_eq!(duration(Value::from("12.5s")), "12 s");
        assert_eq!(duration(Value::from("0s")), "0 s");
        assert_eq!(bytes(Value::from("0")), "0 bytes");
        assert_eq!(word(Value::from("STATUS_RED"), "STATUS".into()), "red");
    }
}
