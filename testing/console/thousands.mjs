// A fleet of thousands for the page, without thousands of databases: the answer of WatchReadiness as it stands on the
// wire (gRPC-Web: frames of protobuf). Field numbers are those of proto/muster/readiness/v1.

const varint = (value) => {
  const bytes = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left]);
    bytes.push((left % 128) | 128);
  }
};
const number = (field, value) => Buffer.concat([varint(field * 8), varint(value)]);
const bytes = (field, value) => Buffer.concat([varint(field * 8 + 2), varint(value.length), value]);
const text = (field, value) => bytes(field, Buffer.from(value));
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));

const [GREEN, YELLOW, RED] = [1, 2, 3];

function view(index) {
  const status = index % 97 === 0 ? RED : index % 31 === 0 ? YELLOW : GREEN;
  return message(
    1,
    text(2, `db-${String(index).padStart(5, "0")}`),
    text(3, `Database number ${index} of a large customer`),
    number(4, (index % 3) + 1),
    number(5, 1),
    text(6, `team-${index % 40}`),
    text(9, index % 2 ? "fra" : "ams"),
    message(10, number(1, 30)),
    message(12, number(1, status), message(2, text(1, "RPO_OK"), text(2, `RPO indicator ${index % 60} s, the limit is 30 s.`)), message(3, number(1, index % 60))),
    message(14, number(1, 1)),
    message(17, message(5, number(1, 60))),
  );
}

function frame(flag, body) {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

export function fleetOf(count) {
  const views = Buffer.concat(Array.from({ length: count }, (_, index) => view(index)));
  return Buffer.concat([frame(0, views), frame(0x80, Buffer.from("grpc-status: 0\r\n"))]);
}

/** Opens the page with so many resources, and says after how many milliseconds it was painted and could be used. */
export async function openLargeFleet(page, address, count) {
  const answer = fleetOf(count);
  await page.route(/MonitorService\/WatchReadiness$/, (route) => route.fulfill({ body: answer, contentType: "application/grpc-web+proto" }));
  await page.goto(address);
  await page.getByText(`${count} resources, worst first`).waitFor();
  // The page can be used when a task of ours gets its turn after the rows were drawn.
  const interactive = await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(() => resolve(performance.now()), 0))));
  const painted = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Infinity);
  return { painted, interactive };
}
