import type { Schemas } from "@sallyport/client";
import type { Tone } from "@sallyport/ui";

type Row = Schemas["UsageFindingRow"];
type Request = Schemas["AnsweredRequest"];

/** What a policy said of a request, in words. */
export const verdicts: Record<string, { tone: Tone; words: string }> = {
  passed: { tone: "good", words: "passed" },
  refused: { tone: "bad", words: "refused" },
  shadow_refused: { tone: "violet", words: "would have refused" },
  answered: { tone: "accent", words: "answered" },
  passed_over: { tone: "calm", words: "passed over" },
  not_reached: { tone: "calm", words: "not reached" },
};

/** excludable tells whether what was found somewhere can be left out there: what is masked or cut ends in "…" and names nothing, and answers have no part that can be. */
export function excludable(finding: Schemas["RequestFinding"]): boolean {
  return /^[0-9]{1,9}$/.test(finding.rule ?? "") && finding.in_answer !== true && !(finding.target ?? "").endsWith("…") && (finding.target ?? "") !== "";
}

/** whoseOf names who asked: the consumer, or else the address. */
export function whoseOf(request: Request): string {
  return request.consumer_name || request.consumer || request.client || "nobody known";
}

export function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

/** outcomesOf says what became of the requests in which a rule found something. */
export function outcomesOf(row: Row): string {
  const said = [
    (row.refused ?? 0) > 0 ? `${row.refused} refused` : "",
    (row.shadow_refused ?? 0) > 0 ? `${row.shadow_refused} in shadow` : "",
    (row.excluded ?? 0) > 0 ? `${row.excluded} excluded in shadow` : "",
  ].filter((words) => words !== "");
  return said.length === 0 ? "all let pass" : said.join(", ");
}

/** coverageOf says what is missing in an answer; "": nothing is known to be. */
export function coverageOf(coverage: Schemas["UsageCoverage"] | undefined): string {
  const missing = [
    (coverage?.dropped_requests ?? 0) > 0 ? `${coverage?.dropped_requests} rejected requests that nodes had no room to list` : "",
    (coverage?.missing_batches ?? 0) > 0 ? `${plural(coverage?.missing_batches ?? 0, "batch").replace(/batchs$/, "batches")} of counts that never arrived` : "",
    (coverage?.silent_nodes ?? 0) > 0 ? `what ${plural(coverage?.silent_nodes ?? 0, "node")} can't tell` : "",
    (coverage?.rows_left_out ?? 0) > 0 ? `${plural(coverage?.rows_left_out ?? 0, "row")} with fewer requests` : "",
  ].filter((words) => words !== "");
  return missing.length === 0 ? "" : `Left out: ${missing.join(", ")}.`;
}
