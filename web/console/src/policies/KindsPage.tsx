import { SimpleGrid, Text } from "@mantine/core";
import { Async, Icon, Page, Tag } from "@sallyport/ui";
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { kindsQuery, refusalOf } from "../api";
import { Back } from "./Back";
import classes from "./policies.module.css";
import { whenOf } from "./words";

/** KindsPage is where the kind of a new policy is chosen. */
export function KindsPage() {
  const { environment } = useParams({ strict: false }) as { environment: string };
  const kinds = useQuery(kindsQuery);
  return (
    <Page title="New policy" lead="Choose what it should do. The kind of a policy can't be changed afterwards." back={<Back environment={environment} />}>
      <Async query={kinds} refusalOf={refusalOf}>
        {(all) => (
          <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} spacing="md">
            {all.map((kind) => (
              <Link key={kind.name} to="/environments/$environment/policies/new/$kind" params={{ environment, kind: kind.name ?? "" }} className={classes.kind} data-kind={kind.name}>
                <span className={classes.kindName}>
                  {kind.title}
                  <Icon name="arrow" size={16} />
                </span>
                <Text size="sm" className={classes.kindText}>{kind.description}</Text>
                <span className={classes.kindFoot}>
                  {(kind.phases ?? []).map((phase) => <Tag key={phase} tone="accent" title={`Runs ${whenOf(phase)}`}>{phase}</Tag>)}
                  {kind.merges === true && <Tag title="Policies of this kind on several levels all apply">adds up</Tag>}
                  {kind.waits === true && <Tag tone="warn" title="It may wait for something outside the node">waits</Tag>}
                </span>
              </Link>
            ))}
          </SimpleGrid>
        )}
      </Async>
    </Page>
  );
}
