// Who was told what and when, and what became of it.

import { useQueryClient } from "@tanstack/react-query";
import { Link } from "wouter";
import { notifier } from "../../api/clients.ts";
import type { Here } from "../../api/person.ts";
import { type DeliveryView, DeliveryState } from "../../gen/muster/notification/v1/notification_pb.ts";
import { capital } from "../../lib/words.ts";
import { AskButton } from "../../ui/dialog.tsx";
import { Light } from "../../ui/light.tsx";
import { Scroll } from "../../ui/scroll.tsx";
import { Ago } from "../../ui/time.tsx";
import { because, DELIVERY_TONES, marks, outcome } from "./told.ts";

/** `about`: each line says what it is about; left out where the page says it. */
export function DeliveryTable({ here, deliveries, about = false }: { here: Here; deliveries: DeliveryView[]; about?: boolean }) {
  return (
    <Scroll label="Messages">
      <table className="cards">
        <thead>
          <tr>
            <th>Queued</th>
            <th>Message</th>
            {about && <th>About</th>}
            <th>To</th>
            <th>Outcome</th>
          </tr>
        </thead>
        <tbody>
          {deliveries.map((delivery) => (
            <Line key={delivery.deliveryId} here={here} delivery={delivery} about={about} />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Line({ here, delivery, about }: { here: Here; delivery: DeliveryView; about: boolean }) {
  const why = because(delivery);
  const mark = marks(delivery);
  const base = `/t/${here.tenant}`;
  return (
    <tr>
      <td className="nowrap">
        <Ago at={delivery.queuedAt} />
      </td>
      <td>
        {delivery.subject || delivery.messageKind}
        <br />
        <span className="small quiet">
          <code>{delivery.messageKind}</code> {mark && `(${mark})`}
        </span>
      </td>
      {about && (
        <td className="links">
          {delivery.resource && <Link href={`${base}/resources/${delivery.resource}`}>{delivery.resource}</Link>}
          {delivery.requestId && <Link href={`${base}/requests/${delivery.requestId}`}>request</Link>}
        </td>
      )}
      <td data-label="To">
        {delivery.recipient || <span className="quiet">nobody</span>}
        <br />
        <span className="small quiet">
          {delivery.channel || "no channel"} by route {delivery.route}
        </span>
      </td>
      <td>
        <Light tone={DELIVERY_TONES[delivery.state]}>{capital(outcome(delivery.state))}</Light>{" "}
        {delivery.finishedAt && (
          <span className="small quiet">
            <Ago at={delivery.finishedAt} />
          </span>
        )}
        {why && <p className="small quiet">{why}</p>}
        {delivery.retryAt && delivery.state === DeliveryState.RETRYING && (
          <p className="small quiet">
            Next try <Ago at={delivery.retryAt} />
          </p>
        )}
        {delivery.state === DeliveryState.GAVE_UP && <Retry here={here} delivery={delivery} />}
      </td>
    </tr>
  );
}

function Retry({ here, delivery }: { here: Here; delivery: DeliveryView }) {
  const queries = useQueryClient();
  if (!here.may("NotifierService/RetryDelivery")) return null;
  return (
    <AskButton
      label="Send again"
      title={`Send again to ${delivery.recipient}`}
      confirm="Send again"
      small
      act={async (_, idempotencyKey) => {
        await notifier.retryDelivery({ tenant: here.tenant, deliveryId: delivery.deliveryId, idempotencyKey });
        await queries.invalidateQueries({ queryKey: ["deliveries", here.tenant] });
      }}
    >
      <p>It was given up: {because(delivery)}. It goes out as it was written then; who sent it again is in the record.</p>
    </AskButton>
  );
}
