import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Field, type Part, chosenOf, isObject, rootOf } from "../ui/src/form/model";
import type { Definitions, Schema } from "../ui/src/form/schema";
import { api, inEnvironment } from "./console";

const contracts = join(import.meta.dirname, "../../proto/policy");

export interface Kind {
  name: string;
  title: string;
  schema: Schema;
}

export interface Fixture {
  name: string;
  config: unknown;
  /** What is wrong with an invalid one: pointer and code. */
  wrong: { pointer: string; code: string }[];
}

/** folderOf is where a kind's contract lies: a Go package, whose name has no hyphens. */
const folderOf = (kind: string) => join(contracts, kind.replaceAll("-", ""));

/** kindFolders are those of the contracts in this tree: what the API must list, each. */
export function kindFolders(): string[] {
  return readdirSync(contracts, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && readdirSync(join(contracts, entry.name)).includes("testdata"))
    .map((entry) => entry.name);
}

export function fixtures(kind: string, which: "valid" | "invalid"): Fixture[] {
  const folder = join(folderOf(kind), "testdata", which);
  return readdirSync(folder).filter((file) => file.endsWith(".json")).map((file) => {
    const [config = "", wrong = ""] = readFileSync(join(folder, file), "utf8").split(/^---$/m);
    return {
      name: file.replace(/\.json$/, ""),
      config: JSON.parse(config),
      wrong: wrong.trim().split("\n").filter((line) => line !== "").map((line) => {
        const space = line.lastIndexOf(" ");
        return { pointer: line.slice(0, space).trim().replace("(document)", ""), code: line.slice(space + 1) };
      }),
    };
  });
}

/** What of each collection is made for a reference of a fixture to name. */
const makings: Record<string, object> = {
  "api-descriptions": { document: "openapi: 3.1.0\ninfo: {title: fixtures, version: '1'}\npaths: {}\n" },
  consumers: {},
  issuers: {
    issuer: "https://login.example.com",
    jwks: JSON.stringify({ keys: [{ kty: "OKP", crv: "Ed25519", kid: "a", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] }), // of RFC 8037
    audiences: ["https://api.example.com"],
    consumer: { name_claim: "client_id" },
  },
  secrets: { value: "not much of a secret" },
  services: { upstream: { targets: [{ address: "127.0.0.1:9" }] } },
};

/** named makes what a valid configuration refers to, and returns the configuration by those names. */
export async function named(field: Field, value: unknown): Promise<unknown> {
  const { model } = field;
  if (model.kind === "reference" && typeof value === "string") {
    const making = makings[model.collection];
    if (making === undefined) throw new Error(`say in makings how one of ${model.collection} is made`);
    const name = `of-fixtures-${value.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
    const made = await api("PUT", inEnvironment(`${model.collection}/${name}`), making);
    if (made.status >= 300) throw new Error(`make ${name}: ${JSON.stringify(made.body)}`);
    return name;
  }
  if (model.kind === "list" && Array.isArray(value)) {
    const all = [];
    for (const entry of value) all.push(await named(model.entry, entry));
    return all;
  }
  if (model.kind === "map" && isObject(value)) {
    const all: Record<string, unknown> = {};
    for (const [name, entry] of Object.entries(value)) all[name] = await named(model.entry, entry);
    return all;
  }
  if (model.kind === "object" && isObject(value)) {
    const all = { ...value };
    for (const part of model.parts()) {
      for (const member of membersOf(part, value)) if (value[member.name] !== undefined) all[member.name] = await named(member, value[member.name]);
    }
    return all;
  }
  return value;
}

function membersOf(part: Part, value: unknown): Field[] {
  if (part.type === "field") return [part.field];
  const chosen = chosenOf(part.oneof, value);
  return chosen === undefined ? [] : [chosen];
}

export function configOf(kind: Kind): Field {
  return rootOf(kind.schema, (kind.schema.$defs ?? {}) as Definitions);
}
