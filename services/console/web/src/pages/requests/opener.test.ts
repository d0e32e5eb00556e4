import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { RequestOpenedSchema } from "../../gen/muster/request/v1/request_pb.ts";
import { opener } from "./opener.ts";

const opened = (fields: MessageInitShape<typeof RequestOpenedSchema>) => create(RequestOpenedSchema, fields);

describe("who opened a request", () => {
  it("is a person by their name, and by their login where none is known", () => {
    expect(opener(opened({ requester: { id: "https://idp.example|248289", name: "Olga" } }))).toBe("Olga");
    expect(opener(opened({ requester: { id: "https://idp.example|248289" } }))).toBe("248289");
    expect(opener(undefined)).toBe("nobody known");
  });

  it("is the schedule that fell due, not whoever once declared it", () => {
    expect(opener(opened({ schedule: "orders-monthly-proof", requester: { id: "https://idp.example|ada" } }))).toBe("schedule orders-monthly-proof");
  });
});
