//! Who gets in, who may do what, and that a stranger gets nothing.

use anyhow::{Result, ensure};
use muster_domain::{
    access::TABLE,
    pb::{audit::v1::AuditFilter, request::v1::RequestType},
};
use muster_testing::{
    Product,
    poll::{self, look_for},
};
use prost::bytes::Bytes;
use tonic::{Code, Request};

use crate::support::{HEALTHY, refused};

pub(crate) async fn no_login(product: &mut Product) -> Result<()> {
    let url = product.url()?;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    for page in ["/", "/t/acme", "/t/acme/resources/orders-db", "/t/acme/requests", "/t/acme/audit"] {
        let answer = http.get(format!("{url}{page}")).send().await?;
        let to = answer.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default();
        ensure!(
            answer.status().is_redirection() && to.starts_with("/login"),
            "{page} answers {} {to}",
            answer.status()
        );
    }
    let login = http.get(format!("{url}/login")).send().await?;
    let to = login.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default();
    ensure!(
        to.contains("code_challenge_method=S256") && to.contains("/local-issuer"),
        "the login goes to the issuer: {to}"
    );

    // An address that nothing is at: a page for a person who follows an old link, the bare status for everything else.
    for (path, accept, is_page) in [
        ("/t/acme/no-such-page", "text/html,*/*;q=0.8", true),
        ("/t/acme/no-such-page", "*/*", false),
        ("/favicon.ico", "text/html,*/*;q=0.8", false),
        ("/rpc/nothing", "text/html", false),
    ] {
        let answer = http.get(format!("{url}{path}")).header("accept", accept).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status == 404, "{path} answers {status}");
        let says = text.contains("There is no such page") && text.contains("href=\"/login\"");
        ensure!(says == is_page && text.is_empty() != is_page, "{path} for {accept}: {text}");
    }
    let posted = http.post(format!("{url}/t/acme/no-such-page")).header("accept", "text/html").send().await?;
    ensure!(posted.status() == 404 && posted.text().await?.is_empty(), "nothing is posted to an unknown address");

    let mut nobody = product.person("vera").await?;
    let good = nobody.token.clone();
    for token in
        [String::new(), "rubbish".into(), format!("{}x", good), good.rsplit_once('.').unwrap().0.to_owned() + "."]
    {
        nobody.token = token;
        let refused = nobody.fleet("acme").await.expect_err("refused");
        ensure!(refused.code() == Code::Unauthenticated, "{refused:?}");
    }
    Ok(())
}

pub(crate) async fn viewer(product: &mut Product) -> Result<()> {
    let (vera, olga) = (product.person("vera").await?, product.person("olga").await?);
    let request = olga.open(RequestType::Switchover, "orders-db", "ams").await?;
    refused(vera.approve(&request.request_id).await, Code::PermissionDenied, "ROLE_MISSING")?;
    refused(vera.open(RequestType::Switchover, "orders-db", "ams").await, Code::PermissionDenied, "ROLE_MISSING")?;
    refused(vera.start(&request.request_id, "x").await, Code::PermissionDenied, "ROLE_MISSING")?;
    refused(
        vera.apply("acme", "kind: Site\nmetadata: {name: mars}\nspec: {}\n", false).await,
        Code::PermissionDenied,
        "ROLE_MISSING",
    )?;
    refused(vera.stop(&request.request_id, "x").await, Code::PermissionDenied, "ROLE_MISSING")?;
    poll::until("the denial to be recorded", HEALTHY, || async {
        let filter = AuditFilter { types: vec!["access.denied".into()], actor: "vera".into(), ..Default::default() };
        let reasons: Vec<String> = vera.events(filter).await?.into_iter().map(|record| record.reason).collect();
        Ok(look_for(reasons, |reasons| {
            reasons.iter().any(|reason| reason.contains("ApproveRequest") && reason.contains("ROLE_MISSING"))
        }))
    })
    .await?;
    ensure!(vera.show(&request.request_id).await?.approvals.is_empty(), "nothing was approved");

    // What the pages show to which role is looked at in a browser: testing/console.
    forged_call(product, "vera").await
}

