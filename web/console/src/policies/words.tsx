import type { Tone } from "@sallyport/ui";
import { wordsOf } from "@sallyport/ui/form";
import { useQuery } from "@tanstack/react-query";
import { kindsQuery } from "../api";

/** KindName is what people call a kind. */
export function KindName({ kind }: { kind: string }) {
  const kinds = useQuery(kindsQuery);
  return <>{kinds.data?.find((k) => k.name === kind)?.title ?? wordsOf(kind)}</>;
}

export function modeTone(mode: string | undefined): Tone {
  switch (mode ?? "enforce") {
    case "enforce":
      return "good";
    case "shadow":
      return "violet";
    default:
      return "calm";
  }
}

/** whenOf says where in the order of a request a kind's policies run. */
export function whenOf(phase: string): string {
  const words: Record<string, string> = {
    guard: "before anything is known of the caller",
    authenticate: "where the caller is found out",
    authorize: "once the caller is known",
    limit: "once the caller is allowed",
    inspect: "where requests are looked into",
    cache: "where a kept answer may do",
    transform: "last before the service",
  };
  return words[phase] ?? phase;
}
