import { type Definitions, type Schema, resolve } from "./schema";

/** Model is how a value is edited: a pure function of its schema. */
export type Model =
  | { kind: "text"; multiline: boolean; pattern?: string; minLength?: number; maxLength?: number; suggestions: string[] }
  | { kind: "number"; integer: boolean; least?: number; most?: number; options: number[] }
  | { kind: "boolean"; constant?: boolean }
  | { kind: "choice"; options: Option[] }
  | { kind: "duration"; least?: string; most?: string }
  | { kind: "time" }
  | { kind: "reference"; collection: string }
  | { kind: "list"; entry: Field; least: number; most?: number; unique: boolean; word: string }
  | { kind: "map"; entry: Field; most?: number; keyTitle: string; word: string }
  | { kind: "object"; parts: () => Part[] }
  | { kind: "json"; shape: "object" | "array" | "any" };

export interface Option {
  value: string;
  label: string;
  help: string;
}

/** Field is a named place that holds a value. */
export interface Field {
  name: string;
  title: string;
  help: string;
  required: boolean;
  advanced: boolean;
  secret: boolean;
  /** What a writer must hold to give, change or take away the value, besides what the object takes; "": nothing. */
  permission: string;
  /** Absent isn't the same as the type's zero. */
  presence: boolean;
  /** Emptied it is still given: an entry of a list or map, or what was chosen of a oneof. */
  kept: boolean;
  placeholder: string;
  unit: string;
  /** What an absent value stands for; undefined: nothing. It is shown and never stored. */
  standard: unknown;
  model: Model;
}

/** Part is what stands in an object's form: a field, or several of which at most one is given. */
export type Part = { type: "field"; field: Field } | { type: "oneof"; oneof: OneofPart };

export interface OneofPart {
  name: string;
  title: string;
  help: string;
  required: boolean;
  members: Field[];
}

/** rootOf makes the field of a whole schema, its definitions inside it or beside it. */
export function rootOf(schema: Schema, definitions: Definitions = schema.$defs ?? {}): Field {
  return fieldOf("", schema, definitions, true);
}

/** fieldOf makes the field of a property. */
export function fieldOf(name: string, schema: Schema, definitions: Definitions, required: boolean, kept = false): Field {
  const whole = resolve(schema, definitions);
  return {
    name,
    title: whole.title ?? wordsOf(name),
    help: helpOf(whole.description, whole["x-permission"]),
    required,
    advanced: whole["x-advanced"] ?? false,
    secret: whole["x-secret"] ?? false,
    permission: whole["x-permission"] ?? "",
    presence: whole["x-presence"] ?? false,
    kept,
    placeholder: whole["x-placeholder"] ?? "",
    unit: whole["x-unit"] ?? "",
    standard: whole.default,
    model: modelOf(whole, definitions),
  };
}

function modelOf(schema: Schema, definitions: Definitions): Model {
  switch (schema.type) {
    case "boolean":
      return { kind: "boolean", constant: schema.const as boolean | undefined };
    case "integer":
    case "number":
      return {
        kind: "number",
        integer: schema.type === "integer",
        least: schema.minimum ?? schema.exclusiveMinimum,
        most: schema.maximum ?? schema.exclusiveMaximum,
        options: (schema.enum ?? []).filter((e) => typeof e === "number"),
      };
    case "string":
      return textModel(schema);
    case "array":
      return schema.items === undefined ? { kind: "json", shape: "array" } : listModel(schema, schema.items, definitions);
    case "object":
      if (typeof schema.additionalProperties === "object") return mapModel(schema, schema.additionalProperties, definitions);
      if (schema.properties === undefined) return { kind: "json", shape: "object" };
      return { kind: "object", parts: once(() => partsOf(schema, definitions)) };
    default:
      return { kind: "json", shape: "any" };
  }
}

/** A text that may be longer, and of any form, isn't one line. */
const longLine = 8192;

function textModel(schema: Schema): Model {
  if (schema["x-reference"] !== undefined) return { kind: "reference", collection: schema["x-reference"] };
  if (schema["x-format"] === "duration") return { kind: "duration", least: schema["x-minimum"], most: schema["x-maximum"] };
  if (schema.format === "date-time") return { kind: "time" };
  const options = schema.enum?.map(String) ?? (typeof schema.const === "string" ? [schema.const] : undefined);
  if (options !== undefined) {
    const help = schema["x-enum-descriptions"] ?? [];
    return { kind: "choice", options: options.map((value, i) => ({ value, label: wordsOf(value), help: help[i] ?? "" })) };
  }
  return {
    kind: "text",
    multiline: schema["x-multiline"] ?? (schema.pattern === undefined && (schema.maxLength ?? 0) > longLine),
    pattern: schema.pattern,
    minLength: schema.minLength,
    maxLength: schema.maxLength,
    suggestions: (schema.examples ?? []).filter((e): e is string => typeof e === "string"),
  };
}

