import { Table, Text, VisuallyHidden } from "@mantine/core";
import type { Schemas } from "@sallyport/client";
import { Tag } from "@sallyport/ui";
import type { ReactNode } from "react";
import classes from "./requests.module.css";

/** Found is what a finding of a request and one of an explanation share. */
type Found = Schemas["ExplanationFinding"] & Pick<Schemas["RequestFinding"], "in_answer" | "exclusion_name" | "policy_name">;

/** FindingTable lists what inspections found: which rule, where, what it looked like, and what it added. */
export function FindingTable<F extends Found>({ findings, action }: { findings: F[]; action?: (finding: F) => ReactNode }) {
  return (
    <Table.ScrollContainer minWidth={620} scrollAreaProps={{ offsetScrollbars: "present" }}>
      <Table aria-label="What was found" verticalSpacing="sm" className={classes.findings}>
        <Table.Thead>
          <Table.Tr><Table.Th>Rule</Table.Th><Table.Th>Where, and what matched</Table.Th><Table.Th>Score</Table.Th>{action !== undefined && <Table.Th><VisuallyHidden>What can be done</VisuallyHidden></Table.Th>}</Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {findings.map((finding, i) => (
            <Table.Tr key={i} data-finding={finding.rule}>
              <Table.Td>
                <Text size="sm" fw={600}>{finding.rule}</Text>
                <Text size="sm" c="dimmed">{finding.message}</Text>
                {finding.exclusion !== undefined && <Tag tone="violet">excluded in shadow{finding.exclusion_name === undefined ? "" : ` by ${finding.exclusion_name}`}</Tag>}
              </Table.Td>
              <Table.Td>
                <Text size="sm"><code>{finding.target}</code>{finding.in_answer === true && <> <Tag>in the answer</Tag></>}</Text>
                {finding.part !== undefined && <code className={classes.part} title="Letters and digits are masked; words of attacks and punctuation aren't">{finding.part}</code>}
              </Table.Td>
              <Table.Td>{finding.score ?? 0}</Table.Td>
              {action !== undefined && <Table.Td>{action(finding)}</Table.Td>}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
