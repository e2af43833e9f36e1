import { describe, expect, it } from "vitest";
import { coverageOf, excludable, outcomesOf, whoseOf } from "./words";

describe("what requests are told in", () => {
  it("leaves nothing out where nothing can be named", () => {
    expect(excludable({ rule: "942100", target: "argument:comment" })).toBe(true);
    expect(excludable({ rule: "942100", target: "argument:00000000…" })).toBe(false);
    expect(excludable({ rule: "942100" })).toBe(false);
    expect(excludable({ rule: "951100", target: "body", in_answer: true })).toBe(false);
    expect(excludable({ rule: "max_depth", target: "/items" })).toBe(false);
  });

  it("says what became of requests", () => {
    expect(outcomesOf({ requests: 3, refused: 2, shadow_refused: 1, excluded: 1 })).toBe("2 refused, 1 in shadow, 1 excluded in shadow");
    expect(outcomesOf({ requests: 3, refused: 0 })).toBe("all let pass");
  });

  it("says what is missing", () => {
    expect(coverageOf({ dropped_requests: 0, complete: true })).toBe("");
    expect(coverageOf({ dropped_requests: 5, missing_batches: 2, silent_nodes: 1, rows_left_out: 1 })).toBe(
      "Left out: 5 rejected requests that nodes had no room to list, 2 batches of counts that never arrived, what 1 node can't tell, 1 row with fewer requests.",
    );
  });

  it("names who asked by what is known", () => {
    expect(whoseOf({ consumer_name: "acme", consumer: "con_1", client: "192.0.2.1" })).toBe("acme");
    expect(whoseOf({ client: "192.0.2.1" })).toBe("192.0.2.1");
    expect(whoseOf({})).toBe("nobody known");
  });
});
