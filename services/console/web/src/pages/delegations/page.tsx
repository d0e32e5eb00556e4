// Delegations: who decides for whom while somebody is away.

import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { approval } from "../../api/clients.ts";
import { type Here, ROLE_NAMES, useHere } from "../../api/person.ts";
import { serverNow } from "../../api/session.ts";
import type { Role } from "../../gen/muster/common/v1/common_pb.ts";
import type { Delegated } from "../../gen/muster/request/v1/request_pb.ts";
import { useNow } from "../../lib/clock.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { Light } from "../../ui/light.tsx";
import { Scroll } from "../../ui/scroll.tsx";
import { Answer, Empty } from "../../ui/states.tsx";
import { Moment } from "../../ui/time.tsx";
import { useDelegations } from "./data.ts";
import { useKnownPeople } from "./people.ts";
import { DELEGABLE, type Draft, holds, holdUp, mayEnd } from "./terms.ts";

export function DelegationsPage({ tenant }: { tenant: string }) {
  const here = useHere(tenant);
  const queries = useQueryClient();
  const list = useDelegations(tenant);
  const changed = () => queries.invalidateQueries({ queryKey: ["delegations", tenant] });
  return (
    <>
      <p className="crumbs">
        <Link href={`/t/${tenant}/requests`}>Requests</Link> / delegations
      </p>
      <div className="head">
        <h1>Delegations</h1>
        <p className="quiet">While one person is away, another decides in one of their roles. Never for a request of either of the two.</p>
        <span className="grow" />
        {here.may("ApprovalService/Delegate") && <Give here={here} changed={changed} />}
      </div>
      <Answer query={list} what="delegations" rows={3}>
        {({ items: found, more }) =>
          found.length === 0 ? (
            <Empty title="Nobody is deputised now">
              <p className="quiet">Those that are over are in the record.</p>
            </Empty>
          ) : (
            <>
              <List here={here} delegations={found} changed={changed} />
              {more && <p className="notice yellow">There are more delegations than the newest {found.length} that are shown here.</p>}
            </>
          )
        }
      </Answer>
    </>
  );
}

function List({ here, delegations, changed }: { here: Here; delegations: Delegated[]; changed: () => Promise<unknown> }) {
  const now = useNow();
  return (
    <Scroll label="Delegations" className="panel">
      <table className="cards">
        <thead>
          <tr>
            <th>Holds</th>
            <th>Who is away</th>
            <th>Who decides</th>
            <th>As</th>
            <th>From</th>
            <th>Until</th>
            <th>Reason</th>
            <th>
              <span className="visually-hidden">End it</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {delegations.map((delegation) => {
            const when = holds(delegation, now);
            return (
              <tr key={delegation.delegationId}>
                <td>
                  <Light tone={when === "now" ? "active" : "neutral"}>{when}</Light>
                </td>
                <td data-label="Who is away">{delegation.from?.name || delegation.from?.id}</td>
                <td data-label="Who decides">
                  <strong>{delegation.toName || delegation.to}</strong>
                </td>
                <td data-label="As">{ROLE_NAMES[delegation.role]}</td>
                <td data-label="From">
                  <Moment at={delegation.starts} />
                </td>
                <td data-label="Until">
                  <Moment at={delegation.ends} />
                </td>
                <td data-label="Reason">{delegation.reason}</td>
                <td>
                  {when !== "over" && here.may("ApprovalService/EndDelegation") && mayEnd(delegation, here.person.id, here.roles) && (
                    <AskButton
                      label="End"
                      title={`End the delegation to ${delegation.toName || delegation.to}`}
                      confirm="End it now"
                      small
                      danger
                      act={(_, idempotencyKey) => approval.endDelegation({ tenant: here.tenant, delegationId: delegation.delegationId, idempotencyKey }).then(changed)}
                    >
                      <p>What was decided by it so far stays decided, and says so.</p>
                    </AskButton>
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Scroll>
  );
}

function Give({ here, changed }: { here: Here; changed: () => Promise<unknown> }) {
  const own = DELEGABLE.filter((role) => here.roles.includes(role));
  const people = useKnownPeople(here.tenant);
  const [draft, setDraft] = useState<Draft>({ to: "", starts: "", ends: "" });
  const [role, setRole] = useState<Role | undefined>(own[0]);
  const set = (changes: Partial<Draft>) => setDraft((before) => ({ ...before, ...changes }));
  const others = (people.data ?? []).filter(({ id }) => id !== here.person.id);
  const moment = (field: string) => timestampFromMs(field ? new Date(field).getTime() : serverNow());
  return (
    <AskButton
      label="Delegate"
      title="Somebody decides for you"
      confirm="Delegate"
      primary
      hold={holdUp(draft, here.person.id, serverNow())}
      text={{ label: "Reason", required: true }}
      act={(reason, idempotencyKey) =>
        approval
          .delegate({
            tenant: here.tenant,
            to: draft.to.trim(),
            toName: others.find(({ id }) => id === draft.to.trim())?.name ?? "",
            role,
            starts: moment(draft.starts),
            ends: moment(draft.ends),
            reason,
            idempotencyKey,
          })
          .then(changed)
      }
    >
      <label className="field">
        Who decides for you
        <span className="hint">Choose, or type the stable id of their login (their page of people shows it).</span>
        <input list="known-people" value={draft.to} autoComplete="off" spellCheck={false} onChange={(event) => set({ to: event.target.value })} />
        <datalist id="known-people">
          {others.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </datalist>
      </label>
      <label className="field">
        In your role of
        <select value={role} onChange={(event) => setRole(Number(event.target.value))}>
          {own.map((held) => (
            <option key={held} value={held}>
              {ROLE_NAMES[held]}
            </option>
          ))}
        </select>
      </label>
      <div className="fields">
        <label className="field">
          From (your time; empty: now)
          <input type="datetime-local" value={draft.starts} onChange={(event) => set({ starts: event.target.value })} />
        </label>
        <label className="field">
          Until (your time)
          <input type="datetime-local" value={draft.ends} onChange={(event) => set({ ends: event.target.value })} />
        </label>
      </div>
    </AskButton>
  );
}
