import { Anchor, Popover, Stack, Text, UnstyledButton } from "@mantine/core";
import { type Schemas, took } from "@sallyport/client";
import { Loading } from "@sallyport/ui";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, refusalOf } from "../api";
import classes from "./pages.module.css";

/** ProblemPopover is a problem's code, which opens what the API says of it: what it means, and what mends it. A problem that is the page's
 * own, such as a control plane that isn't reached, is described nowhere. */
export function ProblemPopover({ code, type }: { code: string; type: string }) {
  const [open, setOpen] = useState(false);
  if (type === "") return <code>{code}</code>;
  return (
    <Popover opened={open} onChange={setOpen} width={420} position="bottom-start" shadow="lg" withArrow trapFocus returnFocus>
      <Popover.Target>
        <UnstyledButton className={classes.code} onClick={() => setOpen(!open)} aria-label={`What ${code} means`}><code>{code}</code></UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown>{open && <PageOf code={code} />}</Popover.Dropdown>
    </Popover>
  );
}

function PageOf({ code }: { code: string }) {
  const page = useQuery({
    queryKey: ["problems", code],
    queryFn: async () => took(await api.GET("/api/v1/problems/{name}", { params: { path: { name: code } } })) as Schemas["ProblemPage"],
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (page.error !== null) return <Text size="sm">{refusalOf(page.error).detail}</Text>;
  if (page.data === undefined) return <Loading rows={3} />;
  return (
    <Stack gap="xs" data-problem-page={code}>
      <Text fw={620}>{page.data.title} <Text span c="dimmed" size="sm">{page.data.status}</Text></Text>
      <Part text={page.data.description} />
      <Part title="For the caller" text={page.data.caller} />
      <Part title="For the operator" text={page.data.operator} />
      <Part title="How to mend it" text={page.data.mend} />
      <Anchor size="sm" href={`/api/v1/problems/${encodeURIComponent(code)}`} target="_blank" rel="noreferrer">The problem's page</Anchor>
    </Stack>
  );
}

/** Part is a paragraph of the page, what is between backquotes as code. */
function Part({ title, text = "" }: { title?: string; text?: string }) {
  if (text === "") return null;
  return (
    <Text size="sm">
      {title !== undefined && <strong>{title}: </strong>}
      {text.split("`").map((piece, i) => (i % 2 === 1 ? <code key={i}>{piece}</code> : piece))}
    </Text>
  );
}
