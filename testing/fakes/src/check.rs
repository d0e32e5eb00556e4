//! Small checks of JSON, that say what is wrong as a service would.

use aws_lc_rs::hmac;
use serde_json::{Map, Value};

/// What is wrong, for people.
pub type Checked<T> = Result<T, String>;

pub fn object<'a>(value: &'a Value, what: &str) -> Checked<&'a Map<String, Value>> {
    value.as_object().ok_or_else(|| format!("{what} is no object"))
}

/// Nothing but these.
pub fn only(fields: &Map<String, Value>, known: &[&str], what: &str) -> Checked<()> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(format!("{what} has a field '{unknown}' that nobody knows")),
        None => Ok(()),
    }
}

/// A text that is there, and has 1 to so many characters.
pub fn text<'a>(fields: &'a Map<String, Value>, name: &str, max_chars: usize) -> Checked<&'a str> {
    let text = fields.get(name).and_then(Value::as_str).ok_or_else(|| format!("'{name}' is missing or no text"))?;
    match text.chars().count() {
        0 => Err(format!("'{name}' is empty")),
        n if n > max_chars => Err(format!("'{name}' has {n} characters, of {max_chars}")),
        _ => Ok(text),
    }
}

/// As [`text`], or not there.
pub fn optional_text<'a>(fields: &'a Map<String, Value>, name: &str, max_chars: usize) -> Checked<Option<&'a str>> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => text(fields, name, max_chars).map(Some),
    }
}

pub fn one_of(text: &str, allowed: &[&str], what: &str) -> Checked<()> {
    if allowed.contains(&text) { Ok(()) } else { Err(format!("{what} is '{text}', of {allowed:?}")) }
}

pub fn http_url(text: &str, what: &str) -> Checked<()> {
    let url = url::Url::parse(text).map_err(|e| format!("{what}: {e}"))?;
    one_of(url.scheme(), &["https", "http"], what)
}

/// "2026-11-22T07:26:14Z": a date and a time in UTC.
pub fn utc(text: &str, what: &str) -> Checked<()> {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let (whole, rest) = shape.split_at_checked(19).ok_or_else(|| format!("{what} is no time: {text}"))?;
    let fraction = rest.strip_suffix('Z').ok_or_else(|| format!("{what} is not in UTC: {text}"))?;
    let fraction_fits = fraction.is_empty() || fraction.strip_prefix('.').is_some_and(|f| f.chars().all(|c| c == '0'));
    if whole == "0000-00-00T00:00:00" && fraction_fits { Ok(()) } else { Err(format!("{what} is no time: {text}")) }
}

/// HMAC-SHA256 in hex.
pub fn hmac_hex(secret: &str, message: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
