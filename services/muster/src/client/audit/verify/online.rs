//! The server's log, and the stream as it is now: every event is derived again and compared with what was logged.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, BufRead, Cursor},
};

use muster_domain::pb::audit::v1::{
    GetLogRequest, GetLogResponse, ReadLogFileRequest, StreamLeavesRequest, StreamLeavesResponse,
    audit_service_client::AuditServiceClient,
};
use muster_tlog::{
    Leaf,
    verify::{
        Files, Finding, Findings, Walked, difference, name_of,
        package::{self, KEY_CHANGES},
    },
};
use tokio::{runtime::Handle, task::block_in_place};
use tonic::{Code, Streaming, transport::Channel};

use super::{Bar, Trusted, VerifyArgs, epoch_before::SeenBefore, key_changes, pin_name, say};
use crate::client::{GlobalArgs, error::CliError, exit::Exit, output::Screen, profile::ProfileFile, session::Session};

/// An entry bundle has at most 256 leaves of 64 KiB.
const MAX_MESSAGE_BYTES: usize = 20 << 20;
pub(super) const CHECKPOINT: &str = "checkpoint";

pub(super) async fn run(args: &VerifyArgs, global: &GlobalArgs, screen: &Screen) -> Result<Exit, CliError> {
    let session = Session::with_tenant(global).await?;
    let log = session.audit().get_log(session.ask(GetLogRequest { tenant: session.tenant() })).await?.into_inner();
    let target = Target::of(&log, args.epoch)?;
    let (file, pin) = (ProfileFile::of(&global.profile)?, pin_name(&session));
    let known = file.load()?.logs.remove(&pin);
    let trusted = Trusted::decide(&args.keys, known.as_ref(), &target.origin, &target.keys)
        .map_err(|error| target.explained(error))?;
    let mut asked = args.asked()?;
    let kept = known.as_ref().and_then(|known| known.checkpoints.get(&target.origin));
    asked.kept_checkpoints.extend(kept.map(|note| (KEPT.to_owned(), note.clone().into_bytes())));

    let files = LogFiles { session: &session, log: &log, target: &target, failed: RefCell::new(None) };
    let changes = block_in_place(|| key_changes::read(&files));
    asked.key_changes = match (changes, files.failed.take()) {
        (_, Some(error)) => return Err(error),
        (changes, None) => changes.map_err(|error| CliError::Failed(error.to_string()))?,
    };
    let mut stream = match target.present {
        true => Some(StreamNow::open(&session, &target, log.stream_sequence).await?),
        false => None,
    };
    let bar = Bar::new();
    let mut seen_before = None;
    let mut each = |walked: &Walked, bytes: &[u8], findings: &mut Findings| {
        if let (0, Some(Leaf::Genesis(genesis))) = (walked.index, &walked.leaf) {
            seen_before = SeenBefore::of(genesis, known.as_ref(), findings);
        }
        if let Some(seen) = &mut seen_before {
            let read = |origin: &str, path: &str| Handle::current().block_on(files.fetch_old(origin, path));
            seen.leaf(walked, bytes, &read, findings).map_err(|error| files.fail(error))?;
        }
        let compared = stream.as_mut().map_or(Ok(()), |stream| stream.compare(walked, bytes, findings));
        compared.map_err(|error| files.fail(error))
    };
    let verified =
        block_in_place(|| package::verify_each(&files, &trusted.trust, &asked, &mut |step| bar.show(step), &mut each));
    drop(bar);
    let mut report = match (verified, files.failed.take()) {
        (_, Some(error)) => return Err(error),
        (Err(error), None) => return Err(CliError::Failed(error.to_string())),
        (Ok(report), None) => report,
    };
    if let Some(seen) = seen_before {
        seen.finish(&mut report.findings);
    }
    report.events_compared = stream.map_or(0, |stream| stream.compared);
    if let Some(judgement) = report.judgement.as_ref().filter(|_| target.present) {
        let published = judgement.checkpoint.size;
        if target.first_sequence + published < log.stream_sequence + 2 {
            report.findings.push(Finding::Behind { published, stream: log.stream_sequence });
        }
    }
    if !log.stopped.is_empty() {
        screen.note(&format!("the server says that it stopped signing this log: {}", log.stopped))?;
    }
    let source = trusted.source.words();
    let exit = say::report(&report, source, screen)?;
    if let (Exit::Done, Ok(Some(note))) = (exit, block_in_place(|| files.read(CHECKPOINT))) {
        let followed = report.followed.iter().map(|followed| followed.change.to.to_string());
        remember(&file, trusted.with_keys(followed), &pin, &target.origin, &note)?;
    }
    Ok(exit)
}

