//! What stands around Muster in the demo: the application that writes, and somebody who gets messages.
//! A process of its own: it goes on when Muster is killed, as the world does.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, Result, bail};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use muster_runtime::Clock;
use nix::fcntl::{Flock, FlockArg};
use standardwebhooks::Webhook;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{estate::Estate, writer};
use crate::place::Place;

/// The log of received webhooks ends here; it is a demo's mail box, not an archive.
const MAX_INBOX_BYTES: u64 = 16 * 1024 * 1024;

/// Between two starts of the mail server.
const MAIL_AGAIN: std::time::Duration = std::time::Duration::from_secs(2);

const LOCK: &str = "world.lock";
const WEBHOOKS: &str = "webhooks.jsonl";

struct Inbox {
    file: PathBuf,
    secret: String,
}

/// Runs until SIGTERM or Ctrl-C. A second one on the same place leaves at once.
pub(crate) async fn run(place: &Place) -> Result<()> {
    let lock_file =
        fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(place.file(LOCK))?;
    let Ok(mut lock) = Flock::lock(lock_file, FlockArg::LockExclusiveNonblock) else {
        return Ok(());
    };
    lock.set_len(0)?;
    lock.write_all(std::process::id().to_string().as_bytes())?;

    let estate = Arc::new(Estate::open(place)?);
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    for pair in estate.pairs.clone() {
        tasks.spawn(writer::write(Arc::clone(&estate), pair, stop.clone()));
    }
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", place.port("webhook", None)?)).await?;
    let inbox = Arc::new(Inbox { file: place.file(WEBHOOKS), secret: webhook_secret(place)? });
    let receiver = Router::new().route("/hook", post(receive)).with_state(inbox);
    let until = stop.clone();
    tasks.spawn(async move {
        axum::serve(listener, receiver)
            .with_graceful_shutdown(until.cancelled_owned())
            .await
            .map_err(anyhow::Error::from)
    });

    let (mail, until) = (place.clone(), stop.clone());
    tasks.spawn(async move { keep_mail(&mail, until).await });

    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(())
}

/// A third-party mail server, aiosmtpd, if `scripts/setup` could fetch it: where its Python modules are.
pub(crate) fn mail_server() -> Option<PathBuf> {
    let project = muster_local::tools::project_root()?;
    let modules = muster_local::tools::state_base(&project).ok()?.join("tools/python");
    modules.join("aiosmtpd").is_dir().then_some(modules)
}

/// The mail server as long as the world turns: one that could not take its port, or died, is started again.
async fn keep_mail(place: &Place, until: CancellationToken) -> Result<()> {
    let Some(modules) = mail_server() else { return Ok(()) };
    while !until.is_cancelled() {
        let mut mail = start_mail(place, &modules)?;
        tokio::select! {
            ended = mail.wait() => eprintln!("the demo's mail server ended ({}); starting it again", ended?),
            () = until.cancelled() => mail.kill().await?,
        }
        tokio::select! {
            () = tokio::time::sleep(MAIL_AGAIN) => {}
            () = until.cancelled() => {}
        }
    }
    Ok(())
}

/// Keeps every message in a Maildir.
fn start_mail(place: &Place, modules: &Path) -> Result<tokio::process::Child> {
    let port = place.port("smtp", None)?;
    stop_leftover_mail(place);
    let child = tokio::process::Command::new("python3")
        .env("PYTHONPATH", modules)
        .args(["-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{port}"), "-c", "aiosmtpd.handlers.Mailbox"])
        .arg(place.mail())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("the demo's mail server cannot be started")?;
    if let Some(pid) = child.id() {
        fs::write(place.file("mail.pid"), pid.to_string())?;
    }
    Ok(child)
}

/// A mail server whose world was killed still holds the port.
fn stop_leftover_mail(place: &Place) {
    let Some(pid) = fs::read_to_string(place.file("mail.pid")).ok().and_then(|text| text.trim().parse::<i32>().ok())
    else {
        return;
    };
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    if command.contains("aiosmtpd") {
        // Gone or going: either way the port is free soon.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
    }
}

