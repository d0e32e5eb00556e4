//! Who gets it. Two spellings of the same mailbox or endpoint are the same recipient: the rule that
//! keeps test systems away from the production on-call compares recipients, not route names.

mod service;

use std::net::{Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};

pub use service::{gds_notification, pagerduty, slack, slack_user, teams};

/// One recipient of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// As it is contacted.
    pub address: String,
    /// As it is shown and recorded: without what could be a secret (a URL's query).
    pub shown: String,
    /// The same for every spelling of one mailbox or endpoint.
    pub identity: String,
    /// What the secret says about who it is, where only the secret tells.
    pub mark: SecretMark,
}

/// Two references can hold one integration key or one workflow's URL: only the content tells that they lead to the same
/// people. Kept in memory, never recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SecretMark {
    /// The identity says all there is.
    #[default]
    NotNeeded,
    /// The secret could not be read just now.
    Unknown,
    /// SHA-256 of what the secret leads to, in hex.
    Digest(String),
}

impl Recipient {
    /// Whether a message to this one would reach that one, as far as anybody can tell.
    ///
    /// While the protected one's secret cannot be read, every other secret of that channel may be the same.
    pub fn reaches(&self, protected: &Recipient) -> bool {
        if self.identity == protected.identity {
            return true;
        }
        match (self.digest(), protected.digest()) {
            (_, None) => self.mark != SecretMark::NotNeeded && self.channel() == protected.channel(),
            // Without its secret nothing is sent; it is judged again when the secret is there.
            (None, Some(_)) => false,
            (Some(ours), Some(theirs)) => ours == theirs,
        }
    }

    fn digest(&self) -> Option<String> {
        match &self.mark {
            SecretMark::NotNeeded => Some(sha256_hex(&self.identity)),
            SecretMark::Unknown => None,
            SecretMark::Digest(digest) => Some(digest.clone()),
        }
    }

    fn channel(&self) -> &str {
        self.identity.split(':').next().unwrap_or_default()
    }
}

fn sha256_hex(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}"))
}

/// RFC 5321's longest path, without the angle brackets.
const MAX_EMAIL: usize = 254;
/// What every HTTP library carries.
const MAX_URL: usize = 2048;

/// A mailbox. `None` when it is no plain `local@domain` address.
///
/// The identity is wider than the standard asks: case and a `+tag` do not make another mailbox, nor do dots where the
/// provider passes over them.
pub fn email(text: &str) -> Option<Recipient> {
    let address = text.trim();
    let (local, domain) = address.rsplit_once('@')?;
    let local_ok = !local.is_empty()
        && local.len() <= 64
        && local.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b));
    if address.len() > MAX_EMAIL || !local_ok || local.starts_with('.') || local.ends_with('.') || local.contains("..")
    {
        return None;
    }
    let domain = host(domain).filter(|d| !d.starts_with('['))?;
    let mailbox = local.split('+').next().filter(|m| !m.is_empty())?.to_ascii_lowercase();
    let identity = match domain.as_str() {
        // Source: support.google.com/mail/answer/7436150, "Dots don't matter in Gmail addresses".
        "gmail.com" | "googlemail.com" => format!("mailto:{}@gmail.com", mailbox.replace('.', "")),
        _ => format!("mailto:{mailbox}@{domain}"),
    };
    Some(Recipient { address: address.to_owned(), shown: address.to_owned(), identity, mark: SecretMark::NotNeeded })
}