pub(super) const KEPT: &str = "the checkpoint that this profile kept";

/// Loads anew: the file may have got a new login meanwhile.
fn remember(file: &ProfileFile, trusted: Trusted, pin: &str, origin: &str, note: &[u8]) -> Result<(), CliError> {
    let mut profile = file.load()?;
    trusted.remember(&mut profile.logs, pin, origin, &String::from_utf8_lossy(note));
    file.save(&profile)
}

/// The log to verify: the present epoch or an older one.
struct Target {
    origin: String,
    epoch: u32,
    first_sequence: u64,
    /// As the server names them.
    keys: Vec<String>,
    present: bool,
    /// Why the epoch began, as the log says.
    began: String,
}

impl Target {
    fn of(log: &GetLogResponse, epoch: Option<u32>) -> Result<Self, CliError> {
        let epoch = epoch.unwrap_or(log.epoch);
        let Some(opened) = log.epochs.iter().find(|opened| opened.epoch == epoch) else {
            let there: Vec<String> = log.epochs.iter().map(|opened| opened.epoch.to_string()).collect();
            return Err(CliError::Usage(format!("--epoch {epoch}: there are {}", there.join(", "))));
        };
        let present = epoch == log.epoch;
        let keys = if present { log.verifier_keys.clone() } else { vec![opened.verifier_key.clone()] };
        let (origin, first_sequence) = (opened.origin.clone(), opened.first_sequence);
        let began = match &opened.previous {
            Some(old) => format!("{}; of '{}' the first {} leaves count", opened.reason, old.origin, old.size),
            None => opened.reason.clone(),
        };
        Ok(Self { origin, epoch, first_sequence, keys, present, began })
    }

    /// With what the log says about its own beginning. It is no reason to believe the new key.
    fn explained(&self, error: CliError) -> CliError {
        match error {
            CliError::Failed(text) if self.epoch > 1 => {
                CliError::Failed(format!("{text}. Epoch {} began because: {}", self.epoch, self.began))
            }
            error => error,
        }
    }
}

fn client(session: &Session) -> AuditServiceClient<Channel> {
    session.audit().max_decoding_message_size(MAX_MESSAGE_BYTES)
}

/// The log's files through the API. The verifier is no async code: it waits for each.
struct LogFiles<'a> {
    session: &'a Session,
    log: &'a GetLogResponse,
    target: &'a Target,
    /// Why a file could not be read, with its exit code.
    failed: RefCell<Option<CliError>>,
}

impl LogFiles<'_> {
    /// The verifier passes errors of reading on; what they were is kept here.
    fn fail(&self, error: CliError) -> io::Error {
        let text = error.to_string();
        *self.failed.borrow_mut() = Some(error);
        io::Error::other(text)
    }

    /// Of another epoch; none when the server does not name it.
    async fn fetch_old(&self, origin: &str, path: &str) -> Result<Option<Vec<u8>>, CliError> {
        match self.log.epochs.iter().find(|opened| opened.origin == origin) {
            Some(opened) => self.fetch(opened.epoch, path).await,
            None => Ok(None),
        }
    }

    async fn fetch(&self, epoch: u32, path: &str) -> Result<Option<Vec<u8>>, CliError> {
        let (tenant, path) = (self.session.tenant(), path.to_owned());
        let ask = ReadLogFileRequest { tenant, path, epoch };
        match client(self.session).read_log_file(self.session.ask(ask)).await {
            Ok(answer) => Ok(Some(answer.into_inner().content)),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status.into()),
        }
    }
}

fn is_of_the_log(path: &str) -> bool {
    let last = format!("{CHECKPOINT}.last.");
    [CHECKPOINT, "policy", KEY_CHANGES].contains(&path) || path.starts_with("tile/") || path.starts_with(&last)
}

