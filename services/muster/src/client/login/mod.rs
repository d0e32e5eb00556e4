//! `login`, `logout`, `whoami`, and the token that every other command sends.

mod browser;
mod discovery;
mod oidc;

use clap::Args;
use jiff::SignedDuration;
use muster_domain::access::role_list;
use muster_runtime::{Clock, config::LOCAL_CLIENT};

use super::{
    GlobalArgs,
    error::CliError,
    output::{Screen, words},
    profile::{Login, Profile, ProfileFile},
    session::{DEFAULT_SERVER, Session, checked},
};
use oidc::Client;

/// A token that ends while a call is under way is of no use.
const SPARE: SignedDuration = SignedDuration::from_secs(30);
const SCOPES: &str = "openid profile email groups";

#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// Be this person of the local issuer (`muster up`), without a browser.
    #[arg(long = "as", value_name = "NAME")]
    login_as: Option<String>,
    /// The identity provider; default: the one Muster names.
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
    /// The client id of Muster's command line at the identity provider.
    #[arg(long, value_name = "ID", default_value = LOCAL_CLIENT)]
    client_id: String,
    /// The scopes to ask for, as the identity provider needs them to give a token for Muster's API.
    #[arg(long, default_value = SCOPES)]
    scope: String,
    /// Log in for one decision, with a second factor, where the policy asks for it. Good for 5 minutes.
    #[arg(long)]
    step_up: bool,
    /// The class of login that --step-up asks the identity provider for; default: its own, where it has only one.
    #[arg(long, value_name = "VALUE", requires = "step_up")]
    acr: Option<String>,
    /// Only print the address to open, for machines without a browser.
    #[arg(long)]
    no_browser: bool,
}

pub(crate) async fn login(args: LoginArgs, global: &GlobalArgs, screen: &Screen) -> Result<(), CliError> {
    let file = ProfileFile::of(&global.profile)?;
    let mut profile = file.load()?;
    let server = server(global, &profile)?;
    let issuer = match args.issuer {
        Some(issuer) => issuer,
        None => discovery::issuer_of(&server).await?,
    };
    let clock = Clock::system();
    let client = Client::discover(&issuer, &args.client_id, &args.scope).await?;
    let client = if args.step_up { client.for_a_decision(args.acr) } else { client };
    let granted = match &args.login_as {
        Some(name) => client.login_as(name, &clock).await?,
        None => client.login_with_browser(args.no_browser, &clock).await?,
    };
    let login = Login { login_as: args.login_as, ..granted };
    profile.logins.insert(server.clone(), login);
    profile.server = Some(server.clone());
    file.save(&profile)?;
    whoami(&Session::open(&GlobalArgs { server: Some(server), ..global.clone() }).await?, screen).await
}

pub(crate) fn logout(global: &GlobalArgs, screen: &Screen) -> Result<(), CliError> {
    let file = ProfileFile::of(&global.profile)?;
    let mut profile = file.load()?;
    let server = server(global, &profile)?;
    let was_there = profile.logins.remove(&server).is_some();
    file.save(&profile)?;
    let said = if was_there { "logged out of" } else { "was not logged in at" };
    screen.say(&format!("profile '{}' {said} {server}", global.profile))
}

pub(crate) async fn whoami(session: &Session, screen: &Screen) -> Result<(), CliError> {
    let who = session.who_am_i().await?;
    if !screen.is_table() {
        return screen.value(&who);
    }
    screen.line(&format!("{} ({})", who.name, words::actor_kind(who.kind())))?;
    screen.line(&format!("  id       {}", who.actor_id))?;
    screen.line(&format!("  server   {}", session.server))?;
    screen.line(&format!("  profile  {}", session.profile))?;
    for tenant in &who.tenants {
        screen.line(&format!("  tenant   {}: {}", tenant.tenant, role_list(&tenant.roles().collect::<Vec<_>>())))?;
    }
    if who.tenants.is_empty() {
        screen.line("  no roles in any tenant: ask an admin of your tenant")?;
    }
    Ok(())
}

/// A token of the local issuer, kept nowhere: for `muster up` itself and for tests.
pub(crate) async fn token_as(server: &str, name: &str) -> anyhow::Result<String> {
    let issuer = discovery::issuer_of(server).await?;
    let client = Client::discover(&issuer, LOCAL_CLIENT, SCOPES).await?;
    Ok(client.login_as(name, &Clock::system()).await?.access_token)
}

/// The server and a token that is still good for a call; renewed when that needs nobody.
pub(crate) async fn token(global: &GlobalArgs, clock: &Clock) -> Result<(String, String), CliError> {
    let file = ProfileFile::of(&global.profile)?;
    let mut profile = file.load()?;
    let server = server(global, &profile)?;
    let nobody = || CliError::not_logged_in(&server, &global.profile);
    let login = profile.logins.get(&server).ok_or_else(nobody)?;
    if clock.now() + SPARE < login.expires_at {
        return Ok((server.clone(), login.access_token.clone()));
    }
    let client = Client::discover(&login.issuer, &login.client_id, &login.scope).await?;
    let renewed = match (&login.refresh_token, &login.login_as) {
        (Some(refresh), _) => client.refresh(refresh, clock).await,
        (None, Some(name)) => client.login_as(name, clock).await,
        (None, None) => return Err(nobody()),
    };
    let renewed = renewed.map_err(|error| match error {
        CliError::Unavailable(_) => error,
        _ => nobody(),
    })?;
    let renewed = Login {
        login_as: login.login_as.clone(),
        refresh_token: renewed.refresh_token.clone().or(login.refresh_token.clone()),
        ..renewed
    };
    let token = renewed.access_token.clone();
    profile.logins.insert(server.clone(), renewed);
    file.save(&profile)?;
    Ok((server, token))
}

/// Named, or of the last login, or of this machine. Without a slash at the end, so that it is one name for one thing.
/// Where this command goes, with or without a login.
pub(crate) fn server_of(global: &GlobalArgs) -> Result<String, CliError> {
    server(global, &ProfileFile::of(&global.profile)?.load()?)
}

fn server(global: &GlobalArgs, profile: &Profile) -> Result<String, CliError> {
    let server = global.server.as_deref().or(profile.server.as_deref()).unwrap_or(DEFAULT_SERVER);
    let server = server.trim_end_matches('/');
    checked(server)?;
    Ok(server.to_owned())
}
