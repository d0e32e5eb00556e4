//! Calls to a server that answers, answers wrongly, or not at all.

use std::sync::{Arc, Mutex};

use muster_domain::pb::plan::v1::{HttpAction, PlanStep, action::Kind};
use muster_platform::{Probe, StepErrorKind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::stage::{Stage, step, undone, within};
use crate::actions::{Look, probe, run};

/// Answers every connection with these bytes, and keeps what it was asked. No bytes: it never answers.
pub(super) async fn server(answer: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 64 * 1024];
            let mut read = 0;
            // Head and body come in one or two parts.
            while let Ok(more) = stream.read(&mut bytes[read..]).await {
                read += more;
                let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                    let length = head
                        .lines()
                        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                    body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0)
                });
                if more == 0 || whole {
                    break;
                }
            }
            kept.lock().unwrap().push(String::from_utf8_lossy(&bytes[..read]).into_owned());
            let _ = stream.write_all(answer.as_bytes()).await;
            if answer.is_empty() {
                held.push(stream);
            }
        }
    });
    (url, asked)
}

pub(super) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 16\r\nconnection: close\r\n\r\n{\"status\":\"up\"}\n";
const UNAVAILABLE: &str = "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const REDIRECT: &str =
    "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

fn call(url: &str) -> HttpAction {
    HttpAction { method: "POST".into(), url: url.into(), body: "{\"pool\":\"orders\"}".into(), ..HttpAction::default() }
}

#[tokio::test]
async fn a_call_carries_its_token_and_is_done_by_its_status() {
    let (url, asked) = server(OK).await;
    let stage = Stage::new();
    stage.secret("pool-token", "t0ken-of-the-pool");
    let s = stage.surroundings();
    let action = HttpAction { token_ref: "file:pool-token".into(), ..call(&format!("{url}/pause?key=hidden")) };
    let done = run(&step(Kind::Http(action)), &s).await.unwrap();
    assert_eq!(done.note, format!("POST {url}/pause: HTTP 200"));
    let asked = asked.lock().unwrap().concat().to_ascii_lowercase();
    for part in [
        "post /pause?key=hidden http/1.1",
        "authorization: bearer t0ken-of-the-pool",
        "content-type: application/json",
        "{\"pool\":\"orders\"}",
    ] {
        assert!(asked.contains(part), "{part} in {asked}");
    }
}

#[tokio::test]
async fn other_answers_fail_and_say_what_was_expected() {
    let stage = Stage::new();
    let s = stage.surroundings();
    for (answer, expect, words) in [
        (UNAVAILABLE, vec![], "HTTP 503, expected 200 to 299"),
        (OK, vec![202, 204], "HTTP 200, expected 202 or 204"),
        (REDIRECT, vec![], "redirects are never followed"),
    ] {
        let (url, _) = server(answer).await;
        let action = HttpAction { expect_status: expect, ..call(&url) };
        let error = run(&step(Kind::Http(action)), &s).await.unwrap_err();
        assert!(error.kind == StepErrorKind::Failed && error.text.contains(words), "{error:?}");
    }
    let (url, _) = server(UNAVAILABLE).await;
    let action = HttpAction { expect_status: vec![503], ..call(&url) };
    run(&step(Kind::Http(action)), &s).await.unwrap();
}

/// Sent, and no answer: for what must not be done twice nobody knows, and it is never begun again.
#[tokio::test]
async fn a_call_without_an_answer_is_unknown_unless_it_may_be_repeated() {
    let (url, _) = server("").await;
    let stage = Stage::new();
    let s = stage.surroundings();
    let once = within(step(Kind::Http(call(&url))), 1);
    let error = run(&once, &s).await.unwrap_err();
    assert!(error.kind == StepErrorKind::OutcomeUnknown && error.text.contains("may have taken effect"), "{error:?}");
    assert_eq!(probe(&once, Look::BeforeClaim, &s).await, Probe::NotDone);
    assert!(matches!(probe(&once, Look::AfterClaim, &s).await, Probe::Unknown(_)));
    let again = PlanStep { idempotent: true, ..once };
    assert_eq!(run(&again, &s).await.unwrap_err().kind, StepErrorKind::Failed);
    assert_eq!(probe(&again, Look::AfterClaim, &s).await, Probe::NotDone);
    // Nobody listens: nothing was sent, so nothing can have happened.
    let nobody = format!("http://127.0.0.1:{}/", muster_local::free_port().unwrap());
    assert_eq!(run(&step(Kind::Http(call(&nobody))), &s).await.unwrap_err().kind, StepErrorKind::Failed);
}

#[tokio::test]
async fn what_is_not_allowed_is_not_asked() {
    let (url, asked) = server(OK).await;
    let stage = Stage::new();
    let nothing_private = stage.allowing(&[]);
    let everything = stage.allowing(&["0.0.0.0/0", "::/0"]);
    for (action, s, words) in [
        (call(&url), &nothing_private, "https"),
        (call(&url.replace("http:", "https:")), &nothing_private, "executor.http_allow"),
        (call("https://localhost/"), &nothing_private, "executor.http_allow"),
        (call("http://169.254.169.254/latest/meta-data"), &everything, "never used"),
        (call("http://[fe80::1]/"), &everything, "never used"),
        (call("file:///etc/passwd"), &everything, "URL"),
        (call("http://user:secret@127.0.0.1/"), &everything, "credentials"),
        (HttpAction { method: "TRACE".into(), ..call(&url) }, &everything, "not a method"),
        (HttpAction { token_ref: "file:missing".into(), ..call(&url) }, &everything, "the token"),
    ] {
        let error = run(&step(Kind::Http(action)), s).await.unwrap_err();
        assert!(error.kind == StepErrorKind::Refused && error.text.contains(words), "{words}: {error:?}");
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_what_the_plan_says_takes_a_call_back() {
    let (url, asked) = server(OK).await;
    let stage = Stage::new();
    let s = stage.surroundings();
    let mut paused = step(Kind::Http(call(&url)));
    assert!(undone(&paused).is_none());
    let resume = HttpAction { url: format!("{url}/resume"), ..call(&url) };
    paused.undo = Some(muster_domain::pb::plan::v1::Action { kind: Some(Kind::Http(resume)) });
    let undo = undone(&paused).unwrap();
    run(&undo, &s).await.unwrap();
    assert!(asked.lock().unwrap()[0].starts_with("POST /resume "));
}
