// That somebody looks at the record itself, again and again (NIST AU-6): a period, and what was found in it.

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { audit } from "../../api/clients.ts";
import type { Here } from "../../api/person.ts";
import { serverNow } from "../../api/session.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { Light } from "../../ui/light.tsx";
import { Answer } from "../../ui/states.tsx";
import { Moment } from "../../ui/time.tsx";
import { REVIEWS } from "../audit/search.ts";
import { type Reviewed, reviewsOf } from "../request/reviewers.ts";
import { forField, periodHold } from "./period.ts";

const NEWEST = 20;
const WEEK_MS = 7 * 86_400_000;

export function ReviewsPanel({ here }: { here: Here }) {
  const { tenant } = here;
  const key = ["reviews", tenant, "newest"];
  const queries = useQueryClient();
  const reviews = useQuery({
    queryKey: key,
    queryFn: async () => reviewsOf((await audit.listEvents({ tenant, filter: { types: REVIEWS }, newestFirst: true, page: { pageSize: NEWEST } })).records),
    refetchInterval: 15_000,
  });
  const changed = async ({ sequence }: { sequence: bigint }) => {
    // The deed is done: a list that takes longer than that comes by itself.
    await audit.listEvents({ tenant, minVersion: sequence, page: { pageSize: 1 } }).catch(() => undefined);
    await queries.invalidateQueries({ queryKey: key });
  };
  return (
    <section className="panel" aria-label="Reviews">
      <header>
        <h2>Reviews</h2>
        <span className="quiet small">who looked, and what they found</span>
        <span className="grow" />
        {here.may("AuditService/ReviewAudit") && <ReviewPeriod tenant={tenant} changed={changed} />}
      </header>
      <div className="body">
        <Answer query={reviews} what="reviews" rows={2}>
          {(found) =>
            found.length === 0 ? (
              <p className="quiet">Nobody has recorded a review yet. An approver or an admin does: of a run on its page, of a period here.</p>
            ) : (
              <ul className="lines">
                {found.map((one) => (
                  <li key={String(one.sequence)}>
                    <One tenant={tenant} one={one} />
                  </li>
                ))}
                {found.length === NEWEST && (
                  <li className="quiet">
                    The newest {NEWEST}. Older ones are in the <Link href={`/t/${tenant}/audit?kind=reviews`}>record</Link>.
                  </li>
                )}
              </ul>
            )
          }
        </Answer>
      </div>
    </section>
  );
}

function One({ tenant, one: { review } }: { tenant: string; one: Reviewed }) {
  const by = (
    <>
      by <strong>{review.reviewer?.name || review.reviewer?.id}</strong>, <Moment at={review.reviewedAt} />
      <p className="small">“{review.note}”</p>
    </>
  );
  if ("accepted" in review) {
    return (
      <>
        <Light tone={review.accepted ? "green" : "red"}>{review.accepted ? "Accepted" : "Not accepted"}</Light> <Link href={`/t/${tenant}/requests/${review.requestId}`}>a run</Link> {by}
      </>
    );
  }
  return (
    <>
      <Light tone="neutral">Looked at</Light> the record from <Moment at={review.from} /> to <Moment at={review.to} /> {by}
    </>
  );
}

function ReviewPeriod({ tenant, changed }: { tenant: string; changed: (answer: { sequence: bigint }) => Promise<unknown> }) {
  const [from, setFrom] = useState(() => forField(serverNow() - WEEK_MS));
  const [to, setTo] = useState(() => forField(serverNow()));
  const moment = (field: string) => timestampFromMs(new Date(field).getTime());
  return (
    <AskButton
      label="Record a review"
      title="You have looked at the record of a period"
      confirm="Record the review"
      small
      hold={periodHold(from, to, serverNow())}
      text={{ label: "What was looked at and found", required: true, long: true }}
      act={(note, idempotencyKey) => audit.reviewAudit({ tenant, from: moment(from), to: moment(to), note, idempotencyKey }).then(changed)}
    >
      <div className="fields">
        <label className="field">
          From (your time)
          <input type="datetime-local" value={from} onChange={(event) => setFrom(event.target.value)} />
        </label>
        <label className="field">
          To (your time)
          <input type="datetime-local" value={to} onChange={(event) => setTo(event.target.value)} />
        </label>
      </div>
    </AskButton>
  );
}
