//! What must hold before or after a step, or is waited for.

use std::time::Duration;

use muster_domain::pb::{
    execution::v1::{Check, CheckOutcome},
    plan::v1::{Condition, DnsProbe, HttpProbe, ResourceCondition, SqlCondition, condition::Kind},
};
use muster_platform::{Facts, Probe, StepDone, StepError};
use tokio::{net::TcpStream, time::Instant};

use super::{
    POLL, Seen, Surroundings, dns,
    http::{self, Ask},
};

/// One question may take so long; a condition that is waited for is asked again.
const ASK_LIMIT: Duration = Duration::from_secs(5);
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

pub(super) async fn check(name: &str, condition: &Condition, s: &Surroundings) -> Check {
    let (outcome, value) = match ask(condition, s).await {
        Ok(Seen { holds: true, text }) => (CheckOutcome::Passed, text),
        Ok(Seen { holds: false, text }) => (CheckOutcome::Failed, text),
        Err(why) => (CheckOutcome::Unknown, why),
    };
    let wanted = words(condition);
    let text = if condition.text.is_empty() { wanted.clone() } else { condition.text.clone() };
    let resource = match &condition.kind {
        Some(Kind::Resource(ResourceCondition { resource, .. }) | Kind::Sql(SqlCondition { resource, .. })) => {
            resource.clone()
        }
        _ => String::new(),
    };
    Check { name: name.to_owned(), outcome: outcome.into(), value, limit: wanted, text, resource, ..Check::default() }
}

/// A wait is done when what it waits for is there.
pub(super) async fn probe(until: Option<&Condition>, s: &Surroundings) -> Probe {
    let Some(condition) = until else { return Probe::Unknown(NOTHING.to_owned()) };
    match ask(condition, s).await {
        Ok(Seen { holds: true, text }) => Probe::Done { note: text, outputs: Facts::new() },
        // Not knowing now is no reason not to wait.
        Ok(_) | Err(_) => Probe::NotDone,
    }
}

pub(super) async fn wait(until: Option<&Condition>, limit: Duration, s: &Surroundings) -> Result<StepDone, StepError> {
    let condition = until.ok_or_else(|| StepError::refused(NOTHING))?;
    let deadline = Instant::now() + limit;
    loop {
        let seen = match tokio::time::timeout_at(deadline, ask(condition, s)).await {
            Ok(Ok(Seen { holds: true, text })) => return Ok(StepDone { note: text, outputs: Facts::new() }),
            Ok(Ok(seen)) => seen.text,
            Ok(Err(why)) => why,
            Err(_) => "no answer".to_owned(),
        };
        if Instant::now() + POLL >= deadline {
            let text = format!("not within {} s: {}; last seen: {seen}", limit.as_secs(), words(condition));
            return Err(StepError::failed(text));
        }
        tokio::time::sleep(POLL).await;
    }
}

const NOTHING: &str = "it waits for nothing: the step has no condition";

/// `Err`: it could not be found out.
async fn ask(condition: &Condition, s: &Surroundings) -> Result<Seen, String> {
    match condition.kind.as_ref().ok_or("the condition was written for a newer version of Muster")? {
        Kind::Http(probe) => ask_http(probe, s).await,
        Kind::Tcp(probe) => ask_tcp(&probe.address, s).await,
        Kind::Dns(probe) => ask_dns(probe, s).await,
        Kind::Resource(asked) => ask_resource(asked, s).await,
        Kind::Sql(asked) => {
            let answer = s.resources.one_value(&asked.resource, &asked.query, ASK_LIMIT).await?;
            Ok(Seen { holds: answer == asked.expect, text: format!("the answer is {answer}") })
        }
    }
}

async fn ask_http(probe: &HttpProbe, s: &Surroundings) -> Result<Seen, String> {
    let ask = Ask { method: "GET", url: &probe.url, body: "", content_type: "", token: None, limit: ASK_LIMIT };
    let answer = match s.outgoing.send(ask).await {
        Ok(answer) => answer,
        Err(failure) if failure.is_ours => return Err(failure.text),
        Err(failure) => return Ok(Seen { holds: false, text: failure.text }),
    };
    let status = format!("HTTP {}", answer.status);
    if !http::is_expected(answer.status, &probe.expect_status) {
        return Ok(Seen { holds: false, text: status });
    }
    // Bodies are never shown: they can hold anything.
    let fits = probe.expect_body.is_empty() || answer.body.contains(&probe.expect_body);
    Ok(Seen { holds: fits, text: if fits { status } else { format!("{status}, and the body does not hold the text") } })
}

async fn ask_tcp(address: &str, s: &Surroundings) -> Result<Seen, String> {
    let found = s.outgoing.policy().resolve(address).await.map_err(|refused| refused.to_string())?;
    let mut last = String::new();
    for to in found {
        match tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(to)).await {
            Ok(Ok(_)) => return Ok(Seen { holds: true, text: format!("{to} accepts connections") }),
            Ok(Err(error)) => last = format!("{to}: {error}"),
            Err(_) => last = format!("{to}: no connection within {} s", CONNECT_LIMIT.as_secs()),
        }
    }
    Ok(Seen { holds: false, text: last })
}

async fn ask_dns(probe: &DnsProbe, s: &Surroundings) -> Result<Seen, String> {
    let kind = dns::RecordKind::parse(&probe.r#type).map_err(|error| error.to_string())?;
    let wanted = kind.values(&probe.values).map_err(|error| error.to_string())?;
    let server = dns::Server::resolve(&probe.server, s).await.map_err(|error| error.to_string())?;
    match server.look_up(&probe.name, kind, dns::Recursion::Desired).await {
        Ok(found) => Ok(Seen { holds: found.values == wanted, text: found.to_string() }),
        Err(error) => Ok(Seen { holds: false, text: error.to_string() }),
    }
}

async fn ask_resource(asked: &ResourceCondition, s: &Surroundings) -> Result<Seen, String> {
    let mut texts = Vec::new();
    let mut holds = true;
    if asked.at_target {
        let seen = s.resources.at_target(&asked.resource).await?;
        holds &= seen.holds;
        texts.push(seen.text);
    }
    if asked.protected {
        let seen = s.resources.protected(&asked.resource).await?;
        holds &= seen.holds;
        texts.push(seen.text);
    }
    if texts.is_empty() {
        return Err("the condition asks nothing about the resource: set atTarget or protected".to_owned());
    }
    Ok(Seen { holds, text: texts.join("; ") })
}

/// "http://… answers 200"
fn words(condition: &Condition) -> String {
    match &condition.kind {
        Some(Kind::Http(probe)) => {
            let status = http::expected_words(&probe.expect_status);
            let body = if probe.expect_body.is_empty() { "" } else { " with the expected text" };
            format!("{} answers {status}{body}", http::shown(&probe.url))
        }
        Some(Kind::Tcp(probe)) => format!("{} accepts connections", probe.address),
        Some(Kind::Dns(probe)) => {
            format!("{} gives {} {} {}", probe.server, probe.name, probe.r#type, probe.values.join(", "))
        }
        Some(Kind::Resource(asked)) => {
            let what = [(asked.at_target, "runs at the target site"), (asked.protected, "is protected")];
            let what: Vec<&str> = what.iter().filter(|(asked, _)| *asked).map(|(_, words)| *words).collect();
            format!("{} {}", asked.resource, what.join(" and "))
        }
        Some(Kind::Sql(asked)) => format!("the query on {} answers {}", asked.resource, asked.expect),
        None => "something this version does not know".to_owned(),
    }
}
