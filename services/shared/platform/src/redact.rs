//! Nothing secret leaves in a message: evidence, logs and errors are read by many and kept for ever.

use secrecy::{ExposeSecret, SecretString};

/// The longest message that is passed on. Servers and programs can be made to say a lot.
const MAX_MESSAGE: usize = 600;

/// What stands in the place of a secret.
const HIDDEN: &str = "[hidden]";

/// One line without secrets: known passwords, `password=…` in any form, and the user part of URLs.
pub fn redact(text: &str, secrets: &[&SecretString]) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for secret in secrets {
        let secret = secret.expose_secret();
        if !secret.is_empty() {
            line = line.replace(secret, HIDDEN);
        }
    }
    line = hide_after(&line, "password=");
    line = hide_after(&line, "passfile=");
    line = hide_url_users(&line);
    if line.chars().count() > MAX_MESSAGE {
        line = line.chars().take(MAX_MESSAGE).collect::<String>() + " […]";
    }
    line
}

/// Hides the value after every `key`, quoted or not.
fn hide_after(line: &str, key: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.to_ascii_lowercase().find(key) {
        let (before, after) = rest.split_at(at + key.len());
        out.push_str(before);
        out.push_str(HIDDEN);
        rest = after_value(after);
    }
    out + rest
}

fn after_value(text: &str) -> &str {
    if let Some(quoted) = text.strip_prefix('\'') {
        return quoted.find('\'').map_or("", |end| &quoted[end + 1..]);
    }
    text.find(|c: char| c.is_whitespace() || c == '&').map_or("", |end| &text[end..])
}

/// `postgres://user:secret@host` becomes `postgres://[hidden]@host`.
fn hide_url_users(line: &str) -> String {
    line.split(' ')
        .map(|word| match (word.find("://"), word.rfind('@')) {
            (Some(scheme), Some(at)) if scheme < at => format!("{}://{HIDDEN}{}", &word[..scheme], &word[at..]),
            _ => word.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_survive_in_any_form() {
        let secret = SecretString::from("s3cr3t".to_owned());
        let text = "could not connect to postgres://mon:s3cr3t@db:5432/x with password='other one' host=db\n PASSWORD=third end";
        assert_eq!(
            redact(text, &[&secret]),
            "could not connect to postgres://[hidden]@db:5432/x with password=[hidden] host=db PASSWORD=[hidden] end"
        );
    }

    #[test]
    fn a_message_has_an_end() {
        assert!(redact(&"ab ".repeat(10_000), &[]).chars().count() < MAX_MESSAGE + 10);
    }
}
