//! Where an answer may be sent.

use url::Url;

use crate::config::is_loopback;

/// Only back to this machine. The port is free for clients that take any (RFC 8252, 7.3); a custom scheme or a remote
/// host would hand codes to strangers.
pub(super) fn allowed(redirect_uri: &str, public_url: &Url) -> Option<Url> {
    let url = Url::parse(redirect_uri).ok()?;
    let is_own = url.origin() == public_url.origin();
    let is_plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    (is_plain && matches!(url.scheme(), "http" | "https") && (is_own || is_loopback(&url))).then_some(url)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics to fail")]
    use super::*;

    #[test]
    fn answers_stay_on_this_machine() {
        let own = Url::parse("http://127.0.0.1:7400").unwrap();
        for good in ["http://127.0.0.1:51234/callback", "http://[::1]:1/cb", "http://localhost:7400/auth/callback"] {
            assert!(allowed(good, &own).is_some(), "{good}");
        }
        for bad in [
            "https://evil.example/cb",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1@evil.example/",
            "javascript:alert(1)",
            "http://a@127.0.0.1/",
            "http://127.0.0.1/#f",
            "muster://callback",
            "//127.0.0.1/",
            "",
        ] {
            assert!(allowed(bad, &own).is_none(), "{bad}");
        }
    }
}
