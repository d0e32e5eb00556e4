// Chat accounts that people have shown to be theirs: a code goes to the account, and is typed here.

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { notifier } from "../../api/clients.ts";
import { type Here, useHere } from "../../api/person.ts";
import { Role } from "../../gen/muster/common/v1/common_pb.ts";
import type { ChatBindingView } from "../../gen/muster/notification/v1/notification_pb.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { Answer } from "../../ui/states.tsx";
import { Moment } from "../../ui/time.tsx";
import { useRoutes } from "../messages/data.ts";

export function ChatAccounts({ tenant }: { tenant: string }) {
  const here = useHere(tenant);
  const queries = useQueryClient();
  const key = ["chat-bindings", tenant];
  const bindings = useQuery({ queryKey: key, queryFn: async () => (await notifier.listChatBindings({ tenant })).bindings });
  const changed = () => queries.invalidateQueries({ queryKey: key });
  return (
    <section className="panel">
      <header>
        <h2>Chat accounts</h2>
        <span className="quiet small">where approvers are asked in person</span>
        <span className="grow" />
        {here.may("NotifierService/BindChat") && <Bind here={here} changed={changed} />}
      </header>
      <div className="body">
        <Answer query={bindings} what="chat accounts" rows={2}>
          {(found) =>
            found.length === 0 ? (
              <p className="quiet">Nobody has bound one.</p>
            ) : (
              <ul className="lines">
                {found.map((binding) => (
                  <Line key={binding.bindingId} here={here} binding={binding} changed={changed} />
                ))}
              </ul>
            )
          }
        </Answer>
      </div>
    </section>
  );
}

interface Bound {
  here: Here;
  binding: ChatBindingView;
  changed: () => Promise<unknown>;
}

function Line({ here, binding, changed }: Bound) {
  const mine = binding.person === here.person.id;
  const ends = here.may("NotifierService/UnbindChat") && (mine || here.roles.includes(Role.ADMIN));
  return (
    <li className="actions">
      <strong>{binding.personName || binding.person}</strong>
      <span>
        {binding.channel} <code>{binding.user}</code> in <code>{binding.team}</code>, {binding.boundAt ? <>since <Moment at={binding.boundAt} /></> : "not confirmed yet"}
      </span>
      {ends && (
        <AskButton
          label="Unbind"
          title={`Unbind ${binding.user}`}
          confirm="Unbind"
          small
          act={(_, idempotencyKey) => notifier.unbindChat({ tenant: here.tenant, bindingId: binding.bindingId, idempotencyKey }).then(changed)}
        />
      )}
    </li>
  );
}

/** Two steps: ask for the code, then type it. The second is offered as long as the first one's answer is known here. */
function Bind({ here, changed }: { here: Here; changed: () => Promise<unknown> }) {
  const routes = useRoutes(here.tenant);
  const [picked, pick] = useState("");
  const [asked, setAsked] = useState("");
  const route = picked || routes.data?.[0] || "";
  if (asked) {
    return (
      <AskButton
        label="Type the code"
        title="The code that your chat account got"
        confirm="Confirm"
        primary
        small
        text={{ label: "Code", required: true }}
        act={async (code, idempotencyKey) => {
          await notifier.confirmChat({ tenant: here.tenant, bindingId: asked, code, idempotencyKey });
          setAsked("");
          await changed();
        }}
      />
    );
  }
  return (
    <AskButton
      label="Bind an account"
      title="Bind your chat account"
      confirm="Send the code"
      small
      hold={route ? null : "No route is declared yet."}
      text={{ label: "Your member id", required: true, hint: "In Slack: profile, Copy member ID. It begins with U." }}
      act={async (user, idempotencyKey) => {
        const { bindingId } = await notifier.bindChat({ tenant: here.tenant, route, user, idempotencyKey });
        setAsked(bindingId);
        await changed();
      }}
    >
      <label className="field">
        Route of the workspace
        <select value={route} onChange={(event) => pick(event.target.value)}>
          {(routes.data ?? []).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
    </AskButton>
  );
}
