import { type Me, type Schemas, took } from "@sallyport/client";
import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, environmentsQuery } from "./api";

export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: async () => took(await api.GET("/api/v1/me")) as Me,
  staleTime: 60_000,
});

/** useMay tells what whoever is signed in may do in an environment, for pages to leave out what would be refused anyway. The API is the
 * judge: while nobody has said what is allowed nothing is offered, and when that can't be learnt everything is. */
export function useMay(environment: string): (permission: string) => boolean {
  const me = useQuery(meQuery);
  const all = useQuery(environmentsQuery);
  if (me.isError || all.isError) return () => true;
  const id = all.data?.find((e) => e.name === environment || e.id === environment)?.id;
  return (permission) => me.data !== undefined && all.data !== undefined && holds(me.data, permission, id);
}

/** holds tells whether a permission is held in an environment: in all of it, or for what a team there owns. */
export function holds(me: Me, permission: string, environment: string | undefined): boolean {
  return (me.permissions ?? []).some((held) => (held.environment === undefined || held.environment === environment) && (held.permissions ?? []).includes(permission));
}

/** rolesOf names the roles of whoever is signed in, where it says so: those held in this environment, or everywhere. */
export function rolesOf(me: Me, environment: string | undefined): string[] {
  const here = (me.role_bindings ?? []).filter((held: Schemas["HeldRole"]) => held.environment === undefined || held.environment === environment);
  return [...new Set(here.map((held) => held.role ?? "").filter((role) => role !== ""))];
}
