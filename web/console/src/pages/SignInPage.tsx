import { Button, PasswordInput, Text, Title } from "@mantine/core";
import { took } from "@sallyport/client";
import { Mark, Problem } from "@sallyport/ui";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";
import { api, environmentsQuery, queries, refusalOf } from "../api";
import { session } from "../session";
import classes from "./pages.module.css";

/** SignInPage asks for an access token, and tries it before it is kept. */
export function SignInPage() {
  const [token, setToken] = useState("");
  useEffect(() => {
    document.title = "Sign in · Sallyport";
  }, []);
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
    <main className={classes.signIn}>
      <div className={classes.signInCard}>
        <Mark size={44} />
        <Title order={1} mt="md">Sign in to Sallyport</Title>
        <Text c="dimmed" mt={4}>Use an access token of yours. It stays in this tab, and is forgotten when the tab is closed.</Text>
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
        {trial.error !== null && (
          <div className={classes.signInProblem}>
            <Problem refusal={refusalOf(trial.error)} />
          </div>
        )}
        <Text size="sm" c="dimmed" mt="lg">
          An operator makes one with <code>sallyport-control token create</code>. <code>make run</code> prints that of the local stack.
        </Text>
      </div>
    </main>
  );
}
