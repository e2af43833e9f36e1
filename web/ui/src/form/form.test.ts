import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { place, shownOf } from "./errors";
import { type Field, type Part, blankOf, chosenOf, fits, rootOf } from "./model";
import { at, child, parent, renamed, segments, withAt } from "./pointer";
import type { Definitions, Schema } from "./schema";
import { summaryOf } from "./summary";
import { localOf, timeOf } from "./time";

const document = JSON.parse(readFileSync(new URL("../../../../controlplane/internal/api/openapi.json", import.meta.url), "utf8")) as { components: { schemas: Definitions } };
const components = document.components.schemas;

function partsOf(field: Field): Part[] {
  if (field.model.kind !== "object") throw new Error(`${field.title} is no object`);
  return field.model.parts();
}

function member(field: Field, name: string): Field {
  for (const part of partsOf(field)) {
    if (part.type === "field" && part.field.name === name) return part.field;
    const found = part.type === "oneof" ? part.oneof.members.find((m) => m.name === name) : undefined;
    if (found !== undefined) return found;
  }
  throw new Error(`${field.title} has no ${name}`);
}

describe("pointers", () => {
  test("names with slashes and tildes are escaped, and read back", () => {
    expect(child("/labels", "a/b~c")).toBe("/labels/a~1b~0c");
    expect(segments("/labels/a~1b~0c/0")).toEqual(["labels", "a/b~c", "0"]);
    expect(segments("")).toEqual([]);
    expect(parent("/a/b")).toBe("/a");
    expect(parent("/a")).toBe("");
  });

  test("a value is changed in one place, and shared in all others", () => {
    const value = { a: { b: [1, 2] }, c: { d: true } };
    const changed = withAt(value, "/a/b/1", 3) as typeof value;
    expect(changed).toEqual({ a: { b: [1, 3] }, c: { d: true } });
    expect(changed.c).toBe(value.c);
    expect(value.a.b[1]).toBe(2);
  });

  test("what is taken away is absent, not null; taking away what isn't there changes nothing", () => {
    expect(withAt({ a: 1, b: 2 }, "/a", undefined)).toEqual({ b: 2 });
    const value = { b: 2 };
    expect(withAt(value, "/a", undefined)).toBe(value);
    expect(withAt([1, 2, 3], "/1", undefined)).toEqual([1, 3]);
    expect(withAt(undefined, "/a/b", 1)).toEqual({ a: { b: 1 } });
  });

  test("what an object inherits is no member of it", () => {
    expect(at({}, "/constructor")).toBeUndefined();
    expect(at({}, "/__proto__/x")).toBeUndefined();
  });

  test("a renamed member stays in its place", () => {
    expect(Object.keys(renamed({ a: 1, b: 2, c: 3 }, "b", "x"))).toEqual(["a", "x", "c"]);
  });
});

