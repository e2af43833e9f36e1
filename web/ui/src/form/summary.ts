import { type Field, type Part, chosenOf, isObject } from "./model";

/** summaryOf says a value in a few words: "Header X-Api-Key". */
export function summaryOf(field: Field, value: unknown): string {
  const { model } = field;
  if (value === undefined || value === null || value === "") return "";
  if (model.kind === "object" && isObject(value)) {
    return model.parts().map((part) => summaryOfPart(part, value)).filter((text) => text !== "").join(", ");
  }
  if (model.kind === "list" && Array.isArray(value)) return value.map((entry) => summaryOf(model.entry, entry)).join("; ");
  if (model.kind === "map" && isObject(value)) return Object.keys(value).join(", ");
  if (model.kind === "boolean") return value === true ? "on" : "off";
  if (model.kind === "choice") return model.options.find((o) => o.value === value)?.label ?? String(value);
  if (model.kind === "number" && field.unit !== "") return `${String(value)} ${field.unit}`;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function summaryOfPart(part: Part, value: Record<string, unknown>): string {
  if (part.type === "field") {
    const said = summaryOf(part.field, value[part.field.name]);
    return said === "" || part.field.secret ? "" : part.field.model.kind === "boolean" ? `${part.field.title}: ${said}` : said;
  }
  const chosen = chosenOf(part.oneof, value);
  if (chosen === undefined) return "";
  if (chosen.model.kind === "boolean" && chosen.model.constant !== undefined) return chosen.title;
  return `${chosen.title} ${summaryOf(chosen, value[chosen.name])}`.trim();
}