impl Files for LogFiles<'_> {
    fn open(&self, path: &str) -> io::Result<Option<Box<dyn BufRead + '_>>> {
        // Both as they were when we began: a log that grows meanwhile is not another log.
        let content = match path {
            CHECKPOINT if self.target.present && !self.log.checkpoint.is_empty() => {
                Ok(Some(self.log.checkpoint.clone().into_bytes()))
            }
            // Nothing is witnessed yet; that it is not is then a finding.
            CHECKPOINT if self.target.present && !self.log.pending.is_empty() => {
                Ok(Some(self.log.pending.clone().into_bytes()))
            }
            "policy" if self.target.present => Ok(Some(self.log.policy.clone().into_bytes())),
            _ if is_of_the_log(path) => Handle::current().block_on(self.fetch(self.target.epoch, path)),
            _ => Ok(None),
        };
        let content = content.map_err(|error| self.fail(error))?;
        Ok(content.map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn BufRead>))
    }

    /// The server keeps no older checkpoints and no proofs as files.
    fn paths(&self) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

/// The leaves as the stream gives them now, beside the logged ones.
struct StreamNow<'a> {
    session: &'a Session,
    messages: Streaming<StreamLeavesResponse>,
    ready: VecDeque<Vec<u8>>,
    /// The sequence after those that were read.
    next_sequence: u64,
    to_sequence: u64,
    compared: u64,
    ended: bool,
}

impl<'a> StreamNow<'a> {
    async fn open(session: &'a Session, target: &Target, to_sequence: u64) -> Result<Self, CliError> {
        let next_sequence = target.first_sequence;
        let messages = leaves_from(session, next_sequence, to_sequence).await?;
        Ok(Self { session, messages, ready: VecDeque::new(), next_sequence, to_sequence, compared: 0, ended: false })
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>, CliError> {
        if self.ready.is_empty() && !self.ended {
            Handle::current().block_on(self.fill())?;
        }
        Ok(self.ready.pop_front())
    }

    /// A call also ends when its login does. Only a new one that begins with the end says that there is no more.
    async fn fill(&mut self) -> Result<(), CliError> {
        let mut read = self.messages.message().await?;
        if read.is_none() && self.next_sequence <= self.to_sequence {
            self.messages = leaves_from(self.session, self.next_sequence, self.to_sequence).await?;
            read = self.messages.message().await?;
        }
        match read {
            Some(message) => {
                self.next_sequence += message.leaves.len() as u64;
                self.ready.extend(message.leaves);
            }
            None => self.ended = true,
        }
        Ok(())
    }

    fn compare(&mut self, logged: &Walked, bytes: &[u8], findings: &mut Findings) -> Result<(), CliError> {
        if logged.index == 0 {
            return Ok(());
        }
        let ended_before = self.ended && self.ready.is_empty();
        let Some(now) = self.next()? else {
            // Said once, for the first one that is missing.
            if !ended_before {
                findings.push(missing(logged));
            }
            return Ok(());
        };
        self.compared += 1;
        if now != bytes
            && let Some(found) = finding(logged, &now)
        {
            findings.push(found);
        }
        Ok(())
    }
}

async fn leaves_from(
    session: &Session,
    from_sequence: u64,
    to_sequence: u64,
) -> Result<Streaming<StreamLeavesResponse>, CliError> {
    let ask = StreamLeavesRequest { tenant: session.tenant(), from_sequence, to_sequence };
    Ok(client(session).stream_leaves(session.follow(ask)).await?.into_inner())
}

fn missing(logged: &Walked) -> Finding {
    let sequence = logged.leaf.as_ref().and_then(Leaf::sequence).unwrap_or(logged.index);
    Finding::EventMissing { sequence, event: format!("{}, with everything after it,", logged.name()) }
}

/// How one sequence of the stream differs from its logged leaf.
pub(super) fn finding(logged: &Walked, now: &[u8]) -> Option<Finding> {
    let sequence = logged.leaf.as_ref().and_then(Leaf::sequence).unwrap_or(logged.index);
    let event = logged.name();
    let now = match Leaf::parse(now) {
        Ok(now) => now,
        Err(error) => {
            return Some(Finding::EventEdited {
                sequence,
                event,
                what: format!("the stream's entry cannot be a leaf: {error}"),
            });
        }
    };
    match (&logged.leaf, &now) {
        // Why it is missing may be known better later.
        (Some(Leaf::Gap(then)), Leaf::Gap(now)) if then.seq == now.seq => None,
        (Some(Leaf::Event(_)), Leaf::Gap(_)) => Some(Finding::EventMissing { sequence, event }),
        (Some(Leaf::Event(then)), Leaf::Event(now)) => {
            difference(then, now).map(|what| Finding::EventEdited { sequence, event, what })
        }
        _ => Some(Finding::EventNotLogged { sequence, event: name_of(&now) }),
    }
}
