import { Group, SegmentedControl, Table, Text } from "@mantine/core";
import { type Schemas, took } from "@sallyport/client";
import { Async, Empty, Page, Panel, Tag } from "@sallyport/ui";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { api, refusalOf } from "../api";
import pages from "../pages/pages.module.css";
import { timeOf } from "../time";
import { coverageOf, outcomesOf, plural } from "./words";

type Row = Schemas["UsageFindingRow"];

const spans = [{ value: "1", label: "An hour" }, { value: "24", label: "A day" }, { value: "168", label: "7 days" }];

/** FindingsPage reports which rules find something where, and which of them are likely to call normal calls bad. */
export function FindingsPage() {
  const { environment } = useParams({ strict: false }) as { environment: string };
  const [hours, setHours] = useState("24");
  const report = useQuery({
    queryKey: [environment, "usage", "findings", hours],
    queryFn: async () => {
      const from = new Date(Date.now() - Number(hours) * 3_600_000).toISOString();
      return took(await api.GET("/api/v1/environments/{environment}/usage/findings", { params: { path: { environment }, query: { from, limit: 100 } } })) as Schemas["UsageFindingRowList"];
    },
  });
  return (
    <Page
      title="Findings"
      lead="Which rules of the WAF and of other inspecting policies find something, on which routes, and in whose requests. A rule that finds something in many consumers' normal calls is noise: propose an exclusion from one of its requests."
      actions={<SegmentedControl aria-label="Of the last" data={spans} value={hours} onChange={setHours} />}
    >
      <Panel flush>
        <Async query={report} refusalOf={refusalOf}>
          {(found) => found.data.length === 0 ? (
            <Empty icon="findings" title="Nothing was found">No rule found anything in a request that is listed.</Empty>
          ) : (
            <Table.ScrollContainer minWidth={900} scrollAreaProps={{ offsetScrollbars: "present" }}>
              <Table verticalSpacing="sm" horizontalSpacing="lg" className={pages.table}>
                <Table.Thead>
                  <Table.Tr><Table.Th>Rule</Table.Th><Table.Th>Route</Table.Th><Table.Th>Requests</Table.Th><Table.Th>Whose</Table.Th><Table.Th>Mostly in</Table.Th><Table.Th>Noise?</Table.Th></Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {found.data.map((row) => <FindingRow key={`${row.route} ${row.policy} ${row.rule}`} environment={environment} row={row} />)}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
          )}
        </Async>
      </Panel>
      <Text size="sm" c="dimmed" mt="md" data-coverage>
        {report.data !== undefined && `Counted are the requests that are listed. ${coverageOf(report.data.coverage)}`}
      </Text>
    </Page>
  );
}

function FindingRow({ environment, row }: { environment: string; row: Row }) {
  return (
    <Table.Tr data-rule={row.rule} data-noise={row.likely_noise}>
      <Table.Td>
        <Link to="/environments/$environment/requests" params={{ environment }} search={{ rule: row.rule, route: row.route }} className={pages.strong}>{row.rule}</Link>
        <Text size="sm">{row.message}</Text>
        <Text size="xs" c="dimmed">{row.policy_name || row.policy}</Text>
      </Table.Td>
      <Table.Td><Text size="sm">{row.route_name || row.route || "none"}</Text></Table.Td>
      <Table.Td>
        <Text size="sm" fw={600}>{row.requests}</Text>
        <Text size="xs" c="dimmed">{outcomesOf(row)}</Text>
        {row.last_request !== undefined && row.last_at !== undefined && (
          <Text size="xs" c="dimmed" className={pages.line}>last <Link to="/environments/$environment/requests/$key" params={{ environment, key: row.last_request }}>{timeOf(row.last_at)}</Link></Text>
        )}
      </Table.Td>
      <Table.Td>
        <Text size="sm">{plural(row.consumers ?? 0, "consumer")}</Text>
        {(row.consumers ?? 0) > 0 && <Text size="xs" c="dimmed">{row.consumers_succeeded} with success otherwise, {row.consumers_failed} without</Text>}
        {(row.addresses ?? 0) > 0 && <Text size="xs" c="dimmed">{row.addresses === 1 ? "1 address" : `${row.addresses} addresses`} of nobody known</Text>}
      </Table.Td>
      <Table.Td><code>{row.target}</code><Text size="xs" c="dimmed">in {row.target_requests} of {row.requests}</Text></Table.Td>
      <Table.Td>
        <Group gap={6}>{row.likely_noise === true ? <Tag tone="warn">likely noise</Tag> : <Tag>no sign of it</Tag>}</Group>
        <Text size="xs" c="dimmed" mt={4} miw="13rem" maw="18rem">{row.reason}</Text>
      </Table.Td>
    </Table.Tr>
  );
}
