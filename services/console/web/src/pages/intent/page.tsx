// Where the link of a message leads: the evidence, and the decision of the one person who was asked. Opening the page
// decides nothing; mail scanners open links too.

import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { approval } from "../../api/clients.ts";
import { useHere } from "../../api/person.ts";
import { stepUpAddress } from "../../api/session.ts";
import { troubleOf } from "../../api/trouble.ts";
import { type GetIntentResponse } from "../../gen/muster/request/v1/approval_service_pb.ts";
import { IntentDecision, type RequestView } from "../../gen/muster/request/v1/request_pb.ts";
import { capital } from "../../lib/words.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { Frame } from "../../ui/frame.tsx";
import { Answer, Empty } from "../../ui/states.tsx";
import { Moment } from "../../ui/time.tsx";
import { Decisions } from "../request/decisions.tsx";
import { EvidencePanel, WhatIsAtStake } from "../request/evidence.tsx";
import { opener } from "../requests/opener.ts";
import { direction, subject } from "../requests/page.tsx";
import { tenantOf } from "./link.ts";

export function IntentPage({ token }: { token: string }) {
  const tenant = tenantOf(token);
  if (tenant === undefined) {
    return (
      <main>
        <Empty whole title="This link is not whole">
          <p>It was cut or changed on its way. Open the whole link from the message, or go to your requests.</p>
          <p>
            <a href="/">Go to the fleet</a>
          </p>
        </Empty>
      </main>
    );
  }
  return (
    <Frame tenant={tenant} title="Your decision">
      <Intent tenant={tenant} token={token} />
    </Frame>
  );
}

function Intent({ tenant, token }: { tenant: string; token: string }) {
  const looked = useQuery({
    queryKey: ["intent", token],
    queryFn: () => approval.getIntent({ tenant, token }),
    retry: false,
    refetchOnWindowFocus: false,
  });
  return (
    <Answer query={looked} what="the request">
      {(intent) => <Decision tenant={tenant} token={token} intent={intent} changed={() => looked.refetch()} />}
    </Answer>
  );
}

interface Shown {
  tenant: string;
  token: string;
  intent: GetIntentResponse;
  changed: () => Promise<unknown>;
}

function Decision({ tenant, token, intent, changed }: Shown) {
  const { request, refusal } = intent;
  if (!request) {
    return (
      <Empty whole title="This link is not for you to use">
        <p>{refusal?.rule}</p>
        <p>{refusal?.nextAction}</p>
        <p>
          <Link href={`/t/${tenant}/requests`}>Go to the requests</Link>
        </p>
      </Empty>
    );
  }
  const page = `/t/${tenant}/requests/${request.requestId}`;
  return (
    <>
      <header className="page-head">
        <h1>Your decision: {subject(request)}</h1>
        <p className="quiet">
          {direction(request)}. {capital(opener(request.opened))} asks: “{request.opened?.reason}”. <Link href={page}>The request’s own page</Link>
        </p>
      </header>
      <section className="decide" aria-label="Decide">
        {refusal ? (
          <p className="statement" role="status">
            This link decides nothing any more: {refusal.rule} ({refusal.value}). {refusal.nextAction}.
          </p>
        ) : (
          <Deeds tenant={tenant} token={token} intent={intent} request={request} changed={changed} />
        )}
        <ul>
          {intent.consequences.map((text) => (
            <li key={text}>{text}</li>
          ))}
        </ul>
        <p className="small quiet">
          The link lasts until <Moment at={intent.expiresAt} /> and works once. Plan hash <code>{request.opened?.plan?.hash.slice(0, 16)}</code>.
        </p>
      </section>
      <EvidencePanel request={request} tenant={tenant} open={!refusal} />
      <Decisions request={request} />
    </>
  );
}

function Deeds({ tenant, token, intent, request, changed }: Shown & { request: RequestView }) {
  const here = useHere(tenant);
  if (intent.needsStepUp) {
    return (
      <>
        <p className="statement">This concerns tier 1. It takes a login made for this decision, with a second factor.</p>
        <p>
          <a className="button primary" href={stepUpAddress(location.pathname)}>
            Log in again to decide
          </a>
        </p>
      </>
    );
  }
  const may = here.may("ApprovalService/DecideByIntent") ? null : "Your login holds no approver role in this tenant.";
  const decide = (decision: IntentDecision) => async (note: string, idempotencyKey: string) => {
    try {
      return await approval.decideByIntent({ tenant, token, decision, note, idempotencyKey });
    } catch (error) {
      // The five minutes are over: the page asks for the login again.
      if (troubleOf(error).code === "INTENT_STEP_UP_NEEDED") await changed();
      throw error;
    }
  };
  const then = (deed: (note: string, key: string) => Promise<unknown>) => (note: string, key: string) => deed(note, key).then(changed);
  return (
    <div className="actions">
      <AskButton
        label="Approve"
        title={`Approve: ${subject(request)}, ${direction(request)}`}
        confirm="Approve"
        primary
        impossible={may}
        text={{ label: "Note (optional)", long: true }}
        act={then(decide(IntentDecision.APPROVE))}
      >
        <WhatIsAtStake request={request} tenant={tenant} />
      </AskButton>
      <AskButton
        label="Deny"
        title={`Deny: ${subject(request)}`}
        confirm="Deny"
        danger
        impossible={may}
        text={{ label: "Reason", required: true, long: true }}
        act={then(decide(IntentDecision.DENY))}
      />
    </div>
  );
}
