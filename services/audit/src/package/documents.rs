//! The OSCAL documents of a package: one run in memory at a time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use muster_domain::pb::{
    audit::v1::{AuditRecord, ReviewEvent, review_event},
    execution::v1::{ExecutionEvent, execution_event},
    inventory::v1::{InventoryEvent, document::Spec, inventory_event},
};

use super::{
    PackageError, dsse,
    key::DocumentKey,
    log_at::{Leaves, LogAt},
    select::Selection,
    sink::Sink,
};
use crate::oscal::{
    Document, GapStory, Logged, OpenRisks, PackageFile, Plans, Run, RunParts, Scope, action_plan, component_definition,
    gap_stories, mapping, monitoring_plan, parse, plan_key, recovery_plan, rest_of_the_record, results_of_run,
    tampering,
};

/// Events of one document about the rest of the record.
const REST: usize = 1_000;

/// What writes documents into a package.
pub(super) struct Documents<'a> {
    pub(super) sink: &'a mut Sink,
    pub(super) log: &'a LogAt,
    pub(super) selection: &'a Selection<'a>,
    pub(super) scope: &'a Scope,
    pub(super) key: &'a DocumentKey,
    /// One bit for each leaf whose proof is in the package already.
    pub(super) proven: Vec<u64>,
}

