import { Group, SegmentedControl, Stack, Table, Text } from "@mantine/core";
import type { Explanation, Explanations, HypotheticalHeader as Header, Schemas } from "@sallyport/client";
import { Icon, Panel, Tag } from "@sallyport/ui";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { KindName, modeTone } from "../policies/words";
import { FindingTable } from "../requests/FindingTable";
import { verdicts } from "../requests/words";
import classes from "./explain.module.css";

type Miss = Schemas["ExplanationMiss"];
type Stage = Schemas["ExplanationStage"];

/** ExplanationView shows what nodes answered: what they don't agree on, then one of them. */
export function ExplanationView({ environment, answers }: { environment: string; answers: Explanations }) {
  const nodes = answers.nodes ?? [];
  const [chosen, setChosen] = useState("");
  const node = nodes.find((n) => n.node === chosen) ?? nodes[0];
  const nameOf = (id: string): string => nodes.find((n) => n.node === id)?.name ?? id;
  return (
    <>
      {nodes.length > 1 && <Agreement answers={answers} nameOf={nameOf} />}
      {nodes.length > 1 && (
        <SegmentedControl aria-label="Node" value={node?.node ?? ""} data={nodes.map((n) => ({ value: n.node ?? "", label: n.name ?? n.node ?? "" }))} onChange={setChosen} />
      )}
      {node !== undefined && <Answer environment={environment} node={node} />}
    </>
  );
}

