//! Addresses that people wrote: whether they lead somewhere, and whether they hold a secret.

use std::net::IpAddr;

use super::code::Code;
use super::findings::Findings;

pub(super) struct Url<'a> {
    scheme: &'a str,
    /// What stands before the @, if something does.
    user: Option<&'a str>,
    pub(super) host: &'a str,
    query: &'a str,
}

impl<'a> Url<'a> {
    /// As much of RFC 3986 as is needed to judge an address. `None`: it is none of http or https.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        if !matches!(scheme, "http" | "https") {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, server) = match authority.rsplit_once('@') {
            Some((user, server)) => (Some(user), server),
            None => (None, authority),
        };
        let host = host_of(server)?;
        let query = path.split_once('?').map(|(_, query)| query).unwrap_or_default();
        Some(Self { scheme, user, host, query })
    }

    /// Nobody on the way reads it: encrypted, or never leaves the machine.
    pub(super) fn is_private(&self) -> bool {
        let local = self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        self.scheme == "https" || local
    }

    /// The part that holds a secret, by its name and never with the value.
    fn secret(&self) -> Option<String> {
        if self.user.is_some() {
            return Some("a user or password before the @".to_owned());
        }
        let named =
            self.query.split('&').filter_map(|part| part.split_once('=')).filter(|(_, value)| !value.is_empty());
        named.map(|(name, _)| name).find(|name| is_secret(name)).map(|name| format!("the parameter {name}"))
    }
}

fn is_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    ["token", "secret", "password", "passwd", "pwd", "key", "auth", "authorization", "signature", "sig", "credential"]
        .iter()
        .any(|end| plain.ends_with(end))
}

/// The host of "host", "host:port" or "[::1]:port".
fn host_of(server: &str) -> Option<&str> {
    let (host, port) = match server.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None => match server.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (server, None),
        },
    };
    let port_is_good = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    (port_is_good && !host.is_empty() && host.len() <= 253 && host.bytes().all(letters)).then_some(host)
}

/// The part of an address that holds a secret, by name. `None` for an address without one, and for none at all.
pub(crate) fn secret_in_url(text: &str) -> Option<String> {
    Url::parse(text)?.secret()
}

/// "host:port", as it is dialled.
pub(super) fn address(text: &str) -> Option<&str> {
    let (_, port) = text.rsplit_once(':')?;
    if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    host_of(text)
}

/// The address and the one for the other way round, if there is one.
pub(super) fn both<'a>(here: &'a str, there: &'a str) -> impl Iterator<Item = &'a str> {
    std::iter::once(here).chain(Some(there).filter(|there| !there.is_empty()))
}

/// Reports an address that leads nowhere as `incomplete`, and one with a secret inside.
pub(super) fn judge(found: &mut Findings, step: &str, incomplete: Code, part: &str, text: &str) {
    let Some(url) = Url::parse(text) else {
        // It may hold a secret in a form that is not understood: not repeated.
        let value = if text.is_empty() { "no URL" } else { "an address that is no http or https URL (not shown)" };
        found.add(
            incomplete,
            step,
            "a call goes to an address",
            &format!("{part}{value}"),
            "https://host/path",
            "write the whole URL",
        );
        return;
    };
    if let Some(secret) = url.secret() {
        found.add(
            Code::HttpSecretInUrl,
            step,
            "a plan is read by many, so no address in it holds a secret",
            &format!("{part}{secret}, in the address of {} (not shown)", url.host),
            "no user, password or token in the URL",
            "put it into the secret store and name it in `tokenRef`; replace the one that was written here",
        );
    }
}
