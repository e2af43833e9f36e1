import { Text } from "@mantine/core";
import { type ComponentType, type ReactNode, createContext, useContext } from "react";
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

interface CodeProps {
  code: string;
  /** Where the problem is described; "": nowhere. */
  type: string;
}

/** ProblemCode shows a problem's code: by itself, or as what opens the problem's page where somebody can fetch it. */
export const ProblemCode = createContext<ComponentType<CodeProps>>(({ code }) => <code>{code}</code>);

/** Problem shows a refusal with what an operator needs to follow it up. */
export function Problem({ refusal, children }: { refusal: Refusal; children?: ReactNode }) {
  const Code = useContext(ProblemCode);
  return (
    <div className={classes.problem} role="alert" data-problem={refusal.code}>
      <span className={classes.problemIcon}><Icon name="alert" size={20} /></span>
      <div>
        <Text fw={600}>{refusal.title}</Text>
        {refusal.detail !== "" && <Text size="sm">{refusal.detail.slice(0, 1).toUpperCase() + refusal.detail.slice(1)}</Text>}
        {children}
        <Text size="xs" mt={6} component="div" className={classes.problemFacts}>
          <Code code={refusal.code} type={refusal.type} />
          {refusal.requestID !== "" && <> · request <code>{refusal.requestID}</code></>}
        </Text>
      </div>
    </div>
  );
}
