//! As callers meet it: over gRPC, behind the same guards as every service.

use muster_domain::pb::inventory::v1::{ApplyRequest, planner_service_client::PlannerServiceClient};
use muster_runtime::{Clock, Config, Context, serve};
use tokio::net::TcpListener;
use tonic::Code;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_log_in_or_sends_too_much_is_told_so() {
    let world = World::new(&["acme"]).await;
    let ctx = Context::assemble(Config::default(), Clock::system(), world.log.clone(), world.db.clone()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let service = crate::service(&ctx).await.unwrap();
    let (shutdown, serving) = (ctx.shutdown.clone(), tokio::spawn(serve(ctx, vec![service], listener)));
    let mut planner = PlannerServiceClient::connect(address).await.unwrap();

    let apply = |manifest: String| ApplyRequest { tenant: "acme".into(), manifest, ..ApplyRequest::default() };
    let status = planner.apply(apply(SITES.into())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");

    let status = planner.apply(apply("#".repeat(10 * 1024 * 1024))).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    assert!(status.message().contains("too large") && status.message().contains("limit"), "{}", status.message());
    assert_eq!(world.document("acme", Kind::Site, "fra").await, None);

    shutdown.cancel();
    serving.await.unwrap().unwrap();
}