/** What is said of a list's texts is said of the list: a field has its options but once. */
function listModel(schema: Schema, items: Schema, definitions: Definitions): Model {
  const inherited: Schema = {};
  for (const keyword of ["x-reference", "x-secret", "x-placeholder", "x-multiline", "x-unit", "examples"] as const) {
    if (schema[keyword] !== undefined) Object.assign(inherited, { [keyword]: schema[keyword] });
  }
  const entry = fieldOf("", { ...inherited, ...items }, definitions, true, true);
  const word = schema["x-entry"] ?? (entry.model.kind === "object" ? lowered(entry.title) : "entry");
  return {
    kind: "list",
    entry: { ...entry, title: entry.title || capital(word) },
    least: schema.minItems ?? 0,
    most: schema.maxItems,
    unique: schema.uniqueItems ?? false,
    word,
  };
}

function mapModel(schema: Schema, values: Schema, definitions: Definitions): Model {
  const entry = fieldOf("", { "x-placeholder": schema["x-placeholder"], ...values }, definitions, true, true);
  return {
    kind: "map",
    entry: { ...entry, title: entry.title || "Value" },
    most: schema.maxProperties,
    keyTitle: schema["x-key-title"] ?? "Name",
    word: schema["x-entry"] ?? "entry",
  };
}

/** partsOf lists what an object's form shows, in the order of the .proto; a oneof stands where its first member does. */
function partsOf(schema: Schema, definitions: Definitions): Part[] {
  const properties = Object.entries(schema.properties ?? {})
    .filter(([, property]) => property.readOnly !== true)
    .sort(([, a], [, b]) => (a["x-order"] ?? 0) - (b["x-order"] ?? 0));
  const oneofs = schema["x-oneofs"] ?? [];
  const parts: Part[] = [];
  for (const [name, property] of properties) {
    const oneof = oneofs.find((o) => o.members.includes(name));
    if (oneof === undefined) {
      parts.push({ type: "field", field: fieldOf(name, property, definitions, schema.required?.includes(name) ?? false) });
    } else if (oneof.members[0] === name) {
      const members = oneof.members.map((member) => fieldOf(member, schema.properties?.[member] ?? {}, definitions, true, true));
      parts.push({
        type: "oneof",
        oneof: { name: oneof.name, title: oneof.title, help: helpOf(oneof.description), required: oneof.required, members },
      });
    }
  }
  return parts;
}

/** blankOf is the least value that a field can be given by: what an "Add" button adds. */
export function blankOf(field: Field): unknown {
  const { model } = field;
  switch (model.kind) {
    case "object": {
      const value: Record<string, unknown> = {};
      for (const part of model.parts()) {
        if (part.type === "field" && part.field.required && part.field.model.kind === "object") value[part.field.name] = blankOf(part.field);
      }
      return value;
    }
    case "boolean":
      return model.constant ?? true;
    case "list":
      return model.least > 0 && model.entry.model.kind === "object" ? [blankOf(model.entry)] : [];
    case "map":
      return {};
    case "json":
      return model.shape === "array" ? [] : {};
    case "choice":
      return model.options.length === 1 ? model.options[0]?.value : "";
    default:
      return "";
  }
}

/** fits tells whether a value has the shape that the model edits. What doesn't is shown as it is. */
export function fits(model: Model, value: unknown): boolean {
  if (value === undefined || value === null) return true;
  switch (model.kind) {
    case "boolean":
      return typeof value === "boolean";
    case "number":
      return typeof value === "number" || typeof value === "string"; // a text that is being typed
    case "list":
      return Array.isArray(value);
    case "map":
    case "object":
      return isObject(value);
    case "json":
      return true;
    default:
      return typeof value === "string";
  }
}

/** A comment like "The place." says nothing to whoever sees the field, and its permission is shown by itself. */
function helpOf(description = "", permission = ""): string {
  if (/^The \w+\.$/.test(description)) return "";
  return permission === "" ? description : description.replace(`Takes the permission ${permission}.`, "").trim();
}

/** chosenOf is the member of a oneof that is given: the first, should there be several. */
export function chosenOf(oneof: OneofPart, value: unknown): Field | undefined {
  return isObject(value) ? oneof.members.find((member) => value[member.name] !== undefined) : undefined;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const initialisms = /\b(?:api|id|ip|json|jwt|url|waf)\b/g;

/** wordsOf turns "rate-limit" and "rate_limit" into "Rate limit", and "api-keys" into "API keys". */
export function wordsOf(name: string): string {
  return capital(name.replace(/[_-]/g, " ").replace(initialisms, (word) => word.toUpperCase()));
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** lowered is a title inside a sentence: "rate limit", "API keys". */
export function lowered(text: string): string {
  return /^[A-Z]{2}/.test(text) ? text : text.slice(0, 1).toLowerCase() + text.slice(1);
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
