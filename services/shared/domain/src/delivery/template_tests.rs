#![expect(clippy::unwrap_used, reason = "a test panics to fail")]

use proptest::prelude::*;

use super::*;
use crate::delivery::message::kind;
use crate::delivery::sample::sample;

fn said(source: &str) -> Result<String, TemplateError> {
    let message = sample("acme", kind::RPO_BREACHED, jiff::Timestamp::UNIX_EPOCH);
    render(source, &message, "https://m.example/t/acme/resources/orders-db")
}

#[test]
fn a_template_says_what_the_message_holds() {
    assert_eq!(said("{{ severity|upper }}: {{ resource }}").unwrap(), "CRITICAL: orders-db");
    let list = "{% for r in reasons -%} - {{ r }}\n{% endfor %}{% if is_test %}TEST{% else %}{{ link }}{% endif %}";
    let text = said(list).unwrap();
    assert!(text.starts_with("- RPO_BREACH") && text.ends_with("/resources/orders-db"), "{text}");
    assert_eq!(said("{% for f in facts %}{{ f.name }};{% endfor %}").unwrap().matches(';').count(), 4);
}

#[test]
fn a_name_that_does_not_exist_is_an_error_and_says_where() {
    let error = said("fine\n{{ resourse }}").unwrap_err().to_string();
    assert!(error.contains("undefined") && error.contains("line 2"), "{error}");
}

#[test]
fn nothing_is_included_defined_or_multiplied() {
    for hostile in [
        "{% include 'message.html' %}",
        "{%- include \"/etc/passwd\" -%}",
        "{% extends 'x' %}",
        "{% import 'x' as y %}",
        "{% set x = summary ~ summary %}{{ x }}",
        "{% with x = summary ~ summary %}{{ x }}{% endwith %}",
        "{% macro m() %}{% endmacro %}",
        "{% raw %}{{ x }}{% endraw %}",
        "{% for x in [summary ~ summary] %}{{ x }}{% endfor %}",
        "{% for r in reasons recursive %}{{ loop(r) }}{% endfor %}",
        "{% %}",
        "{{ 'x' * 100000 }}",
        "{{ \"}}\" ~ 'x' * 100000 }}",
        "{% if '%}' == 'x' * 9 %}{% endif %}",
        "{{ '\\'' * 9 }}",
    ] {
        let refused = said(hostile).unwrap_err();
        assert!(matches!(refused, TemplateError::Tag(_) | TemplateError::Multiplication), "{hostile}: {refused}");
    }
    for broken in
        ["{{ range(9) }}", "{{ summary|replace('a', 'b') }}", "{{ reasons|join }}", "{{ link.x }}", "{{ 1 +", "{% if"]
    {
        assert!(said(broken).is_err(), "{broken}");
    }
}

#[test]
fn steps_and_bytes_have_a_limit() {
    let nested = "{% for a in facts %}".repeat(9) + "{{ kind }}" + &"{% endfor %}".repeat(9);
    assert!(said(&nested).is_err());
    let long = "{{ summary }}{{ summary }}".repeat(40);
    assert_eq!(said(&long), Err(TemplateError::TooMuch(MAX_RESULT_BYTES)));
}

proptest! {
    /// Any text is rendered or refused, and never more than the limit.
    #[test]
    fn no_template_does_harm(parts in prop::collection::vec(prop::sample::select(vec![
        "{{", "}}", "{%", "%}", "{#", "#}", " if ", " for ", "x", " in ", "reasons", " endfor ", "endif", "summary", "|upper", "'", "\"", "\\",
        "*", "~", "(", ")", "[", "]", "ä", "\n", "{", "-", ".", "0",
    ]), 0..40)) {
        if let Ok(text) = said(&parts.concat()) {
            prop_assert!(text.len() <= MAX_RESULT_BYTES);
        }
    }
}
