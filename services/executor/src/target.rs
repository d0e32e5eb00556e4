//! The site that a preflight is about when nobody names one: the side on which the system does not run, by a look at it now.

use std::collections::BTreeMap;

use muster_domain::{
    pb::{
        execution::v1::{Check, CheckOutcome, Member},
        request::v1::RequestOpened,
    },
    plan::Scope,
    request::{Chosen, type_name},
};

use crate::{
    checks::passed,
    leg::Course,
    run::{Run, markers_of},
};

impl Run<'_> {
    /// The site of each resource's one primary, as the platforms say now. What does not answer, or answers twice, is left
    /// out.
    pub(crate) async fn runs_at(&self, scope: &Scope<'_>) -> BTreeMap<String, String> {
        let looked = scope.members.iter().map(|member| async move {
            let name = &member.document.name;
            let member = Member {
                from_site: member.spec.primary_site.clone(),
                target_site: member.spec.dr_site.clone(),
                ..self.member(name, member.document.version, member.spec)
            };
            let leg = self.leg(Course { id: String::new(), member }, type_name(self.request_type()));
            let (markers, _) = markers_of(&leg).await;
            let mut primaries = markers.into_iter().filter(|marker| marker.role == "primary");
            let only = primaries.next().filter(|_| primaries.next().is_none())?;
            Some((name.clone(), only.site))
        });
        futures::future::join_all(looked).await.into_iter().flatten().collect()
    }
}

/// Which site it would be about, and why that one.
pub(crate) fn target(opened: &RequestOpened, chosen: &Chosen) -> Check {
    let limit = format!("{} or {}", opened.from_site, opened.target_site);
    let check = passed("target_site", &opened.target_site, &limit, chosen.words());
    match chosen {
        Chosen::Unseen => Check { outcome: CheckOutcome::Warning.into(), ..check },
        Chosen::Named | Chosen::ByType | Chosen::OppositeOf(_) => check,
    }
}
