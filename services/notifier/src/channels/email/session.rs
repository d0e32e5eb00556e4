//! One SMTP conversation for one mail, stage by stage: where it breaks decides what is known.
//!
//! Before the message's final dot nothing was accepted; after it, a lost connection means that the
//! relay may have it all the same.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use muster_domain::delivery::{Failure, FailureCode};
use muster_runtime::config::SmtpTls;
use secrecy::{ExposeSecret, SecretString};

use super::Relay;
use super::compose::Mail;

const CONNECT: Duration = Duration::from_secs(10);
const COMMAND: Duration = Duration::from_secs(60);
/// All commands before the message together.
const BEFORE_MESSAGE: Duration = Duration::from_secs(120);
const GOODBYE: Duration = Duration::from_secs(3);
/// RFC 5321 asks for up to ten minutes: giving up early would only make duplicates.
const FINAL_ANSWER: Duration = Duration::from_secs(300);

/// Why it was not sent.
#[derive(Debug)]
pub(super) enum Problem {
    /// The relay does not take the user's password.
    Credential(Failure),
    Failure(Failure),
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// Sends it and gives the relay's answer back.
pub(super) async fn send(relay: &Relay, password: Option<&SecretString>, mail: &Mail) -> Result<String, Problem> {
    let slow = |_| {
        Failure::new(
            FailureCode::Unreachable,
            format!("the relay did not take the message's envelope within {} s", BEFORE_MESSAGE.as_secs()),
        )
    };
    let mut connection =
        tokio::time::timeout(BEFORE_MESSAGE, envelope(relay, password, mail)).await.map_err(slow)??;
    let answer = message_stage(FINAL_ANSWER, connection.message(&mail.bytes), FailureCode::OutcomeUnknown).await?;
    // The outcome stands; a relay that does not say goodbye changes nothing.
    let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
    let text: Vec<&str> = answer.message().collect();
    Ok(format!("{} {}", answer.code(), text.join(" ")))
}

/// Everything up to the relay's readiness for the message itself.
async fn envelope(relay: &Relay, password: Option<&SecretString>, mail: &Mail) -> Result<AsyncSmtpConnection, Problem> {
    let mut connection = connect(relay).await?;
    log_in(&mut connection, relay, password).await?;
    stage("MAIL FROM", COMMAND, connection.command(MailFrom::new(Some(mail.sender.clone()), vec![]))).await?;
    recipient_stage(connection.command(Rcpt::new(mail.recipient.clone(), vec![]))).await?;
    message_stage(COMMAND, connection.command(Data), FailureCode::Unreachable).await?;
    Ok(connection)
}

async fn connect(relay: &Relay) -> Result<AsyncSmtpConnection, Failure> {
    let hello = ClientId::default();
    let tls = match relay.tls {
        SmtpTls::Implicit => Some(tls_parameters(relay)?),
        SmtpTls::Starttls => None,
        SmtpTls::None => {
            require_loopback(&relay.host)?;
            None
        }
    };
    let address = (relay.host.as_str(), relay.port);
    let connecting = AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT), &hello, tls, None);
    // The greeting and the answer to EHLO belong to it.
    let mut connection = stage("connecting", COMMAND, connecting).await?;
    if relay.tls == SmtpTls::Starttls {
        if !connection.can_starttls() {
            return Err(Failure::new(
                FailureCode::Misconfigured,
                format!(
                    "{} offers no STARTTLS; nothing is sent in clear. Use tls = \"implicit\" or mend the relay",
                    relay.host
                ),
            ));
        }
        stage("STARTTLS", COMMAND, connection.starttls(tls_parameters(relay)?, &hello)).await?;
    }
    Ok(connection)
}

async fn log_in(
    connection: &mut AsyncSmtpConnection,
    relay: &Relay,
    password: Option<&SecretString>,
) -> Result<(), Problem> {
    if let (Some(user), Some(password)) = (&relay.user, password) {
        if relay.tls == SmtpTls::None {
            let text = "a password is never sent without TLS; set smtp.tls";
            return Err(Failure::new(FailureCode::Misconfigured, text).into());
        }
        let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
        let login = stage("AUTH", COMMAND, connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials)).await;
        login.map_err(|failure| match failure.code {
            FailureCode::Misconfigured => Problem::Credential(failure),
            _ => Problem::Failure(failure),
        })?;
    }
    Ok(())
}

