//! The local issuer over real HTTP: discovery, login, token, and a token that Muster accepts.

use crate::common::{Served, listener, start};
use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use muster_domain::pb::common::v1::{ActorKind, Role};
use muster_runtime::{
    Authenticator, Clock, Config, Health, Service,
    config::{LOCAL_CLIENT, LOCAL_ISSUER_PATH, LOCAL_TENANT},
    issuer::{self, IssuerError},
};
use serde_json::Value;
use url::Url;

const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0123";
const REDIRECT: &str = "http://127.0.0.1:49152/callback";

struct Local {
    served: Served,
    config: Config,
    http: reqwest::Client,
    _directory: tempfile::TempDir,
}

impl Local {
    async fn start() -> Self {
        let (listener, directory) = (listener().await, tempfile::tempdir().unwrap());
        let mut config = Config::local();
        config.server.listen = listener.local_addr().unwrap();
        config.server.public_url = format!("http://{}", config.server.listen);
        config.local.directory = directory.path().to_owned();
        config.use_local_issuer();
        config.validate().unwrap();
        let routes = issuer::router(&config, Clock::system()).unwrap();
        let served = start(listener, vec![Service::new("issuer").http(routes)], Health::new());
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { served, config, http, _directory: directory }
    }

    fn endpoint(&self, name: &str) -> String {
        self.served.url(&format!("{LOCAL_ISSUER_PATH}/{name}"))
    }

    async fn authorize(&self, change: impl FnOnce(&mut Vec<(&str, String)>)) -> reqwest::Response {
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()));
        let mut query = vec![
            ("response_type", "code".to_owned()),
            ("client_id", LOCAL_CLIENT.to_owned()),
            ("redirect_uri", REDIRECT.to_owned()),
            ("scope", "openid profile groups".to_owned()),
            ("state", "s&1".to_owned()),
            ("nonce", "n1".to_owned()),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256".to_owned()),
            ("login_hint", "olga".to_owned()),
        ];
        change(&mut query);
        let url = Url::parse_with_params(&self.endpoint("authorize"), &query).unwrap();
        self.http.get(url).send().await.unwrap()
    }

    async fn code(&self) -> String {
        parameters(&self.authorize(|_| {}).await).remove("code").unwrap()
    }

    async fn token(&self, code: &str, verifier: &str, redirect: &str) -> (StatusCode, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("client_id", LOCAL_CLIENT),
            ("code_verifier", verifier),
            ("redirect_uri", redirect),
        ];
        let response = self.http.post(self.endpoint("token")).form(&form).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    fn authenticator(&self) -> Authenticator {
        Authenticator::new(&self.config.auth, Clock::system()).unwrap()
    }
}

/// An access token for somebody, the way a command-line client gets one.
pub(crate) async fn login(issuer: &str, name: &str) -> String {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, VERIFIER.as_bytes()));
    let query = [
        ("response_type", "code"),
        ("client_id", LOCAL_CLIENT),
        ("redirect_uri", REDIRECT),
        ("scope", "openid groups"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("login_hint", name),
    ];
    let answer = http.get(Url::parse_with_params(&format!("{issuer}/authorize"), query).unwrap()).send().await.unwrap();
    let code = parameters(&answer).remove("code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("client_id", LOCAL_CLIENT),
        ("code_verifier", VERIFIER),
        ("redirect_uri", REDIRECT),
    ];
    let tokens: Value = http.post(format!("{issuer}/token")).form(&form).send().await.unwrap().json().await.unwrap();
    tokens["access_token"].as_str().unwrap().to_owned()
}

/// The query of the address an answer redirects to.
fn parameters(response: &reqwest::Response) -> std::collections::HashMap<String, String> {
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let location = response.headers()["location"].to_str().unwrap();
    assert!(location.starts_with(REDIRECT), "{location}");
    Url::parse(location).unwrap().query_pairs().into_owned().collect()
}

