import { Text } from "@mantine/core";
import type { ReactNode } from "react";
import type { FieldError } from "./form/errors";
import { Icon } from "./icons";
import classes from "./ui.module.css";

/** Refusal is why the API didn't do what it was asked (RFC 9457), or why it couldn't be asked. */
export interface Refusal {
  title: string;
  detail: string;
  code: string;
  requestID: string;
  status: number;
  type: string;
  errors: FieldError[];
}

/** Problem shows a refusal with what an operator needs to follow it up. */
export function Problem({ refusal, children }: { refusal: Refusal; children?: ReactNode }) {
  return (
    <div className={classes.problem} role="alert" data-problem={refusal.code}>
      <span className={classes.problemIcon}><Icon name="alert" size={20} /></span>
      <div>
        <Text fw={600}>{refusal.title}</Text>
        {refusal.detail !== "" && <Text size="sm">{refusal.detail.slice(0, 1).toUpperCase() + refusal.detail.slice(1)}</Text>}
        {children}
        <Text size="xs" mt={6} className={classes.problemFacts}>
          <code>{refusal.code}</code>
          {refusal.requestID !== "" && <> · request <code>{refusal.requestID}</code></>}
        </Text>
      </div>
    </div>
  );
}
