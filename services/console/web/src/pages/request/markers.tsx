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
        <table className="cards">
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
                <td data-label="Node">{marker.node}</td>
                <td data-label="Role">{marker.role}</td>
                <td data-label="Position">
                  <code>{marker.lsn || "none"}</code>
                </td>
                <td data-label="Timeline">{marker.timeline || "none"}</td>
                <td data-label="System">
                  <code>{marker.systemIdentifier}</code>
                </td>
                <td data-label="At">
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