fn set(query: &mut Vec<(&str, String)>, name: &str, value: &str) {
    for (key, old) in query {
        if *key == name {
            value.clone_into(old);
        }
    }
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_login_ends_in_a_token_that_muster_accepts() {
    let local = Local::start().await;
    let issuer = &local.config.auth.issuers[0].issuer;
    let discovery: Value =
        reqwest::get(local.endpoint(".well-known/openid-configuration")).await.unwrap().json().await.unwrap();
    assert_eq!(discovery["issuer"], issuer.as_str());
    assert_eq!(discovery["authorization_endpoint"], local.endpoint("authorize"));

    let answer = parameters(&local.authorize(|_| {}).await);
    assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), ("s&1", issuer.as_str()));
    let (status, tokens) = local.token(&answer["code"], VERIFIER, REDIRECT).await;
    assert_eq!(
        (status, tokens["token_type"].as_str(), tokens["expires_in"].as_i64()),
        (StatusCode::OK, Some("Bearer"), Some(8 * 3600))
    );

    let access = tokens["access_token"].as_str().unwrap();
    let caller = local.authenticator().verify(access).await.unwrap();
    assert_eq!(caller.id, format!("{issuer}|olga"));
    assert_eq!((caller.name.as_str(), caller.kind), ("Olga (operator)", ActorKind::Person));
    assert_eq!(caller.roles_in(&LOCAL_TENANT.parse().unwrap()), [Role::Operator]);

    // The ID token is for the client and opens nothing.
    let id = tokens["id_token"].as_str().unwrap();
    assert_eq!((claims(id)["aud"].as_str(), claims(id)["nonce"].as_str()), (Some(LOCAL_CLIENT), Some("n1")));
    assert!(local.authenticator().verify(id).await.is_err());
}

#[tokio::test]
async fn a_code_works_once_and_only_with_its_proof() {
    let local = Local::start().await;
    let code = local.code().await;
    assert_eq!(local.token(&code, VERIFIER, REDIRECT).await.0, StatusCode::OK);
    assert_eq!(local.token(&code, VERIFIER, REDIRECT).await.1["error"], "invalid_grant");

    let wrong = VERIFIER.replace('a', "b");
    let code = local.code().await;
    assert_eq!(local.token(&code, &wrong, REDIRECT).await.1["error"], "invalid_grant");
    // The failed try used it up.
    assert_eq!(local.token(&code, VERIFIER, REDIRECT).await.1["error"], "invalid_grant");

    let code = local.code().await;
    assert_eq!(local.token(&code, VERIFIER, "http://127.0.0.1:1/other").await.1["error"], "invalid_grant");
    assert_eq!(local.token("invented", VERIFIER, REDIRECT).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn pkce_is_mandatory_and_errors_go_back() {
    let local = Local::start().await;
    for (name, value, error) in [
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "profile", "invalid_scope"),
        ("login_hint", "mallory", "access_denied"),
    ] {
        let answer = parameters(&local.authorize(|q| set(q, name, value)).await);
        assert_eq!((answer["error"].as_str(), answer["state"].as_str()), (error, "s&1"), "{name}={value}");
        assert!(!answer.contains_key("code"));
    }
}

#[tokio::test]
async fn nothing_is_sent_to_strangers() {
    let local = Local::start().await;
    for (name, value) in [("redirect_uri", "https://evil.example/cb"), ("client_id", "other")] {
        let response = local.authorize(|q| set(q, name, value)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{name}={value}");
    }
    let logout =
        Url::parse_with_params(&local.endpoint("logout"), [("post_logout_redirect_uri", "https://evil.example/")])
            .unwrap();
    assert_eq!(local.http.get(logout).send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    // A page that rebinds its own name to 127.0.0.1 sends that name.
    let rebound = local.http.get(local.endpoint("jwks")).header("host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn without_a_hint_there_is_a_page_with_everybody() {
    let local = Local::start().await;
    let response = local.authorize(|q| q.retain(|(name, _)| *name != "login_hint")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let page = response.text().await.unwrap();
    for person in &local.config.local.people {
        assert!(page.contains(&person.display_name) && page.contains(&format!("login_hint={}", person.name)));
    }
    // Following a link of the page gives a code.
    let link = page.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let answer = parameters(&local.http.get(local.endpoint(&format!("authorize{link}"))).send().await.unwrap());
    assert!(answer.contains_key("code"));
}

#[tokio::test]
async fn the_key_is_kept_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config::local();
    config.local.directory = directory.path().join("new");
    let build = || issuer::router(&config, Clock::system());
    drop(build().unwrap());
    let file = config.local.directory.join("local-issuer.key");
    let first = std::fs::read(&file).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    drop(build().unwrap());
    assert_eq!(std::fs::read(&file).unwrap(), first);
    assert_eq!(std::fs::read_dir(&config.local.directory).unwrap().count(), 1, "nothing is left beside it");

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(build(), Err(IssuerError::Key { .. })));
}

#[test]
fn it_is_not_built_outside_local_mode() {
    let mut config = Config::local();
    config.server.listen = "0.0.0.0:7400".parse().unwrap();
    assert!(matches!(issuer::router(&config, Clock::system()), Err(IssuerError::NotLoopback { .. })));
    let mut config = Config::local();
    config.server.public_url = "https://muster.example".to_owned();
    assert!(matches!(issuer::router(&config, Clock::system()), Err(IssuerError::NotLoopback { .. })));
    let Err(error) = issuer::router(&Config::default(), Clock::system()) else { panic!("built in production") };
    assert!(matches!(error, IssuerError::NotLocal));
}
