import { type Field, type Part, chosenOf, fits, isObject } from "./model";
import { type Pointer, child, parent } from "./pointer";

/** FieldError is one bad field, as a problem of the API lists it. */
export interface FieldError {
  pointer: Pointer;
  code: string;
  detail: string;
  given?: string;
  allowed?: string;
}

/** placed maps each place that the form shows to the errors that are shown there. An error of a place that it doesn't show goes to the
 * nearest one around it; at last to "", the form itself. */
export function place(errors: FieldError[], shown: Set<Pointer>): Map<Pointer, FieldError[]> {
  const placed = new Map<Pointer, FieldError[]>();
  for (const error of errors) {
    let pointer = error.pointer;
    while (pointer !== "" && !shown.has(pointer)) pointer = parent(pointer);
    placed.set(pointer, [...(placed.get(pointer) ?? []), error]);
  }
  return placed;
}

/** shownOf lists the places that the form of a field shows for a value. */
export function shownOf(field: Field, value: unknown, pointer: Pointer = ""): Set<Pointer> {
  const shown = new Set<Pointer>();
  addField(shown, field, value, pointer);
  return shown;
}

function addField(shown: Set<Pointer>, field: Field, value: unknown, pointer: Pointer): void {
  shown.add(pointer);
  const { model } = field;
  if (!fits(model, value)) return;
  if (model.kind === "object" && (isObject(value) || field.required)) {
    for (const part of model.parts()) addPart(shown, part, value, pointer);
  }
  if (model.kind === "list" && Array.isArray(value)) {
    value.forEach((entry, i) => addField(shown, model.entry, entry, child(pointer, i)));
  }
  if (model.kind === "map" && isObject(value)) {
    for (const [name, entry] of Object.entries(value)) addField(shown, model.entry, entry, child(pointer, name));
  }
}

function addPart(shown: Set<Pointer>, part: Part, value: unknown, pointer: Pointer): void {
  const field = part.type === "field" ? part.field : chosenOf(part.oneof, value);
  if (field !== undefined) addField(shown, field, isObject(value) ? value[field.name] : undefined, child(pointer, field.name));
}
