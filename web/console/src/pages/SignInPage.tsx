import { Anchor, Button, Divider, PasswordInput, Text, TextInput, Title } from "@mantine/core";
import { took } from "@sallyport/client";
import { Mark, Problem } from "@sallyport/ui";
import { useMutation, useQuery } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useEffect, useState } from "react";
import { api, environmentsQuery, queries, refusalOf } from "../api";
import { meQuery } from "../me";
import { returnPath, session } from "../session";
import classes from "./pages.module.css";

/** SignInPage lets somebody in: with a password, at a provider, or with an access token. */
export function SignInPage() {
  const [byToken, setByToken] = useState(false);
  useEffect(() => {
    document.title = "Sign in · Sallyport";
  }, []);
  const options = useQuery({ queryKey: ["sign-in"], queryFn: async () => took(await api.GET("/api/v1/sign-in")) });
  const providers = options.data?.providers ?? [];
  const password = options.data === undefined || options.data.password === true;
  return (
    <Card title="Sign in to Sallyport">
      <Returned />
      {!byToken && providers.map((provider) => (
        <Button
          key={provider.name}
          component="a"
          href={`/api/v1/sign-in/providers/${encodeURIComponent(provider.name ?? "")}?return=${encodeURIComponent(returnPath(window.location))}`}
          variant="default"
          fullWidth
          mt="md"
          data-provider={provider.name}
        >
          Sign in with {provider.title}
        </Button>
      ))}
      {!byToken && password && providers.length > 0 && <Divider label="or" mt="md" />}
      {!byToken && password && <ByPassword />}
      {byToken && <ByToken />}
      <Anchor component="button" type="button" size="sm" mt="lg" onClick={() => setByToken(!byToken)}>
        {byToken ? "Use another way" : "Use an access token"}
      </Anchor>
    </Card>
  );
}

/** Card is what stands in the console's place for who isn't in it. */
export function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className={classes.signIn}>
      <div className={classes.signInCard}>
        <Mark size={44} />
        <Title order={1} mt="md">{title}</Title>
        {children}
      </div>
    </main>
  );
}

/** Returned says why nobody was let in who comes back from a provider: in the API's words, since anybody can write an address. */
function Returned() {
  const code = new URLSearchParams(window.location.search).get("sign-in-problem") ?? "";
  const page = useQuery({
    queryKey: ["problem", code],
    queryFn: async () => took(await api.GET("/api/v1/problems/{name}", { params: { path: { name: code } } })),
    enabled: /^[a-z_]{1,64}$/.test(code),
  });
  if (page.data === undefined) return null;
  const { title = "", description = "", type = "" } = page.data;
  return <Refused refusal={{ title, detail: description, code, requestID: "", status: 0, type, errors: [] }} />;
}

export function Refused({ refusal }: { refusal: Parameters<typeof Problem>[0]["refusal"] }) {
  return (
    <div className={classes.signInProblem}>
      <Problem refusal={refusal} />
    </div>
  );
}

function ByPassword() {
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const attempt = useMutation({
    mutationFn: async () => took(await api.POST("/api/v1/sign-in", { body: { user: user.trim(), password, code: code.trim() } })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: meQuery.queryKey });
      session.recognise();
    },
  });
  const refusal = attempt.error === null ? undefined : refusalOf(attempt.error);
  const [factor, setFactor] = useState(false);
  useEffect(() => {
    if (refusal?.code === "second_factor_needed") setFactor(true);
  }, [refusal?.code]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (user.trim() !== "" && password !== "") attempt.mutate();
  };
  return (
    <>
      <form onSubmit={submit}>
        <TextInput label="User name or e-mail" value={user} onChange={(e) => setUser(e.currentTarget.value)} autoComplete="username" autoFocus mt="md" />
        <PasswordInput
          label="Password"
          value={password}
          onChange={(e) => setPassword(e.currentTarget.value)}
          autoComplete="current-password"
          mt="sm"
          visibilityToggleButtonProps={{ "aria-label": "Show or hide the password" }}
        />
        {factor && (
          <TextInput
            label="Code"
            description="Of your authenticator app, or one of your recovery codes."
            value={code}
            onChange={(e) => setCode(e.currentTarget.value)}
            autoComplete="one-time-code"
            autoFocus
            mt="sm"
          />
        )}
        <Button type="submit" fullWidth mt="md" loading={attempt.isPending}>Sign in</Button>
      </form>
      {refusal !== undefined && !(refusal.code === "second_factor_needed" && code === "") && <Refused refusal={refusal} />}
    </>
  );
}

/** ByToken asks for an access token, and tries it before it is kept. */
function ByToken() {
  const [token, setToken] = useState("");
  const trial = useMutation({
    mutationFn: async () => took(await api.GET("/api/v1/environments", {
      params: { query: { limit: 500 } },
      headers: { Authorization: `Bearer ${token.trim()}` },
    })),
    onSuccess: (page) => {
      queries.setQueryData(environmentsQuery.queryKey, page.data);
      session.begin(token.trim());
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() !== "") trial.mutate();
  };
  return (
    <>
      <Text c="dimmed" mt={4}>It stays in this tab, and is forgotten when the tab is closed.</Text>
      <form onSubmit={submit}>
        <PasswordInput
          label="Access token"
          placeholder="spat_…"
          value={token}
          onChange={(e) => setToken(e.currentTarget.value)}
          autoComplete="off"
          autoFocus
          mt="lg"
          visibilityToggleButtonProps={{ "aria-label": "Show or hide the token" }}
        />
        <Button type="submit" fullWidth mt="md" loading={trial.isPending}>Sign in</Button>
      </form>
      {trial.error !== null && <Refused refusal={refusalOf(trial.error)} />}
      <Text size="sm" c="dimmed" mt="lg">
        An operator makes one with <code>sallyport-control token create</code>. <code>make run</code> prints that of the local stack.
      </Text>
    </>
  );
}
