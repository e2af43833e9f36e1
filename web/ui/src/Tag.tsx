import type { ReactNode } from "react";
import classes from "./ui.module.css";

export type Tone = "good" | "warn" | "bad" | "calm" | "accent" | "violet";

/** Tag is a small word about something, with enough contrast to be read. */
export function Tag({ tone = "calm", children, title }: { tone?: Tone; children: ReactNode; title?: string }) {
  return <span className={classes.tag} data-tone={tone} title={title}>{children}</span>;
}