/// "whsec_" and 32 bytes, made once.
pub(crate) fn webhook_secret(place: &Place) -> Result<String> {
    use base64::Engine as _;
    place.secret("acme", "demo-webhook", || {
        let key = crate::place::random_password();
        format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(&key.as_bytes()[..32]))
    })
}

/// The process id of a running world.
pub(crate) fn running(place: &Place) -> Option<i32> {
    let file = fs::OpenOptions::new().read(true).write(true).open(place.file(LOCK)).ok()?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(_) => None,
        Err(_) => fs::read_to_string(place.file(LOCK)).ok()?.trim().parse().ok(),
    }
}

/// Takes a message only when its signature holds, as a real receiver must.
async fn receive(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    match keep(&inbox, &headers, &body) {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::UNAUTHORIZED,
    }
}

fn keep(inbox: &Inbox, headers: &HeaderMap, body: &[u8]) -> Result<()> {
    Webhook::new(&inbox.secret)?.verify(body, headers).context("the signature does not hold")?;
    if fs::metadata(&inbox.file).is_ok_and(|found| found.len() > MAX_INBOX_BYTES) {
        bail!("the demo's inbox is full");
    }
    let id = headers.get("webhook-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let line = serde_json::json!({
        "webhookId": id,
        "receivedAt": Clock::system().now(),
        "body": serde_json::from_slice::<serde_json::Value>(body)?,
    });
    let mut file = fs::OpenOptions::new().create(true).append(true).open(&inbox.file)?;
    file.write_all(format!("{line}\n").as_bytes())?;
    Ok(())
}

/// What arrived, newest last.
pub(crate) fn inbox(place: &Place, json: bool) -> Result<String> {
    let webhooks: Vec<serde_json::Value> = fs::read_to_string(place.file(WEBHOOKS))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let mails = mails(&place.mail())?;
    if json {
        return Ok(serde_json::json!({ "mails": mails, "webhooks": webhooks }).to_string());
    }
    let mut text = String::new();
    for mail in &mails {
        text.push_str(&format!("mail     {}  {}\n", mail.to, mail.subject));
    }
    for hook in &webhooks {
        let kind = hook["body"]["type"].as_str().unwrap_or("?");
        text.push_str(&format!("webhook  {}  {kind}\n", hook["receivedAt"].as_str().unwrap_or("?")));
    }
    if text.is_empty() {
        text.push_str("nothing has arrived yet");
    }
    Ok(text.trim_end().to_owned())
}

#[derive(Debug, serde::Serialize)]
struct Mail {
    to: String,
    subject: String,
    text: String,
}

/// The mail server of the demo keeps a Maildir: one file a message.
fn mails(directory: &Path) -> Result<Vec<Mail>> {
    let mut files: Vec<(std::time::SystemTime, PathBuf)> = Vec::new();
    for sub in ["new", "cur"] {
        let Ok(entries) = fs::read_dir(directory.join(sub)) else { continue };
        for entry in entries {
            let entry = entry?;
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    files.sort();
    files.into_iter().map(|(_, path)| read_mail(&path)).collect()
}

fn read_mail(path: &Path) -> Result<Mail> {
    let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
    let header = |name: &str| {
        let mut lines = text.lines().take_while(|line| !line.is_empty()).skip_while(|line| !line.starts_with(name));
        let first = lines.next().unwrap_or_default().trim_start_matches(name).trim().to_owned();
        let folded = lines.take_while(|line| line.starts_with([' ', '\t'])).map(str::trim);
        std::iter::once(first).chain(folded.map(str::to_owned)).collect::<Vec<_>>().join(" ")
    };
    Ok(Mail { to: header("To:"), subject: header("Subject:"), text: text.clone() })
}
