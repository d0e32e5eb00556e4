//! The person's browser, and the way back from it: a listener on this machine that takes one answer (RFC 8252, 7.3).

use std::{process::Stdio, time::Duration};

use axum::{
    Router,
    extract::{Query, State},
    response::Html,
    routing::get,
};
use tokio::{net::TcpListener, sync::mpsc};
use url::Url;

use super::oidc::Answer;
use crate::client::error::CliError;

/// Long enough to find the second factor.
const PERSON_LIMIT: Duration = Duration::from_secs(300);
const PATH: &str = "/callback";

pub(super) struct Callback {
    port: u16,
    answers: mpsc::Receiver<Answer>,
    server: tokio::task::JoinHandle<()>,
}

impl Callback {
    pub(super) async fn listen() -> Result<Self, CliError> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (sender, answers) = mpsc::channel(1);
        let routes = Router::new().route(PATH, get(take)).with_state(sender);
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::warn!(%error, "the listener for the login's answer failed");
            }
        });
        Ok(Self { port, answers, server })
    }

    pub(super) fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    pub(super) async fn answer(mut self) -> Result<Answer, CliError> {
        let answer = tokio::time::timeout(PERSON_LIMIT, self.answers.recv()).await;
        answer.ok().flatten().ok_or_else(|| {
            CliError::Failed(format!("nobody logged in within {} minutes; try again", PERSON_LIMIT.as_secs() / 60))
        })
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(sender): State<mpsc::Sender<Answer>>, Query(answer): Query<Answer>) -> Html<&'static str> {
    // The first answer counts; a reload of the page changes nothing.
    let _ = sender.try_send(answer);
    Html(
        "<!doctype html><meta charset=utf-8><title>Muster</title><p>You can close this page and go back to the terminal.",
    )
}

/// Shows the address, and opens it where that is possible.
#[expect(clippy::print_stderr, reason = "a word to the person; the answer of the command goes to standard output")]
pub(super) fn open(address: &Url, only_print: bool) {
    eprintln!("Log in at:\n  {address}\nWaiting for your browser …");
    if only_print {
        return;
    }
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let started = std::process::Command::new(program)
        .arg(address.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if let Err(error) = started {
        tracing::debug!(program, %error, "no browser could be opened; the address was printed");
    }
}