impl Documents<'_> {
    /// All documents: plans first, as results point at them.
    pub(super) async fn write_all(&mut self) -> Result<(), PackageError> {
        self.sink.file("oscal/compliance-mapping.json", mapping::FRAMEWORKS.as_bytes()).await?;
        self.document(&component_definition()?).await?;
        self.document(&mapping::mapping_collection()?).await?;
        let (plans, gaps, reviewed) = (self.plans().await?, self.gaps().await?, self.last_accepted_review().await?);
        for (key, story) in plans.plans.iter().filter(|(_, story)| !story.runs.is_empty()) {
            self.document(&recovery_plan(self.scope, &plans, key, story)?).await?;
        }
        let newest = self.newest().await?;
        self.document(&monitoring_plan(self.scope, &plans, newest)?).await?;
        let mut open = OpenRisks::default();
        self.runs(&gaps, &mut open).await?;
        self.rest(&gaps).await?;
        self.plan_of_action(&plans, &gaps, reviewed, open, newest).await
    }

    async fn document(&mut self, document: &Document) -> Result<(), PackageError> {
        let envelope = dsse::of_document(self.key, &document.name, &document.json)?;
        self.sink.file(&format!("oscal/{}", document.name), &document.to_bytes()?).await?;
        let stem = document.name.trim_end_matches(".json");
        self.sink.file(&format!("oscal/{stem}.dsse.json"), &envelope).await.map(drop)
    }

    async fn logged(&self, leaves: &mut Leaves<'_>, record: AuditRecord) -> Result<Logged, PackageError> {
        let found = leaves.of(record.sequence).await?.ok_or(PackageError::NotInTree(record.sequence))?;
        Ok(Logged { record, leaf_hash: found.1 })
    }

    /// The proofs of these events, written into the package where they are not there yet.
    async fn proofs(&mut self, events: &[&Logged]) -> Result<BTreeMap<u64, PackageFile>, PackageError> {
        let mut proofs = BTreeMap::new();
        let mut leaves = Leaves::new(self.log);
        let citable = events.iter().filter(|event| event.is_citable()).map(|event| event.record.sequence);
        for sequence in citable.collect::<Vec<_>>() {
            let Some((leaf, _)) = leaves.of(sequence).await? else { continue };
            let proof = self.log.proof(sequence, leaf).await?;
            let index = usize::try_from(self.log.index_of(sequence).unwrap_or_default()).unwrap_or_default();
            let (word, bit) = (index / 64, 1 << (index % 64));
            self.proven.resize(self.proven.len().max(word + 1), 0);
            if let Some(word) = self.proven.get_mut(word).filter(|word| **word & bit == 0) {
                *word |= bit;
                self.sink.file(&proof.path, proof.content.as_deref().unwrap_or_default()).await?;
            }
            proofs.insert(sequence, proof);
        }
        Ok(proofs)
    }

    /// Every plan and system as the record had it at the checkpoint.
    async fn plans(&mut self) -> Result<Plans, PackageError> {
        let mut plans = Plans::default();
        let mut leaves = Leaves::new(self.log);
        // The newest of each document's declarations and publications.
        let mut kept: BTreeMap<(String, String), AuditRecord> = BTreeMap::new();
        let types = ["resource.declared", "plan.declared", "plan.published"];
        self.selection
            .of_types(&types, &mut |record| {
                kept.insert((record.r#type.clone(), record.aggregate.clone()), record);
            })
            .await?;
        for record in kept.into_values() {
            let event = self.logged(&mut leaves, record).await?;
            note_document(&mut plans, event)?;
        }
        let mut after = 0;
        loop {
            let runs = self.selection.runs(after).await?;
            let Some((last, _)) = runs.last() else { return Ok(plans) };
            after = *last;
            for (_, record) in runs {
                let event = self.logged(&mut leaves, record).await?;
                let body: ExecutionEvent = parse(&event)?;
                if let Some(execution_event::Event::Started(started)) = body.event {
                    plans.note_run(&event, &started);
                }
            }
        }
    }

    async fn gaps(&self) -> Result<Vec<GapStory>, PackageError> {
        let (mut records, mut leaves) = (Vec::new(), Leaves::new(self.log));
        self.selection.of_types(&["gap.%"], &mut |record| records.push(record)).await?;
        let mut events = Vec::new();
        for record in records {
            events.push(self.logged(&mut leaves, record).await?);
        }
        Ok(gap_stories(events)?)
    }

    /// The sequence of the newest review that accepted what it saw; what was closed before it need not be listed any more.
    async fn last_accepted_review(&self) -> Result<u64, PackageError> {
        let mut newest = 0;
        self.selection
            .of_types(&["drill.reviewed", "audit.reviewed"], &mut |record| {
                let review = serde_json::from_str::<ReviewEvent>(&record.payload_json).ok().and_then(|r| r.event);
                let accepted = match review {
                    Some(review_event::Event::Drill(drill)) => drill.accepted,
                    Some(review_event::Event::Audit(_)) => true,
                    // Nobody knows what it said: it closes nothing.
                    None => false,
                };
                newest = if accepted { record.sequence } else { newest };
            })
            .await?;
        Ok(newest)
    }

    /// When the newest event of the tree was stored.
    async fn newest(&self) -> Result<Timestamp, PackageError> {
        let leaf = Leaves::new(self.log).at(self.log.size().saturating_sub(1)).await?.to_vec();
        let nanoseconds = match muster_tlog::Leaf::parse(&leaf)? {
            muster_tlog::Leaf::Event(event) => i128::from(event.time_ns),
            muster_tlog::Leaf::Genesis(_) | muster_tlog::Leaf::Gap(_) => 0,
        };
        Ok(Timestamp::from_nanosecond(nanoseconds).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    async fn runs(&mut self, gaps: &[GapStory], open: &mut OpenRisks) -> Result<(), PackageError> {
        let mut after = 0;
        loop {
            let runs = self.selection.runs(after).await?;
            let Some((last, _)) = runs.last() else { return Ok(()) };
            after = *last;
            for (_, beginning) in runs {
                self.run(&beginning.request_id, gaps, open).await?;
            }
        }
    }

    async fn run(&mut self, request: &str, gaps: &[GapStory], open: &mut OpenRisks) -> Result<(), PackageError> {
        let selected = self.selection.selected_of(request).await?;
        if selected.is_empty() {
            return Ok(());
        }
        let (mut events, mut leaves) = (Vec::new(), Leaves::new(self.log));
        for record in self.selection.of_request(request).await? {
            events.push(self.logged(&mut leaves, record).await?);
        }
        let run = Run::read(request, events)?;
        let gaps: Vec<&GapStory> = gaps.iter().filter(|gap| gap.opened.request_id == request).collect();
        let of_gaps = gaps.iter().flat_map(|gap| gap.events.iter().map(|(event, _)| event));
        let cited: Vec<&Logged> = run.events.iter().chain(of_gaps).collect();
        let proofs = self.proofs(&cited).await?;
        let parts = RunParts { scope: self.scope, run: &run, gaps: &gaps, selected: &selected, proofs: &proofs };
        let document = results_of_run(&parts, open)?;
        self.document(&document).await
    }

    /// The selected events that belong to no run.
    async fn rest(&mut self, gaps: &[GapStory]) -> Result<(), PackageError> {
        let (mut waiting, mut leaves, mut after) = (Vec::new(), Leaves::new(self.log), 0);
        loop {
            let page = self.selection.page(after).await?;
            let Some(last) = page.last() else { break };
            after = last.sequence;
            let requests: BTreeSet<String> =
                page.iter().filter(|r| !r.request_id.is_empty()).map(|r| r.request_id.to_lowercase()).collect();
            let with_run = self.selection.with_run(requests).await?;
            for record in page {
                if !with_run.contains(&record.request_id.to_lowercase()) {
                    waiting.push(self.logged(&mut leaves, record).await?);
                }
            }
            while waiting.len() >= REST {
                let some: Vec<Logged> = waiting.drain(..REST).collect();
                self.rest_of(&some, gaps).await?;
            }
        }
        self.rest_of(&waiting, gaps).await
    }

    async fn rest_of(&mut self, events: &[Logged], gaps: &[GapStory]) -> Result<(), PackageError> {
        let told: Vec<&Logged> = tampering(events)?.into_iter().map(|(event, _)| event).collect();
        let of_gaps =
            gaps.iter().filter(|gap| told.iter().any(|event| event.record.event_id == gap.opened.source_event_id));
        let cited: Vec<&Logged> =
            of_gaps.flat_map(|gap| gap.events.iter().map(|(event, _)| event)).chain(told.iter().copied()).collect();
        let proofs = self.proofs(&cited).await?;
        match rest_of_the_record(self.scope, events, gaps, &proofs)? {
            Some(document) => self.document(&document).await,
            None => Ok(()),
        }
    }

    /// Everything open at the checkpoint, of the systems and requests that the filter asks for.
    async fn plan_of_action(
        &mut self,
        plans: &Plans,
        gaps: &[GapStory],
        reviewed: u64,
        open: OpenRisks,
        newest: Timestamp,
    ) -> Result<(), PackageError> {
        let filter = self.selection.filter;
        let fits = |wanted: &str, found: &str| wanted.is_empty() || wanted == found.to_lowercase();
        let listed: Vec<&GapStory> = gaps
            .iter()
            .filter(|gap| {
                fits(&filter.resource, &gap.opened.resource) && fits(&filter.request_id, &gap.opened.request_id)
            })
            .filter(|gap| !gap.is_closed() || gap.newest().is_some_and(|event| event.record.sequence > reviewed))
            .collect();
        let cited: Vec<&Logged> = listed.iter().flat_map(|gap| gap.events.iter().map(|(event, _)| event)).collect();
        let proofs = self.proofs(&cited).await?;
        match action_plan(self.scope, plans, open, &listed, newest, &proofs)? {
            Some(document) => self.document(&document).await,
            None => Ok(()),
        }
    }
}

fn note_document(plans: &mut Plans, event: Logged) -> Result<(), PackageError> {
    if event.record.r#type == "plan.published" {
        let key = plan_key(event.record.aggregate.strip_prefix("plan/").unwrap_or_default());
        plans.plans.entry(key).or_default().published = Some(event);
        return Ok(());
    }
    let body: InventoryEvent = parse(&event)?;
    let Some(inventory_event::Event::Declared(declared)) = body.event else { return Ok(()) };
    let Some(document) = declared.document else { return Ok(()) };
    match document.spec {
        Some(Spec::ResourceSpec(spec)) => {
            plans.resources.insert(document.name, spec);
        }
        Some(Spec::PlanSpec(spec)) => {
            let story = plans.plans.entry(plan_key(&document.name)).or_default();
            (story.name, story.version, story.spec) = (document.name, document.version, Some(spec));
            story.newest = Some(event);
        }
        _ => {}
    }
    Ok(())
}
