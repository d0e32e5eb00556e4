// Who decided, and who is missing.

import { ROLE_NAMES } from "../../api/person.ts";
import type { RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { policySource } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Moment } from "../../ui/time.tsx";

export function Decisions({ request }: { request: RequestView }) {
  const { opened, approvals, denied, withdrawn, expired, confirmed, missing } = request;
  return (
    <section className="panel">
      <header>
        <h2>Decisions</h2>
        <span className="quiet small">Policy: {policySource(opened?.policy?.source)}</span>
      </header>
      <div className="body">
        <ul className="lines">
          {approvals.map((approval) => (
            <li key={approval.approver?.id}>
              <Light tone="green">Approved</Light> by <strong>{approval.approver?.name || approval.approver?.id}</strong> as {approval.place || ROLE_NAMES[approval.asRole]}
              {approval.onBehalfOf && <> for {approval.onBehalfOf.name}</>}, <Moment at={approval.approvedAt} />
              {approval.note && <p className="small">“{approval.note}”</p>}
            </li>
          ))}
          {denied && (
            <li>
              <Light tone="red">Denied</Light> by <strong>{denied.approver?.name}</strong> as {ROLE_NAMES[denied.asRole]}, <Moment at={denied.deniedAt} />
              <p className="small">“{denied.reason}”</p>
            </li>
          )}
          {withdrawn && (
            <li>
              <Light tone="neutral">Withdrawn</Light> by <strong>{withdrawn.actor?.name}</strong>, <Moment at={withdrawn.withdrawnAt} />
              <p className="small">“{withdrawn.reason}”</p>
            </li>
          )}
          {expired && (
            <li>
              <Light tone="neutral">Lapsed</Light> <Moment at={expired.expiredAt} />
            </li>
          )}
          {request.overrides.map((override) => (
            <li key={`${override.resource}/${override.check}`}>
              <Light tone="yellow">Check overridden</Light> <code>{override.check}</code> {override.resource} by <strong>{override.actor?.name}</strong>
              <p className="small">“{override.reason}”</p>
            </li>
          ))}
          {confirmed && (
            <li>
              <Light tone="active">Started</Light> by <strong>{confirmed.actor?.name}</strong>, <Moment at={confirmed.confirmedAt} />
              {confirmed.breakGlass && <strong className="text-red"> by break-glass, without {confirmed.missing.join(", ") || "nothing"}</strong>}
              {confirmed.freeze && <p className="small">In a change freeze: {confirmed.freeze}</p>}
            </li>
          )}
          {!confirmed &&
            !denied &&
            !withdrawn &&
            !expired &&
            missing.map((place) => (
              <li key={place}>
                <Light tone="neutral">Missing</Light> {place}
              </li>
            ))}
        </ul>
      </div>
    </section>
  );
}
