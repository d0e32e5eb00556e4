// Who must approve this? Asked of the policies as they are now, or as a draft would make them; nothing is changed by asking.

import { useQueries } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { approval } from "../../api/clients.ts";
import { useHere } from "../../api/person.ts";
import { troubleOf } from "../../api/trouble.ts";
import type { Document } from "../../gen/muster/inventory/v1/inventory_pb.ts";
import type { ExplainPolicyResponse } from "../../gen/muster/request/v1/approval_service_pb.ts";
import { RequestType } from "../../gen/muster/request/v1/request_pb.ts";
import { useFields } from "../../lib/address.ts";
import { capital, gateLevel, policySource, requestType } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Scroll } from "../../ui/scroll.tsx";
import { Empty, Loading, TroubleNotice } from "../../ui/states.tsx";
import { scopeLabel, scopeOf, scopeValue, useScopes } from "../requests/scopes.ts";
import { otherwiseNow } from "./answers.ts";

const TYPES = Object.values(RequestType).filter((type): type is RequestType => typeof type === "number" && type !== RequestType.UNSPECIFIED && type !== RequestType.ROLLBACK);

/** Policies that do not hold yet. Answers to one key are answers to the same text. */
export interface Draft {
  key: string;
  policies: Document[];
}

export function PolicyPart({ tenant }: { tenant: string }) {
  const here = useHere(tenant);
  const [{ what }, change] = useFields(["what"]);
  return (
    <>
      <Simulator tenant={tenant} what={what} choose={(chosen) => change({ what: chosen })} />
      {here.may("PlannerService/Apply") && (
        <p className="quiet">
          Before a policy is changed, it can be tried: edit it under <Link href={`/t/${tenant}/settings?kind=policy`}>Policies</Link>, and Check says who would have to approve what.
        </p>
      )}
    </>
  );
}

/** Beside the editor: what the checked policies would mean, and where that is otherwise now. */
export function DraftSimulator({ tenant, draft }: { tenant: string; draft: Draft }) {
  const [what, choose] = useState("");
  return (
    <section className="stack" aria-labelledby="with-draft">
      <h2 id="with-draft">Who would have to approve, with this draft</h2>
      <p className="quiet small">Nothing is applied. Of the draft only its policies are tried; systems and groups are as they are declared now.</p>
      <Simulator tenant={tenant} what={what} choose={choose} draft={draft} />
    </section>
  );
}

interface Asked {
  tenant: string;
  what: string;
  choose: (what: string) => void;
  draft?: Draft;
}

function Simulator({ tenant, what, choose, draft }: Asked) {
  const scopes = useScopes(tenant);
  const names = scopes.data?.scopes.map(scopeValue) ?? [];
  const chosen = what || names[0] || "";
  return (
    <>
      <div className="fields">
        <label className="field">
          What would be moved or tested
          <select value={chosen} onChange={(event) => choose(event.target.value)}>
            {[...new Set([...names, ...(what ? [what] : [])])].map((scope) => (
              <option key={scope} value={scope}>
                {scopeLabel(scopeOf(scope))}
              </option>
            ))}
          </select>
        </label>
      </div>
      {scopes.error && !scopes.data && <TroubleNotice trouble={troubleOf(scopes.error)} retry={() => void scopes.refetch()} />}
      {scopes.isPending && !what && <Loading what="what can be moved" rows={3} />}
      {chosen ? <Answers tenant={tenant} scope={chosen} draft={draft} /> : scopes.data && <Empty title="Nothing is protected yet" />}
    </>
  );
}

function useAnswers(tenant: string, scope: string, draft?: Draft) {
  const about = scopeOf(scope);
  return useQueries({
    queries: TYPES.map((type) => ({
      queryKey: ["policy", tenant, scope, type, draft?.key ?? "declared"],
      queryFn: () => approval.explainPolicy({ tenant, type, [about.case]: about.name, drafts: draft?.policies }),
    })),
  });
}

function Answers({ tenant, scope, draft }: { tenant: string; scope: string; draft?: Draft }) {
  const asDeclared = useAnswers(tenant, scope);
  const asDrafted = useAnswers(tenant, scope, draft);
  const answers = draft ? asDrafted : asDeclared;
  const changes = TYPES.map((_, index) => {
    const [now, then] = [asDeclared[index]?.data, asDrafted[index]?.data];
    return draft && now && then ? otherwiseNow(now, then) : [];
  });
  const known = [...asDeclared, ...asDrafted].every(({ data }) => data !== undefined);
  return (
    <>
      {draft && known && (
        <p role="status">
          {changes.some((said) => said.length > 0) ? `It changes ${changes.filter((said) => said.length > 0).length} of ${TYPES.length} kinds of requests for ${scopeLabel(scopeOf(scope))}.` : `It changes nothing for ${scopeLabel(scopeOf(scope))}.`}
        </p>
      )}
      <Scroll label="Who must approve" className="panel">
        <table className="cards">
          <thead>
            <tr>
              <th>Request</th>
              <th>{draft ? "Who would have to approve" : "Who must approve"}</th>
              <th>Gate</th>
              <th>Ticket</th>
              <th>By</th>
            </tr>
          </thead>
          <tbody>
            {TYPES.map((type, index) => (
              <Row key={type} type={type} answer={answers[index]?.data} error={answers[index]?.error} changes={changes[index] ?? []} />
            ))}
          </tbody>
        </table>
      </Scroll>
    </>
  );
}

function Row({ type, answer, error, changes }: { type: RequestType; answer: ExplainPolicyResponse | undefined; error: unknown; changes: string[] }) {
  return (
    <tr>
      <th scope="row">{capital(requestType(type))}</th>
      {answer ? (
        <>
          <td>
            {answer.text || "nobody"}
            {answer.freeze && (
              <p>
                <Light tone="yellow">Change freeze</Light> {answer.freeze}
              </p>
            )}
            {changes.length > 0 && (
              <p className="small">
                <Light tone="active">Changes</Light> <span className="quiet">{changes.join(" ")}</span>
              </p>
            )}
          </td>
          <td data-label="Gate">
            {gateLevel(answer.gate)} <span className="quiet small">{answer.gateSource}</span>
          </td>
          <td data-label="Ticket">{answer.requireTicket ? "needed" : <span className="quiet">optional</span>}</td>
          <td className="quiet" data-label="By">
            {policySource(answer.policy?.source)}
          </td>
        </>
      ) : (
        <td colSpan={4} className="quiet">
          {error ? troubleOf(error).text : "Asking"}
        </td>
      )}
    </tr>
  );
}
