//! The page. What people and machines wrote is text in it and never markup; its one style sheet is named by its digest in
//! the page's own policy, so that nothing else is ever used.

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context, syntax::SyntaxConfig, value::Serde};
use muster_domain::time::humane;
use sha2::{Digest, Sha256};

use super::model::Report;

const STYLE: &str = include_str!("style.css");
const UNKNOWN: &str = "not known";

pub(super) fn page(report: &Report) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_filter("time", time);
    environment.add_filter("seconds", seconds);
    environment.add_template("run-report.html", include_str!("run-report.html"))?;
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        STANDARD.encode(Sha256::digest(STYLE.as_bytes()))
    );
    environment.get_template("run-report.html")?.render(context! {
        r => Value::from(Serde(report)),
        style => Value::from_safe_string(STYLE.to_owned()),
        policy => Value::from_safe_string(policy),
    })
}

/// "2026-11-22 03:04:05 UTC"
fn time(at: Value) -> String {
    let at = at.as_str().and_then(|at| at.parse::<Timestamp>().ok());
    at.map_or_else(|| UNKNOWN.to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// "4 min 10 s"
fn seconds(duration: Value) -> String {
    let duration = f64::try_from(duration).ok().and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
    duration.map_or_else(|| UNKNOWN.to_owned(), short)
}

/// People read 0.04 s better than 0 s.
fn short(duration: SignedDuration) -> String {
    if duration.abs() < SignedDuration::from_secs(1) {
        format!("{:.2} s", duration.as_secs_f64())
    } else {
        humane(duration)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;
    use crate::report::model::{Decision, Moment, Objective, Step};

    fn report(text: &str) -> Report {
        Report {
            title: format!("switchover of {text}"),
            state: "succeeded".into(),
            made_at: "2026-11-22T03:04:05Z".into(),
            decisions: vec![Decision { who: text.into(), text: text.into(), ..Default::default() }],
            objectives: vec![Objective {
                objective: "RTO",
                of: text.into(),
                verdict: "not measured",
                ..Default::default()
            }],
            steps: vec![Step { title: text.into(), state: "succeeded", ..Default::default() }],
            deviations: vec![text.into()],
            timeline: vec![Moment { text: text.into(), who: text.into(), ..Default::default() }],
            ..Default::default()
        }
    }

    #[test]
    fn what_people_wrote_is_never_markup() {
        let hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'</style>";
        let page = page(&report(hostile)).unwrap();
        assert!(page.matches("&lt;script&gt;").count() >= 5, "it is shown as text");
        for forbidden in ["<script", "<img", "style=\"", "http://", "https://", "src=\"", "<link", "@import", "url("] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert_eq!(page.matches("</style>").count(), 1);
    }

    #[test]
    fn the_policy_names_the_one_style_sheet() {
        let page = page(&report("orders-db")).unwrap();
        let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        let digest = STANDARD.encode(Sha256::digest(style.as_bytes()));
        assert!(page.contains(&format!("style-src 'sha256-{digest}'")), "{}", page.lines().nth(4).unwrap());
    }

    #[test]
    fn what_is_not_known_is_said_so() {
        let page = page(&report("orders-db")).unwrap();
        assert!(page.contains("not measured") && page.contains(UNKNOWN));
        assert_eq!((seconds(Value::from(())), seconds(Value::from(0.0))), (UNKNOWN.to_owned(), "0.00 s".to_owned()));
        assert_eq!(seconds(Value::from(250.0)), "4 min 10 s");
    }
}