/// An endpoint. `None` when it is no plain ASCII http(s) URL without credentials.
///
/// The identity is host, port and path; query and fragment do not make another endpoint, since an
/// ignored parameter would be a way round. On-call endpoints therefore need a path of their own. The
/// usual ports of http and https are one: most servers answer the same on both.
pub fn webhook(text: &str) -> Option<Recipient> {
    let url = text.trim();
    if url.len() > MAX_URL || !url.bytes().all(|b| b.is_ascii_graphic()) || url.contains('\\') {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    if !["https", "http"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    // A '@' would be credentials in the URL.
    if authority.contains('@') {
        return None;
    }
    let (name, port) = split_port(authority)?;
    let host = host(name)?;
    let port = if ["", "80"].contains(&port) { "443" } else { port };
    let path_end = after.find(['?', '#']).unwrap_or(after.len());
    let path = plain_path(after.get(..path_end)?)?;
    let shown = format!("{scheme}://{authority}{}", after.get(..path_end)?);
    let identity = format!("web:{host}:{port}{path}");
    Some(Recipient { address: url.to_owned(), shown, identity, mark: SecretMark::NotNeeded })
}

fn split_port(authority: &str) -> Option<(&str, &str)> {
    let after_brackets = authority.rfind(']').map_or(0, |i| i + 1);
    match authority.get(after_brackets..)?.rfind(':') {
        None => Some((authority, "")),
        Some(at) => {
            let (name, port) = authority.split_at(after_brackets + at);
            let port = port.get(1..)?;
            // "0443" is 443 to a URL parser.
            let port_ok = port.is_empty()
                || (port.parse::<u16>().is_ok_and(|p| p > 0) && !port.starts_with('0') && !port.starts_with('+'));
            port_ok.then_some((name, port))
        }
    }
}

/// Lower case, no trailing dot; addresses only in their one strict spelling, because parsers also
/// take 127.1, 0x7f.1 and 2130706433 for 127.0.0.1.
fn host(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().ok().map(|ip| match ip.to_ipv4_mapped() {
            Some(v4) => v4.to_string(),
            None => format!("[{ip}]"),
        });
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() > 253 || !name.split('.').all(label_ok) {
        return None;
    }
    let numeric_end = name.rsplit('.').next().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
    if numeric_end && name.parse::<Ipv4Addr>().is_err() {
        return None;
    }
    Some(name)
}

/// Percent-decoded, without dot segments, doubled or trailing slashes, in lower case: wide on purpose.
fn plain_path(path: &str) -> Option<String> {
    let decoded = percent_decode(path)?.to_ascii_lowercase();
    let mut parts: Vec<&str> = Vec::new();
    for part in decoded.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(parts.iter().fold(String::new(), |path, part| format!("{path}/{part}")))
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(b) = bytes.next() {
        if b != b'%' {
            decoded.push(b);
            continue;
        }
        let digit = |b: u8| char::from(b).to_digit(16);
        let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn spellings_of_one_mailbox_are_one_recipient() {
        let same = ["oncall@example.com", " OnCall@Example.COM ", "oncall+test@example.com.", "ONCALL+a+b@example.com"];
        for spelling in same {
            assert_eq!(email(spelling).unwrap().identity, "mailto:oncall@example.com", "{spelling}");
        }
        assert_ne!(email("oncall2@example.com").unwrap().identity, email("oncall@example.com").unwrap().identity);
        for spelling in ["oncall@gmail.com", "on.call@gmail.com", "O.N.call+x@googlemail.com"] {
            assert_eq!(email(spelling).unwrap().identity, "mailto:oncall@gmail.com", "{spelling}");
        }
        assert_ne!(email("on.call@example.com").unwrap().identity, email("oncall@example.com").unwrap().identity);
    }

    #[test]
    fn what_is_no_plain_address_is_no_recipient() {
        for bad in [
            "",
            "x",
            "@x",
            "a@",
            "On Call <oncall@example.com>",
            "a@b\r\nBcc: c@d",
            "a b@c",
            "a@[127.0.0.1]",
            "a@@b",
            "+a@b",
            "a@b..c",
            "ä@b.c",
            "a..b@c.d",
        ] {
            assert_eq!(email(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn spellings_of_one_endpoint_are_one_recipient() {
        let same = [
            "https://hooks.example.com/on-call",
            "HTTPS://Hooks.Example.com:443/on-call/",
            "https://hooks.example.com./x/../on-call?a=1#b",
            "https://hooks.example.com//on%2Dcall",
            "https://hooks.example.com/%6Fn-call?key=other",
            "http://hooks.example.com:443/./On-Call",
            "http://hooks.example.com/on-call",
            "https://hooks.example.com:80/on-call",
        ];
        for spelling in same {
            assert_eq!(webhook(spelling).unwrap().identity, "web:hooks.example.com:443/on-call", "{spelling}");
        }
        for other in ["https://hooks.example.com/test", "https://hooks.example.com:8443/on-call"] {
            assert_ne!(webhook(other).unwrap().identity, "web:hooks.example.com:443/on-call", "{other}");
        }
    }

    #[test]
    fn mapped_and_plain_addresses_are_one_endpoint() {
        assert_eq!(
            webhook("https://[::ffff:10.0.0.1]/a").unwrap().identity,
            webhook("https://10.0.0.1/a").unwrap().identity
        );
    }

    #[test]
    fn what_other_parsers_read_differently_is_no_recipient() {
        let bad = [
            "ftp://a/b",
            "https://",
            "https://user:pw@a/b",
            "https://a b/",
            "https://2130706433/",
            "https://127.1/",
            "https://0x7f.1/",
            "https://a:0443/",
            "https://a:99999/",
            "https://a\\b/",
            "https://höst/",
            "https://a/%zz",
            "//a/b",
            "a/b",
            "https://a:+1/",
        ];
        for url in bad {
            assert_eq!(webhook(url), None, "{url:?}");
        }
    }

    #[test]
    fn a_query_is_used_but_not_shown() {
        let recipient = webhook("https://hooks.example.com/a?token=s3cret").unwrap();
        assert_eq!(recipient.shown, "https://hooks.example.com/a");
        assert!(recipient.address.contains("s3cret"));
    }
}
