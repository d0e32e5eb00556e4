// Every change of one declared document, out of the record.

import { useInfiniteQuery } from "@tanstack/react-query";
import { audit } from "../../api/clients.ts";
import { troubleOf } from "../../api/trouble.ts";
import type { ConfigurationChange } from "../../gen/muster/audit/v1/audit_service_pb.ts";
import { Changes } from "../../ui/changes.tsx";
import { Older } from "../../ui/older.tsx";
import { hides, Loading, TroubleNotice } from "../../ui/states.tsx";
import { Moment } from "../../ui/time.tsx";

type Deed = [ConfigurationChange, ...ConfigurationChange[]];

/** What one event changed, together: the record lists it field by field. */
export function deedsOf(changes: readonly ConfigurationChange[]): Deed[] {
  const deeds: Deed[] = [];
  for (const change of changes) {
    const last = deeds.at(-1);
    if (last && last[0].sequence === change.sequence) last.push(change);
    else deeds.push([change]);
  }
  return deeds;
}

/** `kind` as the record calls it: "notification-route". */
export function DocumentHistory({ tenant, kind, name }: { tenant: string; kind: string; name: string }) {
  const list = useInfiniteQuery({
    queryKey: ["changes", tenant, kind, name],
    queryFn: ({ pageParam }) => audit.listConfigurationChanges({ tenant, kind, name, page: { pageSize: 50, pageToken: pageParam } }),
    initialPageParam: "",
    getNextPageParam: (last) => last.page?.nextPageToken || undefined,
  });
  const found = list.data?.pages.flatMap((page) => page.changes).filter((change) => change.name === name) ?? [];
  return (
    <section className="panel">
      <header>
        <h2>Who changed what</h2>
      </header>
      <div className="body">
        {hides(list) ? (
          <TroubleNotice trouble={troubleOf(list.error)} retry={() => void list.refetch()} />
        ) : list.isPending ? (
          <Loading what="changes" rows={2} />
        ) : found.length === 0 ? (
          <p className="quiet">Nothing was recorded.</p>
        ) : (
          <ul className="lines">
            {deedsOf(found).map(([first, ...others]) => (
              <li key={String(first.sequence)}>
                Version {String(first.documentVersion)}, {first.what} by <strong>{first.actor?.name || first.actor?.id}</strong>, <Moment at={first.time} />
                <Changes changes={[first, ...others].filter(({ field }) => field)} />
              </li>
            ))}
          </ul>
        )}
        <Older list={list} what="changes" />
      </div>
    </section>
  );
}
