//! The e-mail channel against aiosmtpd, a third party's SMTP server.

use std::io::{BufRead, BufReader, Write};
use std::time::Duration;

use muster_domain::delivery::FailureCode;
use muster_notifier::channels::Channel;
use muster_notifier::channels::email::{Email, Relay};
use muster_runtime::config::SmtpTls;

use crate::smtp_server::{Login, ServerTls, SmtpServer, header};
use crate::support::{mail_to, secrets};

fn relay(port: u16, tls: SmtpTls, ca: Option<&[u8]>) -> Relay {
    Relay {
        host: "localhost".into(),
        port,
        tls,
        user: None,
        password_ref: None,
        from: "Muster <muster@relay.example>".parse().unwrap(),
        extra_ca_pem: ca.map(<[u8]>::to_vec),
        interval: Duration::ZERO,
    }
}

fn channel(relay: Relay) -> Email {
    let (_dir, secrets) = secrets();
    Email::new(Some(relay), secrets).unwrap()
}

#[tokio::test]
async fn the_relay_takes_it_and_every_header_arrives() {
    let Some(server) = SmtpServer::start(ServerTls::None) else { return };
    let receipt =
        channel(relay(server.port, SmtpTls::None, None)).deliver(&mail_to("alice@example.com")).await.unwrap();
    assert!(receipt.0.starts_with("accepted by the relay: 250 2.0.0 Queued as"), "{}", receipt.0);
    let mail = server.mails_like("alice").remove(0);
    assert_eq!(header(&mail, "Subject").unwrap(), "CRITICAL: orders-db (tier 1, production): RPO breached");
    assert_eq!(header(&mail, "Auto-Submitted").unwrap(), "auto-generated");
    assert_eq!(header(&mail, "X-Muster-Tenant").unwrap(), "acme");
    assert!(mail.contains("RPO_BREACH") && mail.contains("text/html") && mail.contains("text/plain"));
}

#[tokio::test]
async fn starttls_and_implicit_tls_verify_the_certificate() {
    for (server_tls, client_tls) in [(ServerTls::Starttls, SmtpTls::Starttls), (ServerTls::Implicit, SmtpTls::Implicit)]
    {
        let Some(server) = SmtpServer::start(server_tls) else { return };
        let trusted = channel(relay(server.port, client_tls, Some(&server.ca_pem)));
        trusted.deliver(&mail_to("alice@example.com")).await.unwrap();
        assert_eq!(server.mails().len(), 1);

        // Nobody vouches for this certificate.
        let stranger =
            channel(relay(server.port, client_tls, None)).deliver(&mail_to("alice@example.com")).await.unwrap_err();
        assert!(!stranger.code.is_permanent() && stranger.code != FailureCode::OutcomeUnknown, "{stranger}");
        // It is good for localhost, not for another name.
        let other_name = Relay { host: "127.0.0.1".into(), ..relay(server.port, client_tls, Some(&server.ca_pem)) };
        let failure = channel(other_name).deliver(&mail_to("alice@example.com")).await.unwrap_err();
        assert!(failure.text.contains("certificate"), "{failure}");
        assert_eq!(server.mails().len(), 1);
    }
}

#[tokio::test]
async fn without_starttls_nothing_is_sent_in_clear() {
    let Some(server) = SmtpServer::start(ServerTls::None) else { return };
    let failure =
        channel(relay(server.port, SmtpTls::Starttls, None)).deliver(&mail_to("alice@example.com")).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::Misconfigured);
    assert!(failure.text.contains("offers no STARTTLS"), "{failure}");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn each_recipient_is_judged_by_itself() {
    let Some(server) = SmtpServer::start(ServerTls::None) else { return };
    let email = channel(relay(server.port, SmtpTls::None, None));
    for (address, code) in [
        ("nobody@example.com", FailureCode::BadAddress),
        ("policy@example.com", FailureCode::Rejected),
        ("large@example.com", FailureCode::Rejected),
        ("later@example.com", FailureCode::Deferred),
    ] {
        assert_eq!(email.deliver(&mail_to(address)).await.unwrap_err().code, code, "{address}");
    }
    // The second recipient of the same message, and the one that was told "later".
    email.deliver(&mail_to("alice@example.com")).await.unwrap();
    email.deliver(&mail_to("later@example.com")).await.unwrap();
    assert_eq!(server.mails().len(), 2);
}

