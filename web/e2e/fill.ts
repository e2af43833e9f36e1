import type { Locator, Page } from "@playwright/test";
import { type Field, type Part, chosenOf, isObject } from "../ui/src/form/model";
import { type Pointer, child } from "../ui/src/form/pointer";

/** fill puts a value into a form as a person would: it clicks, types and picks, by what the schema says is there. */
export async function fill(page: Page, field: Field, value: unknown, pointer: Pointer): Promise<void> {
  if (value === undefined) return;
  const { model } = field;
  const place = page.locator(`[data-pointer="${quoted(pointer)}"]`).first();
  switch (model.kind) {
    case "number":
      if (model.options.length > 0) {
        await place.locator("select").selectOption(String(value));
        return;
      }
      return await place.locator("input").first().fill(String(value));
    case "text":
    case "duration":
      return await place.locator("input, textarea").first().fill(String(value));
    case "time":
      return await place.locator("input").fill(await page.evaluate(inItsTime, String(value)));
    case "json":
      return await place.locator("textarea").fill(JSON.stringify(value));
    case "reference":
      return await pick(page, place, String(value));
    case "boolean":
      await place.waitFor(); // a count doesn't wait for what unfolds
      if ((await place.getByRole("switch").count()) > 0) return await place.getByRole("switch").setChecked(value === true);
      return await place.getByText(value === true ? "On" : "Off", { exact: true }).click();
    case "choice": {
      const label = model.options.find((o) => o.value === value)?.label ?? String(value);
      return await choose(place, String(value), label);
    }
    case "list":
      for (const [i, entry] of (value as unknown[]).entries()) {
        await add(page, pointer);
        await fillEntry(page, model.entry, entry, child(pointer, i));
      }
      return;
    case "map":
      for (const [name, entry] of Object.entries(value as object)) {
        await add(page, pointer);
        await page.locator(`[data-key="${quoted(child(pointer, ""))}"] input, input[data-key="${quoted(child(pointer, ""))}"]`).first().fill(name);
        await fillEntry(page, model.entry, entry, child(pointer, name));
      }
      return;
    case "object":
      if (!field.required) await add(page, pointer);
      return await fillParts(page, model.parts(), value, pointer);
  }
}

/** inItsTime is a time as this browser's inputs have it. */
function inItsTime(text: string): string {
  const time = new Date(text);
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

async function fillEntry(page: Page, field: Field, value: unknown, pointer: Pointer): Promise<void> {
  if (field.model.kind === "object") return await fillParts(page, field.model.parts(), value, pointer);
  await fill(page, field, value, pointer);
}

export async function fillParts(page: Page, parts: Part[], value: unknown, pointer: Pointer): Promise<void> {
  if (!isObject(value)) throw new Error(`${pointer} is ${JSON.stringify(value)}, which is no object`);
  for (const part of parts) {
    if (part.type === "field") {
      if (value[part.field.name] === undefined) continue;
      await unfold(page, part.field, pointer);
      await fill(page, part.field, value[part.field.name], child(pointer, part.field.name));
      continue;
    }
    const chosen = chosenOf(part.oneof, value);
    if (chosen === undefined) continue;
    const place = page.locator(`[data-oneof="${quoted(`${pointer}#${part.oneof.name}`)}"]`);
    await choose(place, chosen.name, chosen.title);
    const constant = chosen.model.kind === "boolean" && chosen.model.constant !== undefined;
    if (constant) continue;
    // Chosen, an object is there already.
    if (chosen.model.kind === "object") await fillParts(page, chosen.model.parts(), value[chosen.name], child(pointer, chosen.name));
    else await fill(page, chosen, value[chosen.name], child(pointer, chosen.name));
  }
}

/** choose picks one of a few by its label, or one of many in a list. */
async function choose(place: Locator, value: string, label: string): Promise<void> {
  const many = place.locator("select").first();
  const few = place.getByRole("radiogroup").first();
  await few.or(many).first().waitFor();
  if ((await few.count()) > 0) await few.getByText(label, { exact: true }).click();
  else await many.selectOption(value);
}

async function pick(page: Page, place: Locator, name: string): Promise<void> {
  const input = place.locator("input").first();
  await input.click();
  await input.fill(name);
  await page.getByRole("option", { name, exact: true }).click();
}

async function unfold(page: Page, field: Field, pointer: Pointer): Promise<void> {
  if (!field.advanced || field.required) return;
  const button = page.locator(`[data-advanced="${quoted(pointer)}"]`);
  const place = page.locator(`[data-pointer="${quoted(child(pointer, field.name))}"]`);
  await button.or(place).first().waitFor({ state: "attached" });
  if ((await button.count()) > 0 && (await button.getAttribute("aria-expanded")) === "false") await button.click();
}

async function add(page: Page, pointer: Pointer): Promise<void> {
  await page.locator(`[data-add="${quoted(pointer)}"]`).click();
}

export function quoted(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
}
