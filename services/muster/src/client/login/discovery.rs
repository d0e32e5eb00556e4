//! Which identity provider a Muster trusts: it names them to everybody who comes without a token.

use std::time::Duration;

use muster_domain::pb::identity::v1::{WhoAmIRequest, identity_service_client::IdentityServiceClient};
use muster_runtime::status::refusal_of;
use tonic::Code;

use crate::client::{error::CliError, session::channel};

const LIMIT: Duration = Duration::from_secs(10);
/// How the refusal of a call without a token ends (muster_runtime::access).
const MARK: &str = "issuers: ";

pub(super) async fn issuer_of(server: &str) -> Result<String, CliError> {
    let mut request = tonic::Request::new(WhoAmIRequest {});
    request.set_timeout(LIMIT);
    let status = match IdentityServiceClient::new(channel(server)?).who_am_i(request).await {
        Err(status) if status.code() == Code::Unauthenticated => status,
        Err(status) => return Err(status.into()),
        Ok(_) => return Err(CliError::Failed(format!("{server} answers without a login: this is not Muster"))),
    };
    let named = refusal_of(&status).map(|refusal| issuers_in(&refusal.limit)).unwrap_or_default();
    match named.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(CliError::Failed(format!("{server} names no identity provider; name it with --issuer"))),
        several => Err(CliError::Usage(format!("choose an identity provider with --issuer: {}", several.join(", ")))),
    }
}

fn issuers_in(limit: &str) -> Vec<String> {
    let Some((_, list)) = limit.split_once(MARK) else { return Vec::new() };
    list.split(", ").filter(|name| name.contains("://")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::issuers_in;

    #[test]
    fn issuers_are_read_from_the_refusal() {
        let limit =
            "header `authorization: Bearer <token>`; issuers: https://a.example, http://127.0.0.1:1/local-issuer";
        assert_eq!(issuers_in(limit), ["https://a.example", "http://127.0.0.1:1/local-issuer"]);
        assert!(issuers_in("header; issuers: none is configured").is_empty());
        assert!(issuers_in("").is_empty());
    }
}
