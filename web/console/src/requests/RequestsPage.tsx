import { Group, Table, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { type Schemas } from "@sallyport/client";
import { Async, Empty, Icon, Page, Panel, Tag } from "@sallyport/ui";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { pageQuery, refusalOf } from "../api";
import { usePages } from "../pages/paging";
import pages from "../pages/pages.module.css";
import { momentOf } from "../time";
import classes from "./requests.module.css";
import { whoseOf } from "./words";

type Request = Schemas["AnsweredRequest"];

/** RequestsPage lists single requests of the last day, the newest first. */
export function RequestsPage() {
  const { environment } = useParams({ strict: false }) as { environment: string };
  const { rule: given, route } = useSearch({ strict: false }) as { rule?: string; route?: string };
  const [text, setText] = useState(given ?? "");
  const [rule] = useDebouncedValue(text.trim(), 300);
  const paged = usePages([environment, rule, route]);
  const filters: Record<string, string> = {};
  if (rule !== "") filters["filter[rule]"] = rule;
  if (route !== undefined) filters["filter[route]"] = route;
  const page = useQuery(pageQuery<Request>(environment, "requests", { limit: 50, ...filters, ...paged.query }));
  return (
    <Page
      title="Requests"
      lead="Rejected requests, those that a policy in shadow would have rejected, and a sample of the others, of the last day."
      actions={<TextInput aria-label="Only with a rule" placeholder="Rule, as in 942100" leftSection={<Icon name="search" size={16} />} value={text} onChange={(e) => setText(e.currentTarget.value)} className={pages.search} />}
    >
      <Panel flush>
        <Async query={page} refusalOf={refusalOf}>
          {(found) => found.data.length === 0 ? (
            <Empty icon="requests" title="No requests">{rule === "" ? "Nothing was rejected, and nothing sampled." : `No listed request in which rule ${rule} found something.`}</Empty>
          ) : (
            <>
              <Table.ScrollContainer minWidth={760} scrollAreaProps={{ offsetScrollbars: "present" }}>
                <Table verticalSpacing="sm" horizontalSpacing="lg" className={pages.table}>
                  <Table.Thead>
                    <Table.Tr><Table.Th>Request</Table.Th><Table.Th>Route</Table.Th><Table.Th>Who</Table.Th><Table.Th>What became of it</Table.Th><Table.Th>When</Table.Th></Table.Tr>
                  </Table.Thead>
                  <Table.Tbody>
                    {found.data.map((request) => (
                      <Table.Tr key={request.request_id} data-request={request.request_id}>
                        <Table.Td>
                          <Link to="/environments/$environment/requests/$key" params={{ environment, key: request.request_id ?? "" }} className={pages.strong}>
                            {request.method} <span className={classes.path}>{request.path}</span>
                          </Link>
                        </Table.Td>
                        <Table.Td><Text size="sm">{request.route_name || request.route || "none"}</Text></Table.Td>
                        <Table.Td><Text size="sm">{whoseOf(request)}</Text></Table.Td>
                        <Table.Td>
                          <Group gap={6}>
                            <Tag tone={request.verdict === "allowed" ? "good" : "bad"}>{request.status} {request.verdict}</Tag>
                            {request.shadow_verdict !== undefined && <Tag tone="violet">shadow: {request.shadow_verdict}</Tag>}
                          </Group>
                        </Table.Td>
                        <Table.Td><Text size="sm" c="dimmed">{request.time === undefined ? "" : momentOf(request.time)}</Text></Table.Td>
                      </Table.Tr>
                    ))}
                  </Table.Tbody>
                </Table>
              </Table.ScrollContainer>
              <paged.Foot next={found.next_cursor} />
            </>
          )}
        </Async>
      </Panel>
    </Page>
  );
}
