//! What is asked for, checked before it reaches SQL.

use muster_domain::{Refusal, pb::audit::v1::AuditFilter, refusal::field_refusal, time};

use crate::projection::searchable;

/// Longest filter text; ids are shorter.
const MAX_TEXT: usize = 200;
/// More types than this are better asked for with a `*`.
const MAX_TYPES: usize = 50;

/// A filter whose parts make sense, in the form of SQL parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filter {
    pub(crate) from_micros: Option<i64>,
    pub(crate) to_micros: Option<i64>,
    pub(crate) resource: String,
    pub(crate) request_id: String,
    /// A LIKE pattern; empty for everybody.
    pub(crate) actor: String,
    /// LIKE patterns; empty for all.
    pub(crate) types: Vec<String>,
}

pub(crate) fn check(filter: Option<&AuditFilter>) -> Result<Filter, Refusal> {
    let none = AuditFilter::default();
    let filter = filter.unwrap_or(&none);
    for (field, text) in [
        ("filter.resource", &filter.resource),
        ("filter.request_id", &filter.request_id),
        ("filter.actor", &filter.actor),
    ] {
        length(field, text)?;
    }
    if filter.types.len() > MAX_TYPES {
        return Err(invalid(
            "filter.types",
            "a filter names few types",
            filter.types.len().to_string(),
            format!("at most {MAX_TYPES}"),
            "use a pattern like request.*",
        ));
    }
    for pattern in &filter.types {
        length("filter.types", pattern)?;
    }
    let (from, to) = (time::given("filter.from", filter.from.as_ref())?, time::given("filter.to", filter.to.as_ref())?);
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(invalid(
            "filter.to",
            "a range ends after it begins",
            to.to_string(),
            format!("after {from}"),
            "swap the two times",
        ));
    }
    Ok(Filter {
        from_micros: from.map(|at| at.as_microsecond()),
        to_micros: to.map(|at| at.as_microsecond()),
        resource: searchable(&filter.resource),
        request_id: searchable(&filter.request_id),
        actor: if filter.actor.is_empty() {
            String::new()
        } else {
            format!("%{}%", escape(&searchable(&filter.actor)))
        },
        types: filter.types.iter().map(|pattern| type_pattern(pattern)).collect(),
    })
}

fn type_pattern(pattern: &str) -> String {
    match pattern.strip_suffix('*') {
        Some(start) => format!("{}%", escape(start)),
        None => escape(pattern),
    }
}

fn escape(text: &str) -> String {
    text.replace('\0', " ").replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn length(field: &str, text: &str) -> Result<(), Refusal> {
    let length = text.chars().count();
    if length <= MAX_TEXT {
        return Ok(());
    }
    Err(invalid(
        field,
        "filters are short",
        format!("{length} characters"),
        format!("at most {MAX_TEXT} characters"),
        "shorten it",
    ))
}

fn invalid(field: &str, rule: &str, value: String, limit: String, next: &str) -> Refusal {
    field_refusal(field, "FIELD_INVALID", rule, value, limit, next)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use muster_domain::time::PbTimestamp;

    use super::*;

    #[test]
    fn wildcards_of_sql_are_plain_characters() {
        let filter = check(Some(&AuditFilter {
            actor: "50%_a".into(),
            types: vec!["request.*".into(), "a_b".into()],
            ..Default::default()
        }))
        .unwrap();
        assert_eq!(filter.actor, "%50\\%\\_a%");
        assert_eq!(filter.types, ["request.%", "a\\_b"]);
    }

    #[test]
    fn nonsense_names_its_field() {
        let at = |seconds| Some(PbTimestamp { seconds, nanos: 0 });
        let field = |filter: AuditFilter| check(Some(&filter)).unwrap_err().field;
        assert_eq!(field(AuditFilter { from: at(20), to: at(10), ..Default::default() }), "filter.to");
        assert_eq!(field(AuditFilter { from: at(i64::MAX), ..Default::default() }), "filter.from");
        assert_eq!(field(AuditFilter { actor: "x".repeat(201), ..Default::default() }), "filter.actor");
    }
}
