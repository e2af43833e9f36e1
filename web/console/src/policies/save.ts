import { type Plan, type Policy, took } from "@sallyport/client";
import { isObject } from "@sallyport/ui/form";
import { api } from "../api";

/** planOf asks what a save would do, without doing it. */
export async function planOf(environment: string, initial: object, value: unknown, etag?: string): Promise<Plan> {
  const { data } = await send(environment, initial, value, etag, true);
  return data as Plan;
}

/** save writes a policy, and returns the revision that it made; "": nothing had changed. */
export async function save(environment: string, initial: object, value: unknown, etag?: string): Promise<string> {
  const { response } = await send(environment, initial, value, etag, false);
  return response.headers.get("Sallyport-Revision") ?? "";
}

/** A new policy is created under its name, and an opened one written only if it still is what was opened. */
async function send(environment: string, initial: object, value: unknown, etag: string | undefined, dry: boolean): Promise<{ data: unknown; response: Response }> {
  const body = value as Policy; // the API says what is wrong with it
  const query = dry ? { dry_run: true } : {};
  if (etag === undefined) {
    const answer = await api.POST("/api/v1/environments/{environment}/policies", { params: { path: { environment }, query }, body });
    return { data: took<unknown>(answer), response: answer.response };
  }
  const key = isObject(initial) ? String(initial.id) : "";
  const answer = await api.PUT("/api/v1/environments/{environment}/policies/{key}", {
    params: { path: { environment, key }, query, header: { "If-Match": etag } },
    body,
  });
  return { data: took<unknown>(answer), response: answer.response };
}

/** remove deletes a policy, or asks what that would do. */
export async function remove(environment: string, key: string, etag: string, dry: boolean): Promise<Plan | undefined> {
  const query = dry ? { dry_run: true } : {};
  const answer = await api.DELETE("/api/v1/environments/{environment}/policies/{key}", {
    params: { path: { environment, key }, query, header: { "If-Match": etag } },
  });
  return answer.data as Plan | undefined;
}