/// A stage about the relay, not about this recipient: a refusal there is ours to mend, so it is tried again.
async fn stage<T>(name: &str, limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    match tokio::time::timeout(limit, work).await {
        Err(_) => {
            Err(Failure::new(FailureCode::Unreachable, format!("{name}: no answer within {} s", limit.as_secs())))
        }
        Ok(Err(e)) if e.is_transient() => Err(Failure::new(FailureCode::Deferred, format!("{name}: {e}"))),
        Ok(Err(e)) if e.is_permanent() || e.is_tls() || e.is_client() => {
            Err(Failure::new(FailureCode::Misconfigured, format!("{name}: {e}")))
        }
        Ok(Err(e)) => Err(Failure::new(FailureCode::Unreachable, format!("{name}: {e}"))),
        Ok(Ok(value)) => Ok(value),
    }
}

async fn recipient_stage(work: impl Future<Output = Result<Response, Error>>) -> Result<Response, Failure> {
    let result = message_stage(COMMAND, work, FailureCode::Unreachable).await;
    // RFC 3463: 5.1.x is about the address itself.
    result.map_err(|failure| match failure.code {
        FailureCode::Rejected if enhanced_code(&failure.text).is_some_and(|code| code.starts_with("5.1.")) => {
            Failure::new(FailureCode::BadAddress, failure.text)
        }
        _ => failure,
    })
}

/// A stage about this message: 4xx later, 5xx never, and without an answer what `silence` says.
async fn message_stage(
    limit: Duration,
    work: impl Future<Output = Result<Response, Error>>,
    silence: FailureCode,
) -> Result<Response, Failure> {
    match tokio::time::timeout(limit, work).await {
        Err(_) => Err(Failure::new(silence, format!("no answer within {} s", limit.as_secs()))),
        Ok(Err(e)) if e.is_transient() => Err(Failure::new(FailureCode::Deferred, e.to_string())),
        Ok(Err(e)) if e.is_permanent() => Err(Failure::new(FailureCode::Rejected, e.to_string())),
        Ok(Err(e)) => Err(Failure::new(silence, e.to_string())),
        Ok(Ok(response)) => Ok(response),
    }
}

/// The "5.1.1" in a relay's answer, where it gives one.
fn enhanced_code(text: &str) -> Option<&str> {
    text.split([' ', '\n']).find(|word| {
        let mut numbers = word.split('.');
        let class_ok = numbers.next().is_some_and(|class| matches!(class, "2" | "4" | "5"));
        let number = |part: Option<&str>| {
            part.is_some_and(|p| !p.is_empty() && p.len() <= 3 && p.bytes().all(|b| b.is_ascii_digit()))
        };
        class_ok && number(numbers.next()) && number(numbers.next()) && numbers.next().is_none()
    })
}

fn tls_parameters(relay: &Relay) -> Result<TlsParameters, Failure> {
    let mistake = |e: Error| Failure::new(FailureCode::Misconfigured, format!("TLS towards {}: {e}", relay.host));
    let mut builder = TlsParameters::builder(relay.host.clone());
    if let Some(pem) = &relay.extra_ca_pem {
        builder = builder.add_root_certificate(Certificate::from_pem(pem).map_err(mistake)?);
    }
    builder.build_rustls().map_err(mistake)
}

fn require_loopback(host: &str) -> Result<(), Failure> {
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if loopback {
        return Ok(());
    }
    Err(Failure::new(
        FailureCode::Misconfigured,
        format!("mail in clear goes only to this machine, not to {host}; set smtp.tls"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhanced_codes_are_found_and_reply_codes_are_not() {
        assert_eq!(enhanced_code("permanent error (550): 5.1.1 User unknown"), Some("5.1.1"));
        assert_eq!(enhanced_code("permanent error (550): no such 5.1 user 10.1.2.3"), None);
    }

    #[test]
    fn clear_text_stays_on_this_machine() {
        assert!(require_loopback("127.0.0.1").is_ok() && require_loopback("localhost").is_ok());
        for host in ["mail.example.com", "10.0.0.1", "localhost.example.com", ""] {
            assert!(require_loopback(host).is_err(), "{host}");
        }
    }
}
