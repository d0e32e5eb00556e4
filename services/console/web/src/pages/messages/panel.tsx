// Who was told about one thing: a request, a resource, an alert. Asked for when it is opened.

import { useState } from "react";
import { useHere } from "../../api/person.ts";
import { troubleOf } from "../../api/trouble.ts";
import { Loading, TroubleNotice } from "../../ui/states.tsx";
import { Older } from "../../ui/older.tsx";
import { type About, useDeliveries } from "./data.ts";
import { DeliveryTable } from "./table.tsx";

export function WhoWasTold({ tenant, about, plain = false }: { tenant: string; about: About; plain?: boolean }) {
  const [open, setOpen] = useState(false);
  return (
    <details className={plain ? "" : "panel"} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{plain ? "Who was told" : <h2>Who was told</h2>}</summary>
      {open && (
        <div className={plain ? "stack" : "body"}>
          <Told tenant={tenant} about={about} />
        </div>
      )}
    </details>
  );
}

function Told({ tenant, about }: { tenant: string; about: About }) {
  const here = useHere(tenant);
  const list = useDeliveries(tenant, about);
  const found = list.data?.pages.flatMap((page) => page.deliveries) ?? [];
  if (list.error) return <TroubleNotice trouble={troubleOf(list.error)} retry={() => void list.refetch()} />;
  if (list.isPending) return <Loading what="messages" rows={2} />;
  if (found.length === 0) return <p className="quiet">Nobody yet: no route matches, or nothing happened.</p>;
  return (
    <>
      <DeliveryTable here={here} deliveries={found} />
      <Older list={list} what="messages" />
    </>
  );
}
