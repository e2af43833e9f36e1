import { Async, Empty, Page, Panel } from "@sallyport/ui";
import { useQuery } from "@tanstack/react-query";
import { Navigate } from "@tanstack/react-router";
import { environmentsQuery, refusalOf } from "../api";

/** HomePage leads to the first environment. */
export function HomePage() {
  const all = useQuery(environmentsQuery);
  return (
    <Async query={all} refusalOf={refusalOf}>
      {(environments) => {
        const first = environments[0]?.name;
        if (first !== undefined) return <Navigate to="/environments/$environment/routes" params={{ environment: first }} replace />;
        return (
          <Page title="Environments">
            <Panel>
              <Empty icon="routes" title="There is no environment yet">
                An environment holds services, routes, policies and consumers of its own. Make one with POST /api/v1/environments.
              </Empty>
            </Panel>
          </Page>
        );
      }}
    </Async>
  );
}
