// Who must approve this? Asked of the policies as they are now; nothing is changed by asking.

import { useQueries } from "@tanstack/react-query";
import { approval } from "../../api/clients.ts";
import { troubleOf } from "../../api/trouble.ts";
import { RequestType } from "../../gen/muster/request/v1/request_pb.ts";
import { useFields } from "../../lib/address.ts";
import { capital, gateLevel, policySource, requestType } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Scroll } from "../../ui/scroll.tsx";
import { Empty, Loading, TroubleNotice } from "../../ui/states.tsx";
import { scopeLabel, scopeOf, scopeValue, useScopes } from "../requests/scopes.ts";

const TYPES = Object.values(RequestType).filter((type): type is RequestType => typeof type === "number" && type !== RequestType.UNSPECIFIED && type !== RequestType.ROLLBACK);

export function PolicyPart({ tenant }: { tenant: string }) {
  const [{ what }, change] = useFields(["what"]);
  const scopes = useScopes(tenant);
  const names = scopes.data?.scopes.map(scopeValue) ?? [];
  const chosen = what || names[0] || "";
  return (
    <>
      <div className="fields">
        <label className="field">
          What would be moved or tested
          <select value={chosen} onChange={(event) => change({ what: event.target.value })}>
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
      {chosen ? <Answers tenant={tenant} scope={chosen} /> : scopes.data && <Empty title="Nothing is protected yet" />}
    </>
  );
}

function Answers({ tenant, scope }: { tenant: string; scope: string }) {
  const about = scopeOf(scope);
  const answers = useQueries({
    queries: TYPES.map((type) => ({
      queryKey: ["policy", tenant, scope, type],
      queryFn: () => approval.explainPolicy({ tenant, type, [about.case]: about.name }),
    })),
  });
  return (
    <Scroll label="Who must approve" className="panel">
      <table className="cards">
        <thead>
          <tr>
            <th>Request</th>
            <th>Who must approve</th>
            <th>Gate</th>
            <th>Ticket</th>
            <th>By</th>
          </tr>
        </thead>
        <tbody>
          {TYPES.map((type, index) => {
            const { data, error } = answers[index] ?? {};
            return (
              <tr key={type}>
                <th scope="row">{capital(requestType(type))}</th>
                {data ? (
                  <>
                    <td>
                      {data.text || "nobody"}
                      {data.freeze && (
                        <p>
                          <Light tone="yellow">Change freeze</Light> {data.freeze}
                        </p>
                      )}
                    </td>
                    <td data-label="Gate">
                      {gateLevel(data.gate)} <span className="quiet small">{data.gateSource}</span>
                    </td>
                    <td data-label="Ticket">{data.requireTicket ? "needed" : <span className="quiet">optional</span>}</td>
                    <td className="quiet" data-label="By">{policySource(data.policy?.source)}</td>
                  </>
                ) : (
                  <td colSpan={4} className="quiet">
                    {error ? troubleOf(error).text : "Asking"}
                  </td>
                )}
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}