/** Agreement says of nodes that were all asked whether they would do the same, and where they wouldn't. */
function Agreement({ answers, nameOf }: { answers: Explanations; nameOf: (id: string) => string }) {
  const differences = answers.differences ?? [];
  const answered = (answers.nodes ?? []).filter((n) => n.answered === true).length;
  const others = answers.more === true && <Text size="sm" c="dimmed" mt="xs">More nodes are connected, which weren't asked.</Text>;
  if (differences.length === 0) {
    return <Panel><Text size="sm" data-agreement="all">{answered === 1 ? "One node answered." : `${answered} nodes answered, and agree.`}</Text>{others}</Panel>;
  }
  return (
    <Panel title="The nodes don't agree">
      <Table aria-label="What nodes don't agree on">
        <Table.Thead><Table.Tr><Table.Th>On</Table.Th><Table.Th>They say</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {differences.map((difference) => (
            <Table.Tr key={difference.field} data-difference={difference.field}>
              <Table.Td className={classes.headerName}>{(difference.field ?? "").replaceAll("_", " ")}</Table.Td>
              <Table.Td>
                {(difference.sides ?? []).map((side, i) => (
                  <Text key={i} size="sm"><code>{side.value || "none"}</code> <Text span c="dimmed">{(side.nodes ?? []).map(nameOf).join(", ")}</Text></Text>
                ))}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {others}
    </Panel>
  );
}

function Answer({ environment, node }: { environment: string; node: Explanation }) {
  if (node.answered !== true) {
    return <Panel title={`${node.name ?? node.node ?? ""} didn't answer`}><Text size="sm">{node.detail} <code>{node.code}</code></Text></Panel>;
  }
  const allowed = node.verdict === "allowed";
  return (
    <>
      <Panel>
        <Group gap="sm" align="flex-start" wrap="nowrap" data-verdict={node.verdict}>
          <span className={classes.verdict} data-good={allowed || undefined}><Icon name={allowed ? "check" : "close"} size={22} /></span>
          <div>
            <Text fw={620} size="lg">{allowed ? "It is let through" : `It is refused: ${node.verdict ?? ""}`}</Text>
            <Text size="sm" c="dimmed">
              {allowed
                ? node.forward === undefined ? `Answered with ${node.status ?? 0} by the gateway` : `To ${node.forward.name ?? "the service"}, path ${node.forward.path ?? ""}`
                : `${node.reason ?? ""}${node.policy ? ` (policy ${node.policy})` : ""}`}
            </Text>
            <Group gap={6} mt="xs">
              {node.status !== undefined && node.status !== 0 && <Tag tone={node.status < 400 ? "good" : "bad"}>{node.status}</Tag>}
              {node.shadow_verdict !== undefined && <Tag tone="violet">shadow: {node.shadow_verdict}</Tag>}
              {node.revision !== undefined && <Tag>revision {node.revision}</Tag>}
              <Tag>{node.name ?? node.node}</Tag>
              {node.caller !== undefined && <Tag tone="accent">consumer {node.caller.name ?? node.caller.consumer}</Tag>}
              {node.client_address !== undefined && <Tag>from {node.client_address}</Tag>}
            </Group>
          </div>
        </Group>
      </Panel>
      <Panel title="Route">
        {node.route === undefined ? <Text size="sm">None matches <code>{node.host}{node.path}</code>.</Text> : (
          <Text size="sm" data-found-route={node.route.name}>
            <strong>{node.route.name}</strong> by {node.route.compared} <code>{node.route.path}</code>
            {node.route.public === true && <> <Tag tone="warn">Public</Tag></>}
            {Object.entries(node.route.params ?? {}).map(([name, value]) => <span key={name}> · {name} = <code>{value}</code></span>)}
          </Text>
        )}
        <Misses misses={node.near_misses ?? []} />
      </Panel>
      {(node.stages ?? []).length > 0 && (
        <Panel title="Policies, in running order">
          <ol className={classes.stages}>
            {(node.stages ?? []).map((stage) => <StageView key={`${stage.policy}${stage.phase}`} environment={environment} stage={stage} />)}
          </ol>
        </Panel>
      )}
      {(node.quotas ?? []).length > 0 && (
        <Panel title="What limits leave the caller">
          {(node.quotas ?? []).map((quota, i) => (
            <Text key={i} size="sm"><strong>{quota.name}</strong>: {quota.remaining ?? 0} could pass at once{(quota.reset_ms ?? 0) > 0 && `, the whole allowance is back in ${Math.ceil((quota.reset_ms ?? 0) / 1000)} s`}</Text>
          ))}
        </Panel>
      )}
      {node.forward !== undefined && (
        <Panel title="What the service would be asked">
          <Text size="sm" mb="sm">{node.forward.name} at {(node.forward.targets ?? []).map((t, i) => <span key={t}>{i > 0 && ", "}<code>{t}</code></span>)}, path <code>{node.forward.path}</code></Text>
          <HeaderTable headers={node.forward.headers ?? []} />
        </Panel>
      )}
      {node.answer !== undefined && (node.answer.body !== undefined || (node.answer.headers ?? []).length > 0) && (
        <Panel title={node.forward === undefined ? "What the client would get" : "What the gateway would add to the answer"}>
          <HeaderTable headers={node.answer.headers ?? []} />
          {node.answer.body !== undefined && <pre className={classes.answer} tabIndex={0}>{node.answer.body}</pre>}
        </Panel>
      )}
    </>
  );
}

function Misses({ misses }: { misses: Miss[] }) {
  if (misses.length === 0) return null;
  return (
    <Table mt="md" aria-label="Routes that came near">
      <Table.Thead><Table.Tr><Table.Th>Came near</Table.Th><Table.Th>What kept it</Table.Th></Table.Tr></Table.Thead>
      <Table.Tbody>
        {misses.map((miss) => (
          <Table.Tr key={miss.route} data-miss={miss.name}>
            <Table.Td><Text size="sm">{miss.name}</Text></Table.Td>
            <Table.Td>
              <Text size="sm">
                {miss.part === "precedence" ? "It matches too, but the route found is more specific" : (
                  <>{miss.part}{miss.condition !== undefined && ` ${miss.condition}`}: wants <code>{miss.wanted || "none"}</code>, has <code>{miss.given || "none"}</code></>
                )}
                {(miss.others ?? 0) > 0 && `, and ${miss.others} more`}
              </Text>
            </Table.Td>
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

function StageView({ environment, stage }: { environment: string; stage: Stage }) {
  const verdict = verdicts[stage.verdict ?? ""] ?? { tone: "calm" as const, words: stage.verdict ?? "" };
  return (
    <li className={classes.stage} data-stage={stage.name} data-verdict={stage.verdict}>
      <Stack gap={2}>
        <Group gap="xs">
          <Link to="/environments/$environment/policies/$key" params={{ environment, key: stage.policy ?? "" }} className={classes.stageName}>{stage.name}</Link>
          <Tag tone={verdict.tone}>{verdict.words}</Tag>
          {stage.mode !== "enforce" && <Tag tone={modeTone(stage.mode)}>{stage.mode}</Tag>}
        </Group>
        <Text size="sm" c="dimmed">
          <KindName kind={stage.kind ?? ""} /> · {stage.phase} · {stage.level}
          {stage.took_ns !== undefined && ` · ${(stage.took_ns / 1000).toFixed(1)} µs`}
        </Text>
        {stage.reason !== undefined && <Text size="sm">{stage.reason} {stage.code !== undefined && <code>{stage.code}</code>}</Text>}
        {(stage.findings ?? []).length > 0 && <FindingTable findings={stage.findings ?? []} />}
      </Stack>
    </li>
  );
}

function HeaderTable({ headers }: { headers: Header[] }) {
  if (headers.length === 0) return null;
  return (
    <Table aria-label="Headers">
      <Table.Tbody>
        {headers.map((header, i) => (
          <Table.Tr key={i}><Table.Th scope="row" className={classes.headerName}>{header.name}</Table.Th><Table.Td><code>{header.value}</code></Table.Td></Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}
