// Who must approve this? Asked of the policies as they are now; nothing is changed by asking.

import { useQueries, useQuery } from "@tanstack/react-query";
import { approval, monitor, planner } from "../../api/clients.ts";
import { troubleOf } from "../../api/trouble.ts";
import { Kind } from "../../gen/muster/inventory/v1/inventory_pb.ts";
import { RequestType } from "../../gen/muster/request/v1/request_pb.ts";
import { useFields } from "../../lib/address.ts";
import { capital, gateLevel, requestType } from "../../lib/words.ts";
import { Light } from "../../ui/light.tsx";
import { Scroll } from "../../ui/scroll.tsx";
import { Empty } from "../../ui/states.tsx";

const TYPES = Object.values(RequestType).filter((type): type is RequestType => typeof type === "number" && type !== RequestType.UNSPECIFIED && type !== RequestType.ROLLBACK);

export function PolicyPart({ tenant }: { tenant: string }) {
  const [{ what }, change] = useFields(["what"]);
  const scopes = useQuery({
    queryKey: ["policy-scopes", tenant],
    queryFn: async () => {
      const [groups, fleet] = await Promise.all([planner.listDocuments({ tenant, kind: Kind.GROUP, page: { pageSize: 500 } }), monitor.listReadiness({ tenant, page: { pageSize: 500 } })]);
      return [...fleet.resources.map(({ resource }) => `resource/${resource}`), ...groups.documents.map(({ name }) => `group/${name}`)];
    },
  });
  const chosen = what || scopes.data?.[0] || "";
  return (
    <>
      <div className="fields">
        <label className="field">
          What would be moved or tested
          <select value={chosen} onChange={(event) => change({ what: event.target.value })}>
            {[...new Set([...(scopes.data ?? []), ...(what ? [what] : [])])].map((scope) => (
              <option key={scope} value={scope}>
                {scope.replace("resource/", "").replace("group/", "Group ")}
              </option>
            ))}
          </select>
        </label>
      </div>
      {chosen ? <Answers tenant={tenant} scope={chosen} /> : scopes.data && <Empty title="Nothing is protected yet" />}
    </>
  );
}

function Answers({ tenant, scope }: { tenant: string; scope: string }) {
  const [kind, name = ""] = scope.split("/");
  const answers = useQueries({
    queries: TYPES.map((type) => ({
      queryKey: ["policy", tenant, scope, type],
      queryFn: () => approval.explainPolicy({ tenant, type, [kind === "group" ? "group" : "resource"]: name }),
    })),
  });
  return (
    <Scroll label="Who must approve" className="panel">
      <table>
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
                    <td>
                      {gateLevel(data.gate)} <span className="quiet small">{data.gateSource}</span>
                    </td>
                    <td>{data.requireTicket ? "needed" : <span className="quiet">optional</span>}</td>
                    <td className="quiet">{data.policy?.source || "built-in"}</td>
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
