import { Button, Group } from "@mantine/core";
import { useEffect, useState } from "react";

/** usePages goes through a list by its cursors, forth and back. It begins anew when what is asked for changes. */
export function usePages(of: unknown[]) {
  const [cursors, setCursors] = useState<string[]>([]);
  const key = JSON.stringify(of);
  useEffect(() => setCursors([]), [key]);
  const last = cursors.at(-1);
  const Foot = ({ next }: { next: string | null }) => next === null && last === undefined ? null : (
    <Group justify="flex-end" p="md" gap="xs">
      <Button variant="default" size="compact-md" disabled={last === undefined} onClick={() => setCursors(cursors.slice(0, -1))}>Previous</Button>
      <Button variant="default" size="compact-md" disabled={next === null} onClick={() => next !== null && setCursors([...cursors, next])}>Next</Button>
    </Group>
  );
  const query: Record<string, string> = last === undefined ? {} : { cursor: last };
  return { query, Foot };
}
