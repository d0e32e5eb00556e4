// An address that nothing is at: an old link, or a typing error. Says so, and where to go on.

import { Link, useLocation } from "wouter";
import { Empty } from "./states.tsx";

export function UnknownPage({ tenant }: { tenant: string }) {
  const [path] = useLocation();
  return (
    <Empty whole title="There is no such page">
      <p>
        Nothing is at <code>{path}</code>. The link may be old, or a letter may be missing.
      </p>
      <p>
        Go on to the <Link href={`/t/${tenant}`}>fleet</Link>, to the <Link href={`/t/${tenant}/requests`}>requests</Link> or to the <Link href={`/t/${tenant}/alerts`}>alerts</Link>.
      </p>
    </Empty>
  );
}
