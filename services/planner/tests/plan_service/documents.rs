use muster_domain::pb::plan::v1::RenderFormat;
use tonic::Code;

use crate::world::{World, plan, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn documents_show_the_newest_text_and_the_run_card_what_runs_use() {
    let world = World::start().await;
    let card = world.olga().render(RenderFormat::RunCard).await.unwrap();
    assert!(card.content.contains("This version is not published"));
    let published = world.published().await;
    world.ada().apply(&plan("in a better way")).await.unwrap();
    world.becomes("newer", |view| view.newest.as_ref().is_some_and(|newest| newest.version == 2)).await;

    // Everybody may read them.
    let vera = world.person("vera", &["viewer"]);
    for format in [RenderFormat::Markdown, RenderFormat::Html] {
        let document = vera.render(format).await.unwrap();
        assert!(document.content.contains("in a better way") && document.signature.is_empty());
        assert_eq!(document.plan.unwrap().version, 2);
    }
    let card = vera.render(RenderFormat::RunCard).await.unwrap();
    assert_eq!(card.plan.as_ref(), Some(&published));
    assert!(!card.content.contains("not published") && card.content.contains(&published.hash));
    assert!(card.signature.contains(&format!("hash {}", published.hash)));
    assert!(card.content.contains("orders-b.example.org") && card.content.contains("+49 69 1234567"));
    assert!(!card.content.contains("not to be seen"));
    assert_eq!(refusal(vera.render(RenderFormat::Unspecified).await).field, "format");
    let stranger = world.person("gus", &["globex-admin"]);
    assert_eq!(stranger.render(RenderFormat::RunCard).await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_key_is_public() {
    let world = World::start().await;
    let address = world.url.strip_prefix("http://").unwrap().to_owned();
    let answer = get(&address, muster_planner::SIGNING_KEY_PATH).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("-----BEGIN PUBLIC KEY-----") && !answer.contains("PRIVATE"), "{answer}");
}

async fn get(address: &str, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let ask = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
