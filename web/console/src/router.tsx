import { createRootRoute, createRoute, createRouter, Outlet, redirect } from "@tanstack/react-router";
import { ExplainPage } from "./explain/ExplainPage";
import { HomePage } from "./pages/HomePage";
import { InvitationPage } from "./pages/InvitationPage";
import { KeysPage } from "./pages/KeysPage";
import { LostPage } from "./pages/LostPage";
import { RoutesPage } from "./pages/RoutesPage";
import { Shell } from "./pages/Shell";
import { EditPolicyPage } from "./policies/EditPolicyPage";
import { KindsPage } from "./policies/KindsPage";
import { NewPolicyPage } from "./policies/NewPolicyPage";
import { PoliciesPage } from "./policies/PoliciesPage";
import { FindingsPage } from "./requests/FindingsPage";
import { RequestPage } from "./requests/RequestPage";
import { RequestsPage } from "./requests/RequestsPage";

const root = createRootRoute({ component: () => <Outlet />, notFoundComponent: LostPage });
const shell = createRoute({ getParentRoute: () => root, id: "shell", component: Shell });
const invitation = createRoute({ getParentRoute: () => root, path: "/invitation", component: InvitationPage });
const home = createRoute({ getParentRoute: () => shell, path: "/", component: HomePage });
const environment = createRoute({ getParentRoute: () => shell, path: "/environments/$environment" });
const first = createRoute({
  getParentRoute: () => environment,
  path: "/",
  beforeLoad: ({ params }) => {
    throw redirect({ to: "/environments/$environment/routes", params });
  },
});
const routes = createRoute({ getParentRoute: () => environment, path: "routes", component: RoutesPage });
const policies = createRoute({ getParentRoute: () => environment, path: "policies", component: PoliciesPage });
const kinds = createRoute({ getParentRoute: () => environment, path: "policies/new", component: KindsPage });
const newPolicy = createRoute({ getParentRoute: () => environment, path: "policies/new/$kind", component: NewPolicyPage });
const policy = createRoute({ getParentRoute: () => environment, path: "policies/$key", component: EditPolicyPage });
const keys = createRoute({ getParentRoute: () => environment, path: "keys", component: KeysPage });
const requests = createRoute({
  getParentRoute: () => environment,
  path: "requests",
  validateSearch: (search): { rule?: string; route?: string } => ({ rule: textOf(search.rule), route: textOf(search.route) }),
  component: RequestsPage,
});
const request = createRoute({ getParentRoute: () => environment, path: "requests/$key", component: RequestPage });
const findings = createRoute({ getParentRoute: () => environment, path: "findings", component: FindingsPage });
const explain = createRoute({ getParentRoute: () => environment, path: "explain", component: ExplainPage });

/** textOf is a value of an address as text: of a rule's number the address says a number. */
function textOf(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

export const router = createRouter({
  routeTree: root.addChildren([
    invitation,
    shell.addChildren([home, environment.addChildren([first, routes, policies, kinds, newPolicy, policy, keys, requests, request, findings, explain])]),
  ]),
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
