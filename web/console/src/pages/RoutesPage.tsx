import { Group, Skeleton, Table, Text, TextInput, Tooltip, VisuallyHidden } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { type Route, type RoutePolicy, type Schemas, took } from "@sallyport/client";
import { Async, Empty, Icon, Page, Panel, Tag } from "@sallyport/ui";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { api, foundQuery, pageQuery, refusalOf } from "../api";
import { KindName, modeTone } from "../policies/words";
import { usePages } from "./paging";
import classes from "./pages.module.css";

/** RoutesPage lists an environment's routes, each with what a request of it passes. */
export function RoutesPage() {
  const { environment } = useParams({ strict: false }) as { environment: string };
  const [text, setText] = useState("");
  const [q] = useDebouncedValue(text, 200);
  const pages = usePages([environment, q]);
  const page = useQuery(foundQuery<Route>(environment, "routes", q, { limit: 25, ...pages.query }));
  const services = useQuery(pageQuery<Schemas["Service"]>(environment, "services", { limit: 500 }));
  const nameOf = (id?: string) => services.data?.data.find((s) => s.id === id)?.name ?? id ?? "";
  return (
    <Page
      title="Routes"
      lead="Which requests belong to which service, and the policies that they pass: from left to right, in the order in which nodes run them."
      actions={<Search text={text} onChange={setText} label="Search routes" />}
    >
      <Panel flush>
        <Async query={page} refusalOf={refusalOf}>
          {(found) => found.data.length === 0 ? (
            <Empty icon="routes" title={q === "" ? "No routes yet" : "No route of that name"}>
              {q === "" ? "A route says which hosts, paths and methods belong to a service." : "Search by another part of its name."}
            </Empty>
          ) : (
            <>
              <Table.ScrollContainer minWidth={760} scrollAreaProps={{ offsetScrollbars: "present" }}>
                <Table verticalSpacing="md" horizontalSpacing="lg" className={classes.table}>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>Route</Table.Th>
                      <Table.Th>Matches</Table.Th>
                      <Table.Th>Service</Table.Th>
                      <Table.Th>Policies, in running order</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {found.data.map((route) => (
                      <Table.Tr key={route.id} data-route={route.name}>
                        <Table.Td>
                          <Text fw={600} size="sm">{route.name}</Text>
                          <Group gap={6} mt={4}>
                            {route.public === true ? (
                              <Tag tone="warn"><Icon name="open" size={12} />Public</Tag>
                            ) : (
                              <Tag tone="good"><Icon name="lock" size={12} />Protected</Tag>
                            )}
                          </Group>
                        </Table.Td>
                        <Table.Td><Matches route={route} /></Table.Td>
                        <Table.Td><Text size="sm">{nameOf(route.service)}</Text></Table.Td>
                        <Table.Td><Chain environment={environment} route={route.id ?? ""} /></Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </Table.ScrollContainer>
              <pages.Foot next={found.next_cursor} />
            </>
          )}
        </Async>
      </Panel>
    </Page>
  );
}

export function Search({ text, onChange, label }: { text: string; onChange: (text: string) => void; label: string }) {
  return (
    <TextInput
      aria-label={label}
      placeholder={label}
      leftSection={<Icon name="search" size={16} />}
      value={text}
      onChange={(e) => onChange(e.currentTarget.value)}
      className={classes.search}
    />
  );
}

function Matches({ route }: { route: Route }) {
  const hosts = route.hosts ?? [];
  const methods = route.methods ?? [];
  return (
    <div className={classes.matches}>
      <Group gap={4}>
        {methods.length === 0 ? <Tag>any method</Tag> : methods.map((m) => <Tag key={m} tone="accent">{m}</Tag>)}
      </Group>
      {(route.paths ?? []).map((path, i) => <code key={i}>{path.exact ?? path.template ?? `${path.prefix === "/" ? "" : path.prefix}/*`}</code>)}
      <Text size="xs" c="dimmed">{hosts.length === 0 ? "any host" : hosts.join(", ")}</Text>
    </div>
  );
}

/** Chain is what stands before a route; what doesn't run is there too, faded, and says why. */
function Chain({ environment, route }: { environment: string; route: string }) {
  const policies = useQuery({
    queryKey: [environment, "routes", route, "policies"],
    queryFn: async () => took(await api.GET("/api/v1/environments/{environment}/routes/{key}/policies", { params: { path: { environment, key: route } } })).data ?? [],
  });
  if (policies.error !== null) return <Text size="sm" c="red">{refusalOf(policies.error).title}</Text>;
  if (policies.data === undefined) return <Skeleton height={28} width="60%" radius="md" />;
  if (policies.data.length === 0) return <Text size="sm" c="dimmed">None</Text>;
  return (
    <ol className={classes.chain}>
      {policies.data.map((policy) => (
        <li key={policy.id}><PolicyChip environment={environment} policy={policy} /></li>
      ))}
    </ol>
  );
}

function PolicyChip({ environment, policy }: { environment: string; policy: RoutePolicy }) {
  const runs = policy.state === "running";
  const why = policy.state === "replaced" ? `Doesn't run here: one on the ${policy.replaced_by} takes its place` : policy.state === "off" ? "Doesn't run: it is off" : `Runs in phase ${policy.phase}`;
  return (
    <Tooltip label={why} events={{ hover: true, focus: true, touch: true }}>
      <Link to="/environments/$environment/policies/$key" params={{ environment, key: policy.id ?? "" }} className={classes.chip} data-policy={policy.name} data-state={policy.state}>
        <span className={classes.chipHead}>
          <span className={classes.chipName}>{policy.name}</span>
          <Tag tone={modeTone(policy.mode)}>{policy.mode}</Tag>
        </span>
        <span className={classes.chipFoot}>
          <KindName kind={policy.kind ?? ""} /> · {policy.level}
        </span>
        {!runs && <VisuallyHidden>{why}</VisuallyHidden>}
      </Link>
    </Tooltip>
  );
}