#[tokio::test]
async fn a_connection_that_dies_after_the_dot_leaves_the_outcome_unknown() {
    let Some(server) = SmtpServer::start(ServerTls::None) else { return };
    let email = channel(relay(server.port, SmtpTls::None, None));
    let mut attempt = mail_to("drop@example.com");
    let failure = email.deliver(&attempt).await.unwrap_err();
    assert_eq!(failure.code, FailureCode::OutcomeUnknown, "{failure}");
    attempt.number = 2;
    attempt.possibly_duplicate = true;
    email.deliver(&attempt).await.unwrap();
    let mails = server.mails_like("drop");
    assert_eq!(mails.len(), 2);
    assert_eq!(header(&mails[0], "Message-ID"), header(&mails[1], "Message-ID"));
    assert_eq!(header(&mails[1], "X-Muster-Possibly-Duplicate").unwrap(), "yes");
}

/// A relay that says one line and closes.
fn says(line: &'static str) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut out = stream.try_clone().unwrap();
            let _ = out.write_all(line.as_bytes());
            let _ = BufReader::new(stream).read_line(&mut String::new());
        }
    });
    port
}

#[tokio::test]
async fn a_relay_that_is_away_or_busy_is_tried_again() {
    let busy = channel(relay(says("421 4.3.2 Too busy\r\n"), SmtpTls::None, None));
    assert_eq!(busy.deliver(&mail_to("alice@example.com")).await.unwrap_err().code, FailureCode::Deferred);
    let away = channel(relay(muster_local::free_port().unwrap(), SmtpTls::None, None));
    assert_eq!(away.deliver(&mail_to("alice@example.com")).await.unwrap_err().code, FailureCode::Unreachable);
}

#[tokio::test]
async fn our_own_mistakes_are_named_and_nothing_leaves() {
    let (_dir, secrets) = secrets();
    let none = Email::new(None, secrets.clone()).unwrap();
    assert_eq!(none.deliver(&mail_to("alice@example.com")).await.unwrap_err().code, FailureCode::Misconfigured);

    let far = Relay { host: "192.0.2.1".into(), ..relay(25, SmtpTls::None, None) };
    let failure = channel(far).deliver(&mail_to("alice@example.com")).await.unwrap_err();
    assert!(failure.text.contains("in clear"), "{failure}");

    let Some(server) = SmtpServer::start(ServerTls::None) else { return };
    std::fs::create_dir(_dir.path().join("_system")).unwrap();
    std::fs::write(_dir.path().join("_system/smtp"), "s3cret").unwrap();
    let clear = Relay {
        user: Some("u".into()),
        password_ref: Some("file:smtp".into()),
        ..relay(server.port, SmtpTls::None, None)
    };
    let failure = Email::new(Some(clear), secrets).unwrap().deliver(&mail_to("alice@example.com")).await.unwrap_err();
    assert!(failure.text.contains("never sent without TLS") && !failure.text.contains("s3cret"), "{failure}");
    assert!(server.mails().is_empty());
}

/// The relay's own certificate authority is named in the settings.
#[tokio::test]
async fn the_settings_name_a_certificate_authority() {
    let login = Login { user: "muster", password: "correct-horse" };
    let Some(server) = SmtpServer::with_login(ServerTls::Implicit, login) else { return };
    let (dir, secrets) = secrets();
    std::fs::create_dir(dir.path().join("_system")).unwrap();
    std::fs::write(dir.path().join("_system/smtp"), "correct-horse\n").unwrap();
    let ca_file = dir.path().join("ca.pem");
    let mut config = muster_runtime::Config::default();
    config.smtp = Some(muster_runtime::config::Smtp {
        host: "localhost".into(),
        port: server.port,
        tls: SmtpTls::Implicit,
        user: Some("muster".into()),
        password_ref: Some("file:smtp".into()),
        from: "Muster <muster@relay.example>".into(),
        ca_file: Some(ca_file.clone()),
    });
    let missing = Relay::from_config(&config).unwrap_err().to_string();
    assert!(missing.contains("smtp.ca_file") && missing.contains("Next:"), "{missing}");
    std::fs::write(&ca_file, &server.ca_pem).unwrap();
    let email = Email::new(Relay::from_config(&config).unwrap(), secrets).unwrap();
    email.deliver(&mail_to("alice@example.com")).await.unwrap();
    assert_eq!((server.mails().len(), server.logins()), (1, 1));
}
