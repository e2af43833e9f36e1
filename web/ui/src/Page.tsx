import { Button, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import { Icon, type IconName } from "./icons";
import { Problem, type Refusal } from "./Problem";
import classes from "./ui.module.css";

interface PageProps {
  title: string;
  lead?: ReactNode;
  actions?: ReactNode;
  back?: ReactNode;
  children: ReactNode;
}

/** Page is what stands beside the navigation: its title, what can be done, and its content. */
export function Page({ title, lead, actions, back, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Sallyport`;
  }, [title]);
  return (
    <div className={classes.page}>
      {back}
      <Group justify="space-between" align="flex-start" mb="lg" className={classes.pageHead}>
        <div>
          <Title order={1}>{title}</Title>
          {lead !== undefined && <Text c="dimmed" mt={4} maw="46rem">{lead}</Text>}
        </div>
        {actions}
      </Group>
      {children}
    </div>
  );
}

/** Panel is a part of a page, on a ground of its own. */
export function Panel({ title, lead, aside, children, flush = false }: { title?: string; lead?: string; aside?: ReactNode; children: ReactNode; flush?: boolean }) {
  return (
    <section className={classes.panel} data-flush={flush || undefined}>
      {title !== undefined && (
        <Group justify="space-between" align="flex-start" mb="md" className={classes.panelHead}>
          <div>
            <Title order={2}>{title}</Title>
            {lead !== undefined && <Text size="sm" c="dimmed" mt={2} maw="46rem">{lead}</Text>}
          </div>
          {aside}
        </Group>
      )}
      {children}
    </section>
  );
}

export function Empty({ icon, title, children, action }: { icon: IconName; title: string; children: ReactNode; action?: ReactNode }) {
  return (
    <Stack align="center" gap="xs" className={classes.empty}>
      <span className={classes.emptyIcon}><Icon name={icon} size={26} /></span>
      <Title order={2}>{title}</Title>
      <Text c="dimmed" ta="center" maw="30rem">{children}</Text>
      {action}
    </Stack>
  );
}

/** Loading stands where rows will be. */
export function Loading({ rows = 5 }: { rows?: number }) {
  return (
    <Stack gap="sm" p="lg" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, i) => <Skeleton key={i} height={34} radius="md" />)}
    </Stack>
  );
}

interface AsyncProps<T> {
  query: { data: T | undefined; error: unknown; isPending: boolean; refetch: () => unknown };
  refusalOf: (error: unknown) => Refusal;
  children: (data: T) => ReactNode;
  rows?: number;
}

/** Async shows what was asked for, or that it is on its way, or why it won't come. */
export function Async<T>({ query, refusalOf, children, rows }: AsyncProps<T>) {
  if (query.data !== undefined) return <>{children(query.data)}</>;
  if (query.error !== null && query.error !== undefined) {
    return (
      <div className={classes.failed}>
        <Problem refusal={refusalOf(query.error)} />
        <Button variant="default" mt="md" onClick={() => void query.refetch()}>Try again</Button>
      </div>
    );
  }
  return <Loading rows={rows} />;
}

