//! Patroni's REST API, one member at a time.

use std::{net::IpAddr, time::Duration};

use muster_domain::pb::inventory::v1::PatroniNode;
use reqwest::{Client, Method, Response, StatusCode, Url, header, redirect, retry};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answers::{Cluster, Config, Fork, MemberStatus, forks};
use crate::{Login, redact::redact, tls};

const CONNECT_LIMIT: Duration = Duration::from_secs(2);
/// A member that answers does so from memory.
const LOOK_LIMIT: Duration = Duration::from_millis(2_500);
/// A cluster's whole history is some hundred bytes an entry; beyond this it is no answer of Patroni's.
const MAX_ANSWER_BYTES: usize = 1 << 20;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiError {
    /// What the manifest says cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// No connection: nothing was asked.
    #[error("{0}")]
    Unreachable(String),
    /// Something answers, and it is not trusted, or speaks no TLS: nothing was asked.
    #[error("{0}")]
    Tls(String),
    /// It was asked, and no whole answer came back: it may still do it.
    #[error("{0}")]
    NoAnswer(String),
    #[error("it answered {status}: {text}")]
    Refused { status: u16, text: String },
    #[error("{0}")]
    Protocol(String),
}

/// One client serves every member.
pub(super) fn client() -> Result<Client, ApiError> {
    Client::builder()
        .user_agent(concat!("Muster/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_LIMIT)
        // Credentials go to the declared member and nowhere else.
        .redirect(redirect::Policy::none())
        .no_proxy()
        .retry(retry::never())
        .build()
        .map_err(|error| ApiError::Configuration(error.to_string()))
}

/// One member's API.
pub(super) struct Api {
    client: Client,
    base: Url,
    /// Absent: for reading alone.
    login: Option<Login>,
}

impl Api {
    pub(super) fn of(client: &Client, node: &PatroniNode, login: Option<&Login>) -> Result<Self, ApiError> {
        Ok(Self { client: client.clone(), base: base(node)?, login: login.cloned() })
    }

    pub(super) async fn member(&self) -> Result<MemberStatus, ApiError> {
        self.get("patroni").await
    }

    pub(super) async fn cluster(&self) -> Result<Cluster, ApiError> {
        self.get("cluster").await
    }

    pub(super) async fn config(&self) -> Result<Config, ApiError> {
        self.get("config").await
    }

    pub(super) async fn history(&self) -> Result<Vec<Fork>, ApiError> {
        Ok(forks(&self.get::<Vec<Vec<Value>>>("history").await?))
    }

    /// Proves that the login may change something, without changing anything: Patroni looks at the login first, and refuses a
    /// switchover of a member to itself as impossible.
    pub(super) async fn try_login(&self, leader: &str) -> Result<(), ApiError> {
        match self.post("switchover", &json!({"leader": leader, "candidate": leader}), LOOK_LIMIT).await {
            Err(ApiError::Refused { status: 400 | 412, .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(text) => Err(ApiError::Protocol(format!("it took a switchover of {leader} to itself: {text}"))),
        }
    }

    /// Answers when the move is over or Patroni gave up waiting.
    pub(super) async fn switchover(&self, leader: &str, candidate: &str, limit: Duration) -> Result<String, ApiError> {
        self.post("switchover", &json!({"leader": leader, "candidate": candidate}), limit).await
    }

    pub(super) async fn failover(&self, candidate: &str, limit: Duration) -> Result<String, ApiError> {
        self.post("failover", &json!({"candidate": candidate}), limit).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let body = self.send(Method::GET, path, None, LOOK_LIMIT).await?;
        serde_json::from_slice(&body).map_err(|error| ApiError::Protocol(format!("/{path} makes no sense: {error}")))
    }

    async fn post(&self, path: &str, body: &Value, limit: Duration) -> Result<String, ApiError> {
        let answer = self.send(Method::POST, path, Some(body), limit).await?;
        Ok(self.shown(&answer))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        limit: Duration,
    ) -> Result<Vec<u8>, ApiError> {
        let url = self.base.join(path).map_err(|error| ApiError::Configuration(error.to_string()))?;
        let mut request = self.client.request(method, url).timeout(limit);
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
            if let Some(login) = &self.login {
                request = request.basic_auth(&login.user, Some(login.password.expose_secret()));
            }
        }
        let response = request.send().await.map_err(broken)?;
        let status = response.status();
        let answer = read(response).await?;
        if status == StatusCode::OK || status == StatusCode::ACCEPTED {
            return Ok(answer);
        }
        Err(ApiError::Refused { status: status.as_u16(), text: self.shown(&answer) })
    }

    /// One line without secrets.
    fn shown(&self, answer: &[u8]) -> String {
        let secrets: Vec<_> = self.login.iter().map(|login| &login.password).collect();
        redact(&String::from_utf8_lossy(answer), &secrets)
    }
}

/// The same rule as for databases: without TLS only this machine.
fn base(node: &PatroniNode) -> Result<Url, ApiError> {
    let wrong = |why: &str| ApiError::Configuration(format!("member {}: apiUrl '{}' {why}", node.name, node.api_url));
    let mut url: Url = node.api_url.parse().map_err(|_| wrong("is no URL; expected https://host:8008"))?;
    let loopback = url.host_str().is_some_and(|host| {
        host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    });
    if !url.username().is_empty() || url.password().is_some() {
        return Err(ApiError::Configuration(format!(
            "member {}: apiUrl carries an account; name it in `execute`",
            node.name
        )));
    }
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => return Err(wrong("is not encrypted; without TLS only loopback addresses are used")),
        _ => return Err(wrong("is neither https nor http")),
    }
    url.set_path("/");
    url.set_query(None);
    Ok(url)
}

async fn read(mut response: Response) -> Result<Vec<u8>, ApiError> {
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if answer.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(ApiError::Protocol(format!("the answer is longer than {MAX_ANSWER_BYTES} bytes")));
        }
        answer.extend_from_slice(&chunk);
    }
    Ok(answer)
}

fn broken(error: reqwest::Error) -> ApiError {
    let error = error.without_url();
    if let Some(why) = tls::refused(&error).filter(|_| error.is_connect()) {
        return ApiError::Tls(why.replace("`tls`", "`apiUrl`"));
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    if error.is_builder() {
        ApiError::Configuration(text)
    } else if error.is_connect() {
        ApiError::Unreachable(text)
    } else {
        ApiError::NoAnswer(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tls_only_loopback_is_asked_and_never_with_an_account_in_the_address() {
        let base = |url: &str| base(&PatroniNode { name: "a".into(), api_url: url.into(), ..Default::default() });
        for url in ["http://127.0.0.1:8008", "http://localhost:8008/", "http://[::1]:8008", "https://db.example:8008/x"]
        {
            assert!(base(url).is_ok_and(|url| url.path() == "/"), "{url}");
        }
        for url in
            ["http://db.example:8008", "http://10.0.0.1:8008", "ftp://127.0.0.1", "", "db:8008", "https://u:p@db:8008"]
        {
            assert!(matches!(base(url), Err(ApiError::Configuration(_))), "{url}");
        }
    }
}
