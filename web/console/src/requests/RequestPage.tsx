import { Button, Group, Stack, Text } from "@mantine/core";
import { type Schemas, took } from "@sallyport/client";
import { Async, Icon, Page, Panel, Tag } from "@sallyport/ui";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useState } from "react";
import { api, refusalOf } from "../api";
import explained from "../explain/explain.module.css";
import { useMay } from "../me";
import policies from "../policies/policies.module.css";
import { KindName } from "../policies/words";
import { momentOf } from "../time";
import { FindingTable } from "./FindingTable";
import classes from "./requests.module.css";
import { SuggestDialog } from "./SuggestDialog";
import { excludable, verdicts, whoseOf } from "./words";

type Request = Schemas["AnsweredRequest"];

/** RequestPage shows one request: what became of it, which policy said what, and what inspections found in it. */
export function RequestPage() {
  const { environment, key } = useParams({ strict: false }) as { environment: string; key: string };
  const request = useQuery({
    queryKey: [environment, "requests", key],
    queryFn: async () => took(await api.GET("/api/v1/environments/{environment}/requests/{key}", { params: { path: { environment, key } } })) as Request,
  });
  return (
    <Page
      title="A request"
      lead={<code>{key}</code>}
      back={<Link to="/environments/$environment/requests" params={{ environment }} search={{}} className={policies.back}>← Requests</Link>}
    >
      <Async query={request} refusalOf={refusalOf}>
        {(found) => <RequestView environment={environment} request={found} />}
      </Async>
    </Page>
  );
}

function RequestView({ environment, request }: { environment: string; request: Request }) {
  const [excluded, setExcluded] = useState<number>();
  const may = useMay(environment);
  const decision = request.decision;
  const findings = decision?.findings ?? [];
  const stages = decision?.stages ?? [];
  return (
    <Stack gap="md">
      <Panel><Outcome request={request} /></Panel>
      {findings.length > 0 && (
        <Panel title="What was found" lead="What matched is masked: punctuation and words of attacks are shown, of all else each letter is an a and each digit a 0.">
          <FindingTable
            findings={findings}
            action={!may("waf-exclusions.write") ? undefined : (finding) => excludable(finding) && (
              <Button size="compact-sm" variant="default" aria-label={`Propose an exclusion of rule ${finding.rule} for ${finding.target}`} onClick={() => setExcluded(Number(finding.rule))}>
                Propose an exclusion
              </Button>
            )}
          />
        </Panel>
      )}
      {stages.length > 0 && (
        <Panel title="Policies, in running order">
          <ol className={explained.stages}>
            {stages.map((stage, i) => (
              <li key={i} className={explained.stage} data-stage={stage.name} data-verdict={stage.verdict}>
                <Group gap="xs">
                  <Link to="/environments/$environment/policies/$key" params={{ environment, key: stage.policy ?? "" }} className={explained.stageName}>{stage.name || stage.policy}</Link>
                  <Tag tone={verdicts[stage.verdict ?? ""]?.tone}>{verdicts[stage.verdict ?? ""]?.words ?? stage.verdict}</Tag>
                </Group>
                <Text size="sm" c="dimmed"><KindName kind={stage.kind ?? ""} /> · {stage.level}</Text>
                {stage.reason !== undefined && <Text size="sm">{stage.reason} {stage.code !== undefined && <code>{stage.code}</code>}</Text>}
              </li>
            ))}
          </ol>
        </Panel>
      )}
      <Panel title="What it was"><Facts request={request} /></Panel>
      {excluded !== undefined && <SuggestDialog environment={environment} request={request.request_id ?? ""} rule={excluded} onClose={() => setExcluded(undefined)} />}
    </Stack>
  );
}

function Outcome({ request }: { request: Request }) {
  const allowed = request.verdict === "allowed";
  return (
    <Group gap="sm" align="flex-start" wrap="nowrap" data-verdict={request.verdict}>
      <span className={explained.verdict} data-good={allowed || undefined}><Icon name={allowed ? "check" : "close"} size={22} /></span>
      <div>
        <Text fw={620} size="lg">{allowed ? "It was let through" : `It was refused: ${request.verdict ?? ""}`}</Text>
        {request.decision?.reason !== undefined && <Text size="sm" c="dimmed">{request.decision.reason}{request.policy_name ? ` (policy ${request.policy_name})` : ""}</Text>}
        <Group gap={6} mt="xs">
          <Tag tone={(request.status ?? 0) < 400 ? "good" : "bad"}>{request.status}</Tag>
          {request.shadow_verdict !== undefined && <Tag tone="violet">shadow: {request.shadow_verdict}</Tag>}
          <Tag>revision {request.revision ?? 0}</Tag>
          <Tag tone="accent">{whoseOf(request)}</Tag>
        </Group>
      </div>
    </Group>
  );
}

function Facts({ request }: { request: Request }) {
  const facts: [string, string | undefined][] = [
    ["Asked for", `${request.method ?? ""} ${request.decision?.scheme ?? "http"}://${request.host ?? ""}${request.path ?? ""}`],
    ["Answered", request.time === undefined ? undefined : momentOf(request.time)],
    ["Route", request.route_name || request.route],
    ["Service", request.decision?.service_name],
    ["Client", request.client],
    ["Node", request.node],
    ["Took", `${((request.duration_us ?? 0) / 1000).toFixed(1)} ms`],
    ["Trace", request.decision?.trace_id],
  ];
  return (
    <dl className={classes.facts}>
      {facts.filter(([, value]) => value !== undefined && value !== "").map(([name, value]) => <div key={name} className={classes.fact}><dt>{name}</dt><dd>{value}</dd></div>)}
    </dl>
  );
}
