import { Anchor, Button, PasswordInput, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";
import { api, inForm, refusalOf } from "../api";
import { Card, Refused } from "./SignInPage";

/** InvitationPage sets the password that an invitation is for. The invitation is behind the #, which is sent nowhere, and taken out of the
 * address at once. */
export function InvitationPage() {
  const [token] = useState(() => window.location.hash.slice(1));
  const [password, setPassword] = useState("");
  useEffect(() => {
    document.title = "Set your password · Sallyport";
    window.history.replaceState(window.history.state, "", window.location.pathname);
  }, []);
  const setting = useMutation({ mutationFn: () => api.POST("/api/v1/sign-in/invitation", { body: { token, password } }) });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setting.mutate();
  };
  const refusal = setting.error === null ? undefined : refusalOf(setting.error);
  const wrong = refusal?.errors.find((e) => e.pointer === "/password")?.detail;
  if (setting.isSuccess) {
    return (
      <Card title="Your password is set">
        <Text mt="md"><Anchor href="/">Sign in</Anchor> with it.</Text>
      </Card>
    );
  }
  return (
    <Card title="Set your password">
      <form onSubmit={submit}>
        <PasswordInput
          label="Password"
          description="12 characters at least. A few words are easy to remember."
          value={password}
          onChange={(e) => setPassword(e.currentTarget.value)}
          error={wrong}
          autoComplete="new-password"
          autoFocus
          mt="lg"
          visibilityToggleButtonProps={{ "aria-label": "Show or hide the password" }}
        />
        <Button type="submit" fullWidth mt="md" loading={setting.isPending}>Set password</Button>
      </form>
      {refusal !== undefined && <Refused refusal={inForm(refusal)} />}
    </Card>
  );
}
