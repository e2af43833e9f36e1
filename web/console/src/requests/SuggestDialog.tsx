import { Button, Group, Modal, Stack, Table, Text } from "@mantine/core";
import type { Schemas } from "@sallyport/client";
import { Async, Problem, Tag, type Tone } from "@sallyport/ui";
import { useMutation, useQuery } from "@tanstack/react-query";
import { queries, refusalOf } from "../api";
import { timeOf } from "../time";
import { suggest } from "./suggest";

interface SuggestProps {
  environment: string;
  request: string;
  rule: number;
  onClose: () => void;
}

/** SuggestDialog shows the narrowest exclusion of a rule for a request and what a node says that it would open, and makes it in shadow. */
export function SuggestDialog({ environment, request, rule, onClose }: SuggestProps) {
  const asked = useQuery({
    queryKey: [environment, "waf-exclusions", "suggest", request, rule],
    queryFn: () => suggest(environment, { request, rule }),
    gcTime: 0,
    staleTime: Infinity,
    retry: false,
  });
  const making = useMutation({
    mutationFn: () => suggest(environment, { request, rule, publish: true }),
    onSuccess: () => queries.invalidateQueries({ queryKey: [environment, "waf-exclusions", "page"] }),
  });
  return (
    <Modal opened onClose={onClose} title={`Exclude rule ${rule}`} size="lg" centered closeButtonProps={{ "aria-label": "Close" }}>
      {making.data?.published === true ? (
        <Stack gap="md" data-published>
          <Text>The exclusion is made, in shadow: it lets nothing pass yet. Requests that it would have let pass say so, here and in the report on findings. Patch its mode to <code>enforce</code> once they do.</Text>
          <Group justify="flex-end"><Button onClick={onClose}>Done</Button></Group>
        </Stack>
      ) : (
        <Async query={asked} refusalOf={refusalOf} rows={3}>
          {(suggestion) => (
            <Stack gap="md">
              <Proposed suggestion={suggestion} />
              {making.error !== null && <Problem refusal={refusalOf(making.error)} />}
              <Group justify="flex-end" gap="sm">
                <Button variant="default" onClick={onClose}>Cancel</Button>
                <Button loading={making.isPending} disabled={(suggestion.proposals ?? []).length === 0} onClick={() => making.mutate()}>Make it in shadow</Button>
              </Group>
            </Stack>
          )}
        </Async>
      )}
    </Modal>
  );
}

const judgements: Record<string, { tone: Tone; words: string }> = {
  narrow: { tone: "good", words: "opens no attack that was tried" },
  opens_attacks: { tone: "bad", words: "opens attacks" },
  untried: { tone: "warn", words: "nothing was tried" },
};

function Proposed({ suggestion }: { suggestion: Schemas["SuggestedExclusions"] }) {
  const judgement = judgements[suggestion.verdict ?? ""] ?? { tone: "calm", words: suggestion.verdict ?? "" };
  const opened = suggestion.trial?.opened ?? [];
  return (
    <>
      <div data-judgement={suggestion.verdict}>
        <Tag tone={judgement.tone}>{judgement.words}</Tag>
        {(suggestion.sentences ?? []).map((sentence, i) => <Text key={i} size="sm" mt={6}>{sentence}</Text>)}
      </div>
      <Table aria-label="What would be excluded">
        <Table.Thead><Table.Tr><Table.Th>Rule</Table.Th><Table.Th>Doesn't look at</Table.Th><Table.Th>Route</Table.Th><Table.Th>Until</Table.Th></Table.Tr></Table.Thead>
        <Table.Tbody>
          {(suggestion.proposals ?? []).map((exclusion, i) => (
            <Table.Tr key={i} data-proposal={exclusion.rule ?? exclusion.tag}>
              <Table.Td>{exclusion.rule ?? exclusion.tag}</Table.Td>
              <Table.Td><code>{exclusion.target}</code></Table.Td>
              <Table.Td>{suggestion.route_name}</Table.Td>
              <Table.Td>{exclusion.expires_at === undefined ? "" : timeOf(exclusion.expires_at)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {opened.length > 0 && (
        <Table aria-label="Attacks that would pass">
          <Table.Thead><Table.Tr><Table.Th>Attack that would pass</Table.Th><Table.Th>Text</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {opened.map((attack) => <Table.Tr key={attack.test} data-opened={attack.test}><Table.Td>{attack.title ?? attack.test}</Table.Td><Table.Td><code>{attack.payload}</code></Table.Td></Table.Tr>)}
          </Table.Tbody>
        </Table>
      )}
    </>
  );
}
