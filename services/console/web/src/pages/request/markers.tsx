import type { Marker } from "../../gen/muster/common/v1/common_pb.ts";
import { Moment } from "../../ui/time.tsx";
import { Scroll } from "../../ui/scroll.tsx";

/** Positions of both sides, by the moments they were read at. */
export function Markers({ title, sets, unavailable = [] }: { title: string; sets: [string, Marker[]][]; unavailable?: string[] }) {
  const rows = sets.flatMap(([when, markers]) => markers.map((marker) => ({ when, marker })));
  if (rows.length === 0 && unavailable.length === 0) return null;
  return (
    <div>
      <h3>{title}</h3>
      <Scroll label={title}>
        <table>
          <thead>
            <tr>
              <th>Read</th>
              <th>Node</th>
              <th>Role</th>
              <th>Position</th>
              <th>Timeline</th>
              <th>System</th>
              <th>At</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ when, marker }, index) => (
              <tr key={index}>
                <td className="quiet">{when}</td>
                <td>{marker.node}</td>
                <td>{marker.role}</td>
                <td>
                  <code>{marker.lsn || "none"}</code>
                </td>
                <td>{marker.timeline || ""}</td>
                <td>
                  <code>{marker.systemIdentifier}</code>
                </td>
                <td>
                  <Moment at={marker.readAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {unavailable.map((why) => (
        <p key={why} className="text-unknown small">
          {why}
        </p>
      ))}
    </div>
  );
}
