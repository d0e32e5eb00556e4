//! Discovery and key sets over HTTP, bounded in every direction.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::AuthError;
use crate::config::is_issuer_url;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(5);
/// A key set is a few KiB; a hostile or wrong address must not fill memory.
const MAX_BODY: usize = 1024 * 1024;

/// No redirects: they could lead from the provider to anywhere.
pub(super) fn client() -> Result<reqwest::Client, AuthError> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| AuthError::Client(e.to_string()))
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// The keys as the provider wrote them, and how long it lets us keep them.
pub(super) struct FetchedKeys {
    pub(super) keys: Vec<Value>,
    pub(super) max_age: Option<Duration>,
}

/// Discovery, then the key set it names.
pub(super) async fn keys(client: &reqwest::Client, issuer: &str) -> Result<FetchedKeys, String> {
    let discovery: Discovery = get(client, &discovery_url(issuer)).await?.0;
    if discovery.issuer != issuer {
        return Err(format!("its discovery document names another issuer, '{}'", discovery.issuer));
    }
    if !is_key_url(&discovery.jwks_uri, issuer) {
        return Err(format!("its jwks_uri '{}' is not https", discovery.jwks_uri));
    }
    let (set, max_age): (KeySet, _) = get(client, &discovery.jwks_uri).await?;
    Ok(FetchedKeys { keys: set.keys, max_age })
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// The issuer's path stays, without a double slash.
pub(super) fn discovery_url(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
}

/// https, or loopback when the issuer itself is on loopback. A query is allowed (Azure AD B2C uses one).
fn is_key_url(text: &str, issuer: &str) -> bool {
    let Ok(mut url) = Url::parse(text) else { return false };
    url.set_query(None);
    url.scheme() == "https" || (issuer.starts_with("http:") && is_issuer_url(url.as_str()))
}

async fn get<T: serde::de::DeserializeOwned>(
    client: &reqwest::Client,
    url: &str,
) -> Result<(T, Option<Duration>), String> {
    // reqwest's own text hides the cause ("error sending request"); the chain has it.
    let failed = |e: reqwest::Error| format!("{url}: {}", crate::status::chain(&e));
    let mut response = client.get(url).send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(format!("{url} answered {}", response.status()));
    }
    let max_age = response.headers().get(reqwest::header::CACHE_CONTROL).and_then(|v| max_age(v.to_str().ok()?));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(format!("{url} answered more than 1 MiB"));
        }
        body.extend_from_slice(&chunk);
    }
    let value =
        serde_json::from_slice(&body).map_err(|e| format!("{url} did not answer with the expected JSON: {e}"))?;
    Ok((value, max_age))
}

/// `Cache-Control: public, max-age=3600`
fn max_age(header: &str) -> Option<Duration> {
    header.split(',').find_map(|part| {
        let part = part.trim();
        if part.eq_ignore_ascii_case("no-store") || part.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        let (name, value) = part.split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse().ok().map(Duration::from_secs))?
    })
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_path_of_an_issuer_is_kept() {
        assert_eq!(
            discovery_url("https://a.example/t/v2.0"),
            "https://a.example/t/v2.0/.well-known/openid-configuration"
        );
        assert_eq!(discovery_url("https://a.example/"), "https://a.example/.well-known/openid-configuration");
    }

    #[test]
    fn cache_control_is_read() {
        assert_eq!(max_age("public, max-age=3600, must-revalidate"), Some(Duration::from_secs(3600)));
        assert_eq!(max_age("no-store"), Some(Duration::ZERO));
        assert_eq!(max_age("max-age=x"), None);
        assert_eq!(max_age("public"), None);
    }

    #[test]
    fn keys_come_over_https_unless_the_issuer_is_local() {
        assert!(is_key_url("https://a.example/keys?p=b2c", "https://a.example"));
        assert!(!is_key_url("http://a.example/keys", "https://a.example"));
        assert!(!is_key_url("http://127.0.0.1/keys", "https://a.example"));
        assert!(is_key_url("http://127.0.0.1:1/keys", "http://127.0.0.1:1/x"));
    }
}
