/** The JSON Schemas that the API serves: what of 2020-12 proto/resource writes, and its own keywords. */
export interface Schema {
  $ref?: string;
  $defs?: Record<string, Schema>;
  type?: string;
  title?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: (string | number)[];
  examples?: unknown[];
  readOnly?: boolean;
  writeOnly?: boolean;
  format?: string;
  contentEncoding?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  propertyNames?: Schema;
  minProperties?: number;
  maxProperties?: number;
  "x-order"?: number;
  "x-unit"?: string;
  "x-reference"?: string;
  "x-secret"?: boolean;
  "x-permission"?: string;
  "x-minimum"?: string;
  "x-maximum"?: string;
  "x-format"?: string;
  "x-typed-by"?: string;
  "x-placeholder"?: string;
  "x-advanced"?: boolean;
  "x-multiline"?: boolean;
  "x-entry"?: string;
  "x-key-title"?: string;
  "x-presence"?: boolean;
  "x-enum-descriptions"?: string[];
  "x-oneofs"?: Oneof[];
}

export interface Oneof {
  name: string;
  title: string;
  description?: string;
  required: boolean;
  members: string[];
}

/** Where "$ref" leads: "#/$defs/Window" of a schema, "#/components/schemas/Window" of the API's document. */
export type Definitions = Record<string, Schema>;

/** resolve follows a reference. What stands beside it is said of the place, and goes before what is said of the type. */
export function resolve(schema: Schema, definitions: Definitions): Schema {
  if (schema.$ref === undefined) return schema;
  const name = schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
  const target = definitions[name];
  if (target === undefined) throw new Error(`the schema refers to ${schema.$ref}, which isn't there`);
  const { $ref: _, ...beside } = schema;
  return { ...resolve(target, definitions), ...beside };
}
