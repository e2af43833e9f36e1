import { Button, Group, Table, Text } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import type { Policy, Schemas } from "@sallyport/client";
import { Async, Empty, Icon, Page, Panel, Tag } from "@sallyport/ui";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { foundQuery, pageQuery, refusalOf } from "../api";
import { useMay } from "../me";
import { usePages } from "../pages/paging";
import classes from "../pages/pages.module.css";
import { Search } from "../pages/RoutesPage";
import { KindName, modeTone } from "./words";

/** PoliciesPage lists an environment's policies. */
export function PoliciesPage() {
  const { environment } = useParams({ strict: false }) as { environment: string };
  const [text, setText] = useState("");
  const [q] = useDebouncedValue(text, 200);
  const pages = usePages([environment, q]);
  const page = useQuery(foundQuery<Policy>(environment, "policies", q, { limit: 50, ...pages.query }));
  const create = useMay(environment)("configuration.write") && (
    <Button leftSection={<Icon name="plus" size={16} />} renderRoot={(props) => <Link to="/environments/$environment/policies/new" params={{ environment }} {...props} />}>
      New policy
    </Button>
  );
  return (
    <Page
      title="Policies"
      lead="What is checked, limited and changed on the way to a service. A policy says itself what it is attached to: the whole environment, a service, a route, or a consumer on every route."
      actions={<Group wrap="nowrap"><Search text={text} onChange={setText} label="Search policies" />{create}</Group>}
    >
      <Panel flush>
        <Async query={page} refusalOf={refusalOf}>
          {(found) => found.data.length === 0 ? (
            <Empty icon="policies" title={q === "" ? "No policies yet" : "No policy of that name"} action={q === "" ? create : undefined}>
              {q === "" ? "Until a policy authenticates who calls, a route has to say that it is public." : "Search by another part of its name."}
            </Empty>
          ) : (
            <>
              <Table.ScrollContainer minWidth={680} scrollAreaProps={{ offsetScrollbars: "present" }}>
                <Table verticalSpacing="sm" horizontalSpacing="lg" className={classes.table} highlightOnHover>
                  <Table.Thead>
                    <Table.Tr>
                      <Table.Th>Policy</Table.Th>
                      <Table.Th>Kind</Table.Th>
                      <Table.Th>Attached to</Table.Th>
                      <Table.Th>Mode</Table.Th>
                    </Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {found.data.map((policy) => (
                      <Table.Tr key={policy.id} data-policy={policy.name}>
                        <Table.Td>
                          <Link className={classes.strong} to="/environments/$environment/policies/$key" params={{ environment, key: policy.name ?? "" }}>{policy.name}</Link>
                          {policy.description !== undefined && <Text size="sm" c="dimmed" lineClamp={2} maw="24rem">{policy.description}</Text>}
                        </Table.Td>
                        <Table.Td><Text size="sm"><KindName kind={policy.kind ?? ""} /></Text></Table.Td>
                        <Table.Td><Places environment={environment} attached={policy.attached_to ?? []} /></Table.Td>
                        <Table.Td>
                          <Group gap={6}>
                            <Tag tone={modeTone(policy.mode)}>{policy.mode ?? "enforce"}</Tag>
                            {policy.final === true && <Tag tone="accent">final</Tag>}
                          </Group>
                        </Table.Td>
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

const mostPlaces = 4;

function Places({ environment, attached }: { environment: string; attached: Schemas["Attachment"][] }) {
  if (attached.length === 0) return <Text size="sm" c="dimmed">Nothing: it isn't enforced anywhere</Text>;
  return (
    <Group gap={6}>
      {attached.slice(0, mostPlaces).map((at, i) => <Place key={i} environment={environment} at={at} />)}
      {attached.length > mostPlaces && <Text size="sm" c="dimmed">and {attached.length - mostPlaces} more</Text>}
    </Group>
  );
}

/** Place names one attachment, at whatever level: the levels are those that the API has. */
function Place({ environment, at }: { environment: string; at: Schemas["Attachment"] }) {
  const [level, value] = Object.entries(at)[0] ?? ["", ""];
  const named = useQuery({ ...pageQuery<{ id: string; name: string }>(environment, `${level}s`, { limit: 500 }), enabled: typeof value === "string" });
  if (typeof value !== "string") return <Tag>whole {level}</Tag>;
  return <Tag>{level} {named.data?.data.find((o) => o.id === value)?.name ?? value}</Tag>;
}
