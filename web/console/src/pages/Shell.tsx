import { ActionIcon, AppShell, Burger, Button, Group, NavLink, Select, Text, Tooltip, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Icon, type IconName, Mark } from "@sallyport/ui";
import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useParams, useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";
import { api, environmentsQuery, queries } from "../api";
import { meQuery, rolesOf, useMay } from "../me";
import { session, useStanding } from "../session";
import classes from "./pages.module.css";
import { Card, SignInPage } from "./SignInPage";

const places: { to: `/environments/$environment/${"routes" | "policies" | "keys" | "requests" | "findings" | "explain"}`; label: string; icon: IconName; needs: string }[] = [
  { to: "/environments/$environment/routes", label: "Routes", icon: "routes", needs: "configuration.read" },
  { to: "/environments/$environment/policies", label: "Policies", icon: "policies", needs: "configuration.read" },
  { to: "/environments/$environment/keys", label: "API keys", icon: "keys", needs: "credentials.read" },
  { to: "/environments/$environment/requests", label: "Requests", icon: "requests", needs: "usage.read" },
  { to: "/environments/$environment/findings", label: "Findings", icon: "findings", needs: "usage.read" },
  { to: "/environments/$environment/explain", label: "Explain a request", icon: "explain", needs: "explain.use" },
];

/** Shell is around every page of whoever is signed in. The sign-in stands in its place, at whatever address was asked for. */
export function Shell() {
  switch (useStanding()) {
    case "unknown":
      return <Recognition />;
    case "out":
      return <SignInPage />;
    default:
      return <Admitted />;
  }
}

/** Recognition asks the API whether the browser has a session: no script can see. That there is none, the client says itself. */
function Recognition() {
  const me = useQuery({ ...meQuery, retry: false });
  useEffect(() => {
    if (me.isSuccess) session.recognise();
    else if (me.isError) session.end();
  }, [me.isSuccess, me.isError]);
  return null;
}

/** Admitted is for who is let in, and may do more than set a second factor up. */
function Admitted() {
  const me = useQuery(meQuery);
  if (me.data?.second_factor_needed !== true) return <SignedIn />;
  return (
    <Card title="Set a second factor up">
      <Text mt="md">
        Whoever has a role needs one here. Set an authenticator app up with <code>POST /api/v1/me/second-factor</code>, and sign in again.
      </Text>
      <Button mt="md" variant="default" onClick={() => void signOut()}>Sign out</Button>
    </Card>
  );
}

/** signOut ends the session, and forgets a token. What can't be told to the API isn't shown here any longer all the same. */
async function signOut(): Promise<void> {
  try {
    if (session.standing() === "session") await api.POST("/api/v1/sign-out");
  } finally {
    session.end();
    queries.clear();
  }
}

function SignedIn() {
  const [open, { toggle, close }] = useDisclosure(false);
  const { environment } = useParams({ strict: false });
  const path = useRouterState({ select: (s) => s.location.pathname });
  const may = useMay(environment ?? "");
  return (
    <AppShell padding={0} header={{ height: { base: 56, sm: 0 } }} navbar={{ width: 248, breakpoint: "sm", collapsed: { mobile: !open } }}>
      <AppShell.Header hiddenFrom="sm" px="md" className={classes.header}>
        <Burger opened={open} onClick={toggle} aria-label="Navigation" size="sm" />
        <Mark size={26} />
        <Text fw={650}>Sallyport</Text>
      </AppShell.Header>
      <AppShell.Navbar className={classes.navbar} aria-label="Main">
        <a href="#main" className={classes.skip}>Skip to content</a>
        <Link to="/" className={classes.brand}>
          <Mark />
          <span>Sallyport</span>
        </Link>
        <EnvironmentSelect />
        <div className={classes.links}>
          {environment !== undefined && places.filter((place) => may(place.needs)).map((place) => (
            <NavLink
              key={place.to}
              label={place.label}
              leftSection={<Icon name={place.icon} />}
              active={path.startsWith(place.to.replace("$environment", encodeURIComponent(environment)))}
              classNames={{ root: classes.link }}
              renderRoot={(props) => <Link to={place.to} params={{ environment }} {...props} />}
              onClick={close}
            />
          ))}
        </div>
        <Group justify="space-between" gap={4} wrap="nowrap" className={classes.foot}>
          <WhoIAm />
          <Brightness />
          <Tooltip label="Sign out">
            <ActionIcon
              variant="subtle"
              color="gray"
              size="lg"
              aria-label="Sign out"
              onClick={() => void signOut()}
            >
              <Icon name="out" />
            </ActionIcon>
          </Tooltip>
        </Group>
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} className={classes.main}>
        <Outlet />
      </AppShell.Main>
    </AppShell>
  );
}

/** WhoIAm says as whom the API takes the token, and in which roles. */
function WhoIAm() {
  const { environment } = useParams({ strict: false });
  const me = useQuery(meQuery);
  const all = useQuery(environmentsQuery);
  if (me.data === undefined) return <div className={classes.me} />;
  const roles = rolesOf(me.data, all.data?.find((e) => e.name === environment)?.id);
  const what = me.data.is_user === true ? "user" : "service token";
  return (
    <div className={classes.me} data-me={me.data.name} title={`${me.data.name} (${what})`}>
      <div className={classes.meName}>{me.data.name}</div>
      <div className={classes.meRole}>{roles.length === 0 ? `${what} without a role here` : roles.join(", ")}</div>
    </div>
  );
}

function EnvironmentSelect() {
  const { environment } = useParams({ strict: false });
  const navigate = useNavigate();
  const all = useQuery(environmentsQuery);
  return (
    <Select
      label="Environment"
      data={(all.data ?? []).map((e) => e.name ?? "")}
      value={environment ?? null}
      allowDeselect={false}
      searchable={(all.data?.length ?? 0) > 8}
      placeholder={all.isPending ? "Loading …" : "Choose …"}
      comboboxProps={{ shadow: "md" }}
      className={classes.environment}
      onChange={(name) => name !== null && void navigate({ to: "/environments/$environment/routes", params: { environment: name } })}
    />
  );
}

function Brightness() {
  const { setColorScheme } = useMantineColorScheme();
  const now = useComputedColorScheme("light");
  const next = now === "light" ? "dark" : "light";
  return (
    <Tooltip label={`Switch to ${next}`}>
      <ActionIcon variant="subtle" color="gray" size="lg" aria-label={`Switch to ${next}`} onClick={() => setColorScheme(next)}>
        <Icon name={now === "light" ? "moon" : "sun"} />
      </ActionIcon>
    </Tooltip>
  );
}
