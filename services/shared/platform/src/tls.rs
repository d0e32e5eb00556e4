//! TLS to protected servers: whom is trusted, and what a refused handshake means for the person who reads it.
//!
//! Every platform trusts what the operating system trusts, read once: an installation adds its own authority there, or names
//! it in `SSL_CERT_FILE` or `SSL_CERT_DIR` as for every other program. Patroni's and Redis's clients read that by themselves;
//! the SQL clients know the public authorities alone and are given the rest here.

use std::{error::Error, io, path::PathBuf, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{CertificateError, RootCertStore};

/// The system's certificates as PEM, without those that cannot be used: one odd certificate in the system's store must not be
/// the end of every connection.
static TRUSTED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a part of the system's certificates cannot be read");
    }
    let usable = found.certs.iter().filter(|certificate| RootCertStore::empty().add((*certificate).clone()).is_ok());
    let pem = |der: &[u8]| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines(&STANDARD.encode(der)))
    };
    usable.map(|certificate| pem(certificate)).collect::<String>().into_bytes()
});

/// For clients that take authorities as PEM. Empty: the system has none.
pub(crate) fn trusted() -> Vec<u8> {
    TRUSTED.clone()
}

/// The same authorities, for PostgreSQL's own programs on this machine: they look for none by themselves but in their user's
/// home. A standby reads it at each connection, so an authority that is added later counts at once. `None`: the system has no
/// such file, and they say so.
pub(crate) fn authorities_file() -> Option<PathBuf> {
    openssl_probe::probe().cert_file
}

/// Said beside a silence: it may be no silence at all.
pub(crate) const MAY_NOT_SPEAK_TLS: &str = "; `tls`: a port that does not speak TLS can be as silent";

/// What went wrong in a handshake, and what to do about it. `None`: it was no matter of TLS, or nobody answered.
pub(crate) fn refused(error: &(dyn Error + 'static)) -> Option<String> {
    let cause = rustls_error(error)?;
    let why = match cause {
        rustls::Error::InvalidCertificate(certificate) => certificate_words(certificate),
        rustls::Error::InvalidMessage(_) => {
            "what answers at this port does not speak TLS: switch TLS on there, or correct the port".to_owned()
        }
        other => other.to_string(),
    };
    Some(format!("TLS was not established (`tls`): {why}"))
}

/// The server said in its own protocol that it has no TLS.
pub(crate) fn not_offered(said: &dyn Error) -> String {
    format!("TLS was not established (`tls`): {said}: switch TLS on at the server")
}

fn certificate_words(error: &CertificateError) -> String {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        UnknownIssuer,
    };
    match error {
        UnknownIssuer => {
            "the server's certificate comes from no authority that this machine trusts: add that authority to \
                          the system's certificates, or name its file in SSL_CERT_FILE"
                .to_owned()
        }
        Expired | ExpiredContext { .. } => {
            format!("the server's certificate has expired ({error}): renew it on the server")
        }
        NotValidYet | NotValidYetContext { .. } => {
            format!("the server's certificate is not valid yet ({error}): look at both clocks")
        }
        NotValidForName | NotValidForNameContext { .. } => format!(
            "the server's certificate is for another name ({error}): declare the host by a name that the certificate has"
        ),
        other => format!("the server's certificate cannot be used: {other}"),
    }
}

type Shared = std::sync::Arc<dyn Error + Send + Sync>;

/// Clients wrap it in several ways; input and output keep theirs out of the chain of sources.
fn rustls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found);
    }
    if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return rustls_error(inner);
    }
    // Redis's client keeps what went wrong behind a shared pointer, and that pointer is what it names as the source.
    if let Some(shared) = error.downcast_ref::<Shared>() {
        return rustls_error(shared.as_ref());
    }
    rustls_error(error.source()?)
}

fn lines(base64: &str) -> String {
    let mut text = String::with_capacity(base64.len() + base64.len() / 64);
    for (at, letter) in base64.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_refused_certificate_is_found_however_it_is_wrapped() {
        let cause = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let io = || io::Error::new(io::ErrorKind::InvalidData, cause());
        let shared: Shared = Arc::new(io());
        let wrapped: Vec<Box<dyn Error>> =
            vec![Box::new(cause()), Box::new(io()), Box::new(io::Error::other(io())), Box::new(shared)];
        for error in wrapped {
            let said = refused(error.as_ref()).unwrap_or_default();
            assert!(
                said.contains("no authority that this machine trusts") && said.contains("`tls`"),
                "{error:?}: {said}"
            );
        }
        assert_eq!(refused(&io::Error::from(io::ErrorKind::ConnectionRefused)), None, "silence is no refusal");
    }

    #[test]
    fn each_defect_of_a_certificate_says_what_to_do() {
        for (error, words) in [
            (CertificateError::Expired, "renew it"),
            (CertificateError::NotValidYet, "clocks"),
            (CertificateError::NotValidForName, "another name"),
            (CertificateError::Revoked, "cannot be used"),
        ] {
            let said = refused(&rustls::Error::InvalidCertificate(error)).unwrap_or_default();
            assert!(said.contains(words), "{said}");
        }
    }
}