describe("models", () => {
  test("every schema of the API has a form", () => {
    const seen = new Set<string>();
    const walk = (field: Field, depth: number) => {
      seen.add(field.model.kind);
      blankOf(field);
      summaryOf(field, field.standard);
      if (depth > 4) return; // a message may hold itself
      if (field.model.kind === "object") {
        for (const part of partsOf(field)) for (const f of part.type === "field" ? [part.field] : part.oneof.members) walk(f, depth + 1);
      }
      if (field.model.kind === "list" || field.model.kind === "map") walk(field.model.entry, depth + 1);
    };
    for (const schema of Object.values(components)) walk(rootOf(schema, components), 0);
    expect([...seen].sort()).toEqual(["boolean", "choice", "duration", "json", "list", "map", "number", "object", "reference", "text", "time"]);
  });

  test("a oneof stands where its first member does, with what its comment says", () => {
    const [part] = partsOf(rootOf(components.KeyLocation as Schema, components));
    if (part?.type !== "oneof") throw new Error("no oneof");
    expect(part.oneof).toMatchObject({ name: "place", required: true });
    expect(part.oneof.members.map((m) => m.title)).toEqual(["Header", "Query parameter", "Cookie"]);
    expect(chosenOf(part.oneof, { cookie: "" })?.name).toBe("cookie");
    expect(chosenOf(part.oneof, {})).toBeUndefined();
  });

  test("what the server sets alone isn't asked for; what a list says of its texts holds for each", () => {
    const key = rootOf(components.ApiKey as Schema, components);
    expect(partsOf(key).map((p) => (p.type === "field" ? p.field.name : ""))).not.toContain("key");
    expect(member(key, "consumer").model).toEqual({ kind: "reference", collection: "consumers" });
    const list = rootOf({ type: "object", properties: { all: { type: "array", items: { type: "string" }, "x-reference": "secrets", "x-entry": "secret" } } });
    const all = member(list, "all");
    expect(all.model).toMatchObject({ kind: "list", word: "secret", entry: { model: { kind: "reference", collection: "secrets" }, kept: true } });
  });

  test("a field says which permission it takes besides its object's", () => {
    const waf = rootOf(components.WafConfig as Schema, components);
    expect(member(waf, "seclang_before").permission).toBe("waf.raw_rules");
    expect(member(waf, "seclang_before").help).toMatch(/^Rules in SecLang that run before .* out of their reach\.$/); // the permission is shown by itself
    expect(member(waf, "rules_before").permission).toBe("");
  });

  test("a message that holds itself has a form", () => {
    const tree: Schema = { $ref: "#/$defs/Tree" };
    const definitions = { Tree: { type: "object", title: "Tree", properties: { left: { $ref: "#/$defs/Tree", title: "Left" } } } };
    let field = rootOf(tree, definitions);
    for (let i = 0; i < 50; i++) field = member(field, "left");
    expect(field.title).toBe("Left");
    expect(blankOf(field)).toEqual({});
  });

  test("a value of another shape doesn't fit", () => {
    const policy = rootOf(components.RateLimitConfig as Schema, components);
    expect(fits(member(policy, "by").model, "key")).toBe(false);
    expect(fits(member(policy, "by").model, [])).toBe(true);
    expect(fits(member(policy, "max_callers").model, "12x")).toBe(true); // being typed
    expect(fits(member(policy, "scope").model, 7)).toBe(false);
    expect(fits(policy.model, undefined)).toBe(true);
  });

  test("values are told in words, secret ones aren't", () => {
    const key = rootOf(components.ApiKeyConfig as Schema, components);
    expect(summaryOf(member(key, "locations"), [{ header: "X" }, { query: "q" }])).toBe("Header X; Query parameter q");
    const secret = rootOf(components.Secret as Schema, components);
    expect(summaryOf(secret, { name: "db", value: "hunter2" })).toBe("db");
  });
});

describe("errors", () => {
  const root = rootOf(components.ApiKeyConfig as Schema, components);
  const value = { locations: [{ header: "X", query: "q" }, {}], required_scopes: "orders" };
  const at = (pointer: string) => ({ pointer, code: "c", detail: "d" });
  const placed = place(["/locations/0/header", "/locations/0/query", "/locations/1", "/required_scopes/0", "/location", "", "/locations/7/header"].map(at), shownOf(root, value));
  const where = Object.fromEntries([...placed].map(([p, errors]) => [p, errors.map((e) => e.pointer)]));

  test("each is shown at its field, or else at the nearest place around it", () => {
    expect(where).toEqual({
      "/locations/0/header": ["/locations/0/header"],
      "/locations/0": ["/locations/0/query"], // the form shows one member of a oneof
      "/locations/1": ["/locations/1"],
      "/required_scopes": ["/required_scopes/0"], // which is no list, and is shown as it is
      "": ["/location", ""],
      "/locations": ["/locations/7/header"],
    });
  });

  test("none is lost", () => {
    expect([...placed.values()].flat()).toHaveLength(7);
  });
});

test("times are edited in this browser's time, and say the same", () => {
  expect(timeOf(localOf("2026-03-29T01:30:00Z"))).toBe("2026-03-29T01:30:00Z");
  expect(localOf("")).toBe("");
  expect(localOf("soon")).toBe("");
  expect(timeOf("")).toBeUndefined();
});
