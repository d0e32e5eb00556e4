// What people say about the record of a run that has ended, and what they hold against it.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { audit } from "../../api/clients.ts";
import type { Here } from "../../api/person.ts";
import { whole } from "../../api/whole.ts";
import { GapState } from "../../gen/muster/audit/v1/gap_pb.ts";
import type { RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { Light } from "../../ui/light.tsx";
import { Answer } from "../../ui/states.tsx";
import { Moment } from "../../ui/time.tsx";
import { useFewGaps } from "../gaps/data.ts";
import { GapsPanel } from "../gaps/panel.tsx";
import { cannotReview, type Reviewed, reviewsOf } from "./reviewers.ts";

export function Aftermath({ here, request }: { here: Here; request: RequestView }) {
  const opened = request.opened;
  if (!opened) return null;
  const scope = opened.group ? { case: "group" as const, name: opened.group } : { case: "resource" as const, name: opened.resource };
  return (
    <div className="columns">
      <Reviews here={here} request={request} />
      <GapsPanel here={here} requestId={request.requestId} scope={scope} />
    </div>
  );
}

function Reviews({ here, request }: { here: Here; request: RequestView }) {
  const { tenant } = here;
  const { requestId } = request;
  const key = ["reviews", tenant, requestId];
  const queries = useQueryClient();
  const reviews = useQuery({
    queryKey: key,
    queryFn: async () => reviewsOf((await whole((page) => audit.listEvents({ tenant, filter: { requestId, types: ["drill.reviewed"] }, page }), (answer) => answer.records)).items),
    refetchInterval: 15_000,
  });
  const changed = async ({ sequence }: { sequence: bigint }) => {
    // The deed is done: a list that takes longer than that comes by itself.
    await audit.listEvents({ tenant, filter: { requestId }, minVersion: sequence, page: { pageSize: 1 } }).catch(() => undefined);
    await queries.invalidateQueries({ queryKey: key });
  };
  return (
    <section className="panel" aria-label="Reviews">
      <header>
        <h2>Reviews</h2>
        <span className="quiet small">by people who had no hand in it</span>
      </header>
      <div className="body">
        <Answer query={reviews} what="reviews" rows={1}>
          {(found) => (
            <>
              {found.length === 0 && <p className="quiet">Nobody has looked at the record of this run yet.</p>}
              <ul className="lines">
                {found.map((one) => (
                  <Said key={String(one.sequence)} one={one} />
                ))}
              </ul>
              {here.may("AuditService/ReviewDrill") && <Say here={here} request={request} reviews={found} changed={changed} />}
            </>
          )}
        </Answer>
      </div>
    </section>
  );
}

function Said({ one: { review } }: { one: Reviewed }) {
  if (!("accepted" in review)) return null;
  return (
    <li>
      <Light tone={review.accepted ? "green" : "red"}>{review.accepted ? "Accepted" : "Not accepted"}</Light> by <strong>{review.reviewer?.name || review.reviewer?.id}</strong>,{" "}
      <Moment at={review.reviewedAt} />
      <p className="small">“{review.note}”</p>
      {review.gapIds.length > 0 && <p className="small quiet">Gaps held against it: {review.gapIds.length}.</p>}
    </li>
  );
}

interface Saying {
  here: Here;
  request: RequestView;
  reviews: readonly Reviewed[];
  changed: (answer: { sequence: bigint }) => Promise<unknown>;
}

function Say({ here, request, reviews, changed }: Saying) {
  const [held, hold] = useState<ReadonlySet<string>>(new Set());
  const gaps = useFewGaps(here.tenant, { includeClosed: true, requestId: request.requestId });
  const open = gaps.data?.gaps.filter(({ state }) => state !== GapState.CLOSED) ?? [];
  const impossible = cannotReview(request, here.person.id, reviews);
  const review = (accepted: boolean) => (note: string, idempotencyKey: string) =>
    audit.reviewDrill({ tenant: here.tenant, requestId: request.requestId, accepted, note, gapIds: accepted ? [] : [...held], idempotencyKey }).then(changed);
  const text = { label: "What was looked at and found", required: true, long: true };
  const toggle = (gapId: string) =>
    hold((before) => {
      const after = new Set(before);
      if (!after.delete(gapId)) after.add(gapId);
      return after;
    });
  return (
    <div className="actions">
      <AskButton label="As it should be" title="The run was as it should be" confirm="Record the review" small primary impossible={impossible} text={text} act={review(true)}>
        <p>It goes into the record and into every report and export of this run. One person says it once.</p>
      </AskButton>
      <AskButton label="Not as it should be" title="The run was not as it should be" confirm="Record the review" small danger impossible={impossible} text={text} act={review(false)}>
        <p>It goes into the record and into every report and export of this run. One person says it once.</p>
        {open.length > 0 && (
          <fieldset>
            <legend>Gaps that are held against it</legend>
            {open.map(({ opened }) => (
              <label key={opened?.gapId} className="actions">
                <input type="checkbox" checked={held.has(opened?.gapId ?? "")} onChange={() => toggle(opened?.gapId ?? "")} />
                {opened?.title}
              </label>
            ))}
          </fieldset>
        )}
      </AskButton>
    </div>
  );
}
