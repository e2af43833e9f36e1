import { api, consoleURL, environment, expect, inEnvironment, open, test } from "./console";
import { fillParts } from "./fill";
import { type Kind, configOf } from "./fixtures";
import type { Schema } from "../ui/src/form/schema";

// A kind that is nobody's, with everything that proto/resource's schemas can hold: so that the form can it before a kind needs it.
const text: Schema = { type: "string" };
const schema: Schema = {
  type: "object",
  title: "Everything",
  required: ["must"],
  $defs: {
    Tree: { type: "object", title: "Tree", properties: { name: { ...text, title: "Name", "x-order": 0 }, left: { $ref: "#/$defs/Tree", title: "Left", "x-order": 1 } } },
    Empty: { type: "object", title: "Empty", properties: {} },
    Match: {
      type: "object",
      title: "Match",
      properties: {
        name: { ...text, title: "Name", "x-order": 0 },
        exact: { ...text, title: "Exact", "x-order": 1 },
        present: { type: "boolean", title: "Present", "x-order": 2 },
        within: { type: "string", "x-format": "duration", title: "Within", "x-order": 3 },
        inside: { $ref: "#/$defs/Tree", title: "Inside", "x-order": 4 },
      },
      "x-oneofs": [{ name: "match", title: "Comparison", required: false, members: ["exact", "present", "within", "inside"] }],
    },
  },
  properties: {
    must: { $ref: "#/$defs/Tree", title: "Must", "x-order": 0 },
    may: { $ref: "#/$defs/Tree", title: "May", "x-order": 1 },
    given: { $ref: "#/$defs/Empty", title: "Given", "x-order": 2 },
    secret: { ...text, title: "Secret", "x-reference": "secrets", "x-order": 3 },
    callers: { type: "array", items: text, title: "Callers", "x-reference": "consumers", "x-entry": "caller", "x-order": 4 },
    words: { type: "array", items: { ...text, maxLength: 8 }, title: "Words", "x-entry": "word", "x-order": 5 },
    numbers: { type: "array", items: { type: "integer", minimum: -5, maximum: 5 }, title: "Numbers", "x-order": 6 },
    modes: { type: "array", items: { type: "string", enum: ["a", "b"] }, title: "Modes", "x-order": 7 },
    headers: { type: "object", additionalProperties: text, title: "Headers", "x-key-title": "Header", "x-entry": "header", "x-order": 8 },
    rules: { type: "object", additionalProperties: { $ref: "#/$defs/Match" }, title: "Rules", "x-order": 9 },
    matches: { type: "array", items: { $ref: "#/$defs/Match" }, title: "Matches", "x-order": 10 },
    body: { ...text, title: "Body", "x-multiline": true, "x-order": 11 },
    language: { ...text, title: "Language", examples: ["en", "de"], "x-order": 12 },
    at: { type: "string", format: "date-time", title: "At", "x-order": 13 },
    share: { type: "number", title: "Share", "x-order": 14 },
    plain: { type: "boolean", title: "Plain", "x-order": 15 },
    stated: { type: "boolean", title: "Stated", default: true, "x-presence": true, "x-order": 16 },
    level: { type: "string", enum: ["one", "two", "three", "four", "five", "six"], title: "Level", default: "two", "x-presence": true, "x-order": 17 },
    free: { type: "object", title: "Free", "x-order": 18 },
    limit: { type: "integer", title: "Limit", "x-unit": "bytes", "x-advanced": true, "x-order": 19 },
    status: { type: "integer", title: "Status", enum: [301, 302, 307], default: 307, "x-presence": true, "x-order": 20 },
    long: { ...text, title: "Long", maxLength: 65536, "x-order": 21 },
    set: { ...text, title: "Set", readOnly: true, "x-order": 20 },
  },
};

