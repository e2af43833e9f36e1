import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Page, test as base, expect } from "@playwright/test";

export { expect };

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const environment = "demo";
export const consoleURL = () => variable("SALLYPORT_CONSOLE_URL");
export const token = () => variable("SALLYPORT_TOKEN");

function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} isn't set: the stack didn't start`);
  return value;
}

/** test watches whatever the page does: a request to another origin, a breach of the Content-Security-Policy or an error of the page
 * fails every test. A refusal of the API that a test asks for is no error. */
export const test = base.extend<{ tolerated: RegExp | undefined; watched: undefined }>({
  tolerated: [undefined, { option: true }],
  watched: [
    async ({ page, tolerated }, use) => {
      const foreign: string[] = [];
      const broken: string[] = [];
      page.on("request", (request) => {
        if (new URL(request.url()).origin !== consoleURL() && !request.url().startsWith("data:")) foreign.push(request.url());
      });
      page.on("pageerror", (error) => broken.push(error.message));
      page.on("console", (message) => {
        if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) broken.push(message.text());
      });
      await page.addInitScript(() => {
        document.addEventListener("securitypolicyviolation", (event) => {
          console.error(`breach of the policy: ${event.violatedDirective} by ${event.blockedURI} at ${event.sourceFile}:${event.lineNumber}`);
        });
      });
      await use(undefined);
      expect(foreign, "requests to another origin").toEqual([]);
      expect(broken.filter((error) => tolerated === undefined || !tolerated.test(error)), "errors of the page").toEqual([]);
    },
    { auto: true },
  ],
});

interface Opening {
  in?: string;
  as?: string;
}

/** open goes to a page of the environment, or of another, as somebody who is signed in in this tab. */
export async function open(page: Page, path: string, opening: Opening = {}): Promise<void> {
  await page.addInitScript((text) => sessionStorage.setItem("sallyport.token", text), opening.as ?? token());
  await page.goto(`${consoleURL()}/environments/${opening.in ?? environment}/${path}`);
}

/** accessible demands that axe finds nothing to complain of, and that it looked. */
export async function accessible(page: Page, what: string): Promise<void> {
  await page.waitForFunction(() => document.getAnimations().every((animation) => animation.playState !== "running"));
  const found = await page.evaluate(async (source) => {
    // By the debugger: what is evaluated so isn't the page's, and so isn't held to its policy.
    const run = (0, eval)(`${source};axe`) as typeof import("axe-core");
    const results = await run.run(document);
    return { passes: results.passes.length, violations: results.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(" | ")}`) };
  }, axe);
  expect(found.violations, what).toEqual([]);
  expect(found.passes, `${what}: rules that were tried`).toBeGreaterThan(10);
}

/** api asks the REST API itself, past the page. */
export async function api(method: string, path: string, body?: unknown): Promise<{ status: number; headers: Headers; body: any }> {
  const answer = await fetch(`${variable("SALLYPORT_URL")}/api/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${token()}`, "Content-Type": method === "PATCH" ? "application/merge-patch+json" : "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text === "" ? undefined : JSON.parse(text) };
}

export const inEnvironment = (path: string) => `/environments/${environment}/${path}`;