/// A page elsewhere can make the browser call, and has the cookie then, but not the session's key: it gets nothing.
async fn forged_call(product: &Product, person: &str) -> Result<()> {
    let url = product.url()?;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let cookies = log_in(&http, &url, person).await?;
    let call = async |key: Option<&str>| {
        let mut call = http
            .post(format!("{url}/rpc/muster.identity.v1.IdentityService/WhoAmI"))
            .header("cookie", &cookies)
            .header("content-type", "application/grpc-web+proto")
            .body(vec![0_u8; 5]);
        if let Some(key) = key {
            call = call.header("x-muster-session-key", key);
        }
        anyhow::Ok(call.send().await?.status().as_u16())
    };
    let session = http.get(format!("{url}/session")).header("cookie", &cookies).send().await?;
    let session: serde_json::Value = session.json().await?;
    let statuses = (call(None).await?, call(Some("guessed")).await?, call(session["key"].as_str()).await?);
    ensure!(statuses == (403, 403, 200), "without, with a wrong and with the right key: {statuses:?}");
    Ok(())
}

/// Through the login that a browser would do; answers with the cookies.
async fn log_in(http: &reqwest::Client, url: &str, person: &str) -> Result<String> {
    let mut cookies: Vec<String> = Vec::new();
    let mut next = format!("{url}/login?login_hint={person}&back_to=/");
    for _ in 0..8 {
        let answer = http.get(&next).header("cookie", cookies.join("; ")).send().await?;
        for cookie in answer.headers().get_all("set-cookie") {
            cookies.push(cookie.to_str()?.split(';').next().unwrap_or_default().to_owned());
        }
        match answer.headers().get("location") {
            Some(to) => next = url::Url::parse(&next)?.join(to.to_str()?)?.to_string(),
            None => return Ok(cookies.join("; ")),
        }
    }
    anyhow::bail!("the login goes round in circles at {next}")
}

/// Every method of the API as somebody with every role in another tenant, with tenant = acme.
pub(crate) async fn wrong_tenant(product: &mut Product) -> Result<()> {
    let gina = product.person("gina").await?;
    // Field 1 of every request that belongs to a tenant is the tenant: 0x0A, length, text.
    let message = [&[0x0a, 4][..], b"acme"].concat();
    let nowhere = [&[0x0a, 7][..], b"nowhere"].concat();
    for rule in TABLE.iter().filter(|rule| !rule.method.ends_with("/WhoAmI")) {
        let here = raw_call(&gina.token, &product.url()?, rule.method, message.clone()).await;
        let there = raw_call(&gina.token, &product.url()?, rule.method, nowhere.clone()).await;
        ensure!(here.0 == Code::PermissionDenied, "{} answers {here:?}", rule.method);
        // The same answer for a tenant that does not exist: nobody learns which tenants there are.
        ensure!(
            there.0 == here.0 && here.1.replace("acme", "…") == there.1.replace("nowhere", "…"),
            "{}: {here:?} and {there:?}",
            rule.method
        );
    }
    let own = gina.fleet("globex").await?;
    ensure!(own.is_empty(), "globex protects nothing yet: {own:?}");
    Ok(())
}

/// A unary or streaming call with raw bytes; the status of the answer.
async fn raw_call(token: &str, url: &str, method: &str, message: Vec<u8>) -> (Code, String) {
    let channel = tonic::transport::Channel::from_shared(url.to_owned()).unwrap().connect_lazy();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let mut request = Request::new(Bytes::from(message));
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let path = format!("/{method}").parse().unwrap();
    match client.server_streaming(request, path, crate::support::RawCodec).await {
        Err(status) => (status.code(), status.message().to_owned()),
        Ok(answer) => match answer.into_inner().message().await {
            Err(status) => (status.code(), status.message().to_owned()),
            Ok(_) => (Code::Ok, "it answered".into()),
        },
    }
}