const config = {
  must: { name: "root", left: { name: "left", left: { name: "deeper" } } },
  may: {},
  given: {},
  secret: "construct-secret",
  callers: ["construct-caller"],
  words: ["eins", "zwei", "eins"],
  numbers: [-5, 0, 3],
  modes: ["b", "a"],
  headers: { "X-A/B": "1", "x~y": "", __proto: "p" },
  rules: { first: { name: "n", exact: "" }, second: { present: false } },
  matches: [{ name: "a", within: "1m30s" }, { inside: { name: "x" } }, { exact: "e" }, { present: true }],
  body: "two\nlines",
  language: "gsw",
  at: "2027-02-03T04:05:06Z",
  share: 0.05,
  plain: true,
  stated: false,
  level: "six",
  free: { any: [1, { thing: null }] },
  limit: 1048576,
  status: 302,
  long: "ends with an empty line\n",
};

test("the form holds every construct that a schema can have, and returns it unchanged", async ({ page }) => {
  const secret = await api("PUT", inEnvironment("secrets/construct-secret"), { value: "not much of one" });
  const caller = await api("PUT", inEnvironment("consumers/construct-caller"), {});
  const kind: Kind & Record<string, unknown> = { name: "everything", title: "Everything", description: "Everything.", phases: ["guard"], schema };
  const sent: { config?: unknown }[] = [];
  await page.route("**/api/v1/policy-kinds", (route) => route.fulfill({ json: { data: [kind], next_cursor: null } }));
  await page.route(/\/policies\?dry_run=true$/, async (route) => {
    sent.push(route.request().postDataJSON());
    await route.fulfill({ json: { dry_run: true } });
  });
  await open(page, "policies/new/everything");
  const root = configOf(kind);
  if (root.model.kind !== "object") throw new Error("a configuration is an object");
  await fillParts(page, root.model.parts(), config, "/config");
  await page.getByRole("button", { name: "Review and publish" }).click();
  await expect(page.getByText("Nothing: everything is as it was.")).toBeVisible();
  expect(sent[0]?.config).toEqual({ ...config, secret: secret.body.id, callers: [caller.body.id] });
  await page.getByRole("button", { name: "Back to editing" }).click();

  // Taken away again nothing is left, not even empty lists.
  for (const pointer of ["/config/callers/0", "/config/words/2", "/config/words/1", "/config/words/0", "/config/headers/X-A~1B", "/config/headers/x~0y", "/config/headers/__proto", "/config/may"]) {
    await page.locator(`[data-remove="${pointer}"]`).click();
  }
  await page.locator('[data-pointer="/config/stated"]').getByText("Default (On)", { exact: true }).click();
  await page.locator('[data-pointer="/config/limit"] input').fill("");
  await page.getByRole("button", { name: "Review and publish" }).click();
  await expect(page.getByText("Nothing: everything is as it was.")).toBeVisible();
  const { callers: _, words: __, headers: ___, may: ____, stated: _____, limit: ______, ...left } = config;
  expect(sent[1]?.config).toEqual({ ...left, secret: secret.body.id });
  expect(page.url()).toBe(`${consoleURL()}/environments/${environment}/policies/new/everything`);
});

test("two names in a map are never the same one", async ({ page }) => {
  await open(page, "policies/new/api-key");
  const add = page.locator('[data-add="/labels"]');
  await add.click();
  await page.locator('[data-key="/labels/"]').fill("team");
  await page.locator('[data-pointer="/labels/team"] input').fill("blue");
  await add.click();
  await page.locator('[data-key="/labels/"]').fill("team");
  await expect(page.getByText("This name is there twice.")).toBeVisible();
  await page.locator('[data-key="/labels/"]').fill("team-2");
  await expect(page.getByText("This name is there twice.")).toBeHidden();
  await expect(page.locator('[data-pointer="/labels/team"] input')).toHaveValue("blue");
  await expect(page.locator('[data-pointer="/labels/team-2"] input')).toHaveValue("");
});
