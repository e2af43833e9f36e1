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
const explain = createRoute({ getParentRoute: () => environment, path: "explain", component: ExplainPage });

export const router = createRouter({
  routeTree: root.addChildren([
    invitation,
    shell.addChildren([home, environment.addChildren([first, routes, policies, kinds, newPolicy, policy, keys, explain])]),
  ]),
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
