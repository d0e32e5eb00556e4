//! The OpenID Connect provider of `muster up`: for one machine, without passwords, with the same tokens as any other
//! provider, so that no code path is skipped because one tries Muster out.
//!
//! Whoever reaches it can be anybody. So it is only built in local mode on a loopback address, and answers only
//! requests that were addressed to this machine by name (a web page that rebinds its own name to 127.0.0.1 fails).

mod authorize;
mod codes;
mod discovery;
mod key;
mod page;
mod redirect;
mod token;

use std::{path::PathBuf, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use url::Url;

use crate::{
    Clock,
    config::{Config, LOCAL_AUDIENCE, LOCAL_CLIENT, LOCAL_ISSUER_PATH, Person, is_loopback},
};
use codes::Codes;
use key::SigningKey;

const KEY_FILE: &str = "local-issuer.key";

#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    #[error(
        "the local issuer exists in local mode only. Next: use `muster up`, or configure auth.issuers with your identity provider"
    )]
    NotLocal,
    #[error("the local issuer is refused on {address}: whoever reaches it can be anybody. Next: listen on 127.0.0.1")]
    NotLoopback { address: String },
    #[error("the local issuer's key {} cannot be used: {problem}. Next: check the directory, or remove the file to get a new key", path.display())]
    Key { path: PathBuf, problem: String },
}

/// Builds the provider below `server.public_url` + [`LOCAL_ISSUER_PATH`].
pub fn router(config: &Config, clock: Clock) -> Result<Router, IssuerError> {
    if !config.local.enabled {
        return Err(IssuerError::NotLocal);
    }
    let public_url = Url::parse(&config.server.public_url).ok().filter(is_loopback);
    if !config.server.listen.ip().is_loopback() {
        return Err(IssuerError::NotLoopback { address: config.server.listen.to_string() });
    }
    let Some(public_url) = public_url else {
        return Err(IssuerError::NotLoopback { address: config.server.public_url.clone() });
    };
    let issuer = Arc::new(Issuer {
        url: format!("{}{LOCAL_ISSUER_PATH}", config.server.public_url.trim_end_matches('/')),
        public_url,
        people: config.local.people.clone(),
        key: SigningKey::load_or_create(&config.local.directory.join(KEY_FILE))?,
        codes: Codes::new(clock.clone()),
        clock,
    });
    let routes = Router::new()
        .route("/.well-known/openid-configuration", get(discovery::configuration))
        .route("/jwks", get(discovery::keys))
        .route("/authorize", get(authorize::authorize))
        .route("/token", post(token::token))
        .route("/logout", get(authorize::end_session))
        .with_state(issuer)
        .layer(from_fn(only_for_this_machine));
    Ok(Router::new().nest(LOCAL_ISSUER_PATH, routes))
}

struct Issuer {
    /// The `iss` of the tokens.
    url: String,
    public_url: Url,
    people: Vec<Person>,
    key: SigningKey,
    codes: Codes,
    clock: Clock,
}

impl Issuer {
    fn person(&self, name: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.name == name)
    }

    /// The audience of access tokens.
    fn audience(&self) -> &'static str {
        LOCAL_AUDIENCE
    }

    /// There is one client: console and command line.
    fn knows_client(&self, client_id: &str) -> bool {
        client_id == LOCAL_CLIENT
    }
}

type Shared = State<Arc<Issuer>>;

async fn only_for_this_machine(request: Request, next: Next) -> Response {
    let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
    // HTTP/2 has the name in the URI.
    let host = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    let addressed_here =
        host.and_then(|host| Url::parse(&format!("http://{host}/")).ok()).is_some_and(|url| is_loopback(&url));
    if addressed_here {
        return next.run(request).await;
    }
    (StatusCode::MISDIRECTED_REQUEST, "the local issuer answers on 127.0.0.1 and localhost only\n").into_response()
}
