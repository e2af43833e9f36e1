import { useSyncExternalStore } from "react";

/** How somebody is signed in here: by the session that the browser has a cookie of, which no script reads, or by an access token. Until the
 * API was asked it isn't known whether there is a session. The token is kept in this tab's session storage: it outlives a reload, ends with
 * the tab, is read by no other origin, and no request carries it unless the page says so. It is never in a URL, a cookie or local storage. */
export type Standing = "unknown" | "out" | "session" | "token";

const place = "sallyport.token";

let known: "unknown" | "out" | "session" = "unknown";
const watchers = new Set<() => void>();

export const session = {
  token: () => sessionStorage.getItem(place) ?? "",
  standing: (): Standing => (session.token() === "" ? known : "token"),
  /** A token was tried, and is good. */
  begin(token: string) {
    sessionStorage.setItem(place, token);
    tell();
  },
  /** The API says that the browser has a session. */
  recognise() {
    if (known === "session") return;
    known = "session";
    tell();
  },
  end() {
    if (session.token() === "") known = "out";
    else known = "unknown"; // there may be a session besides
    sessionStorage.removeItem(place);
    tell();
  },
};

function tell() {
  for (const watcher of watchers) watcher();
}

export function useStanding(): Standing {
  return useSyncExternalStore((watcher) => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }, session.standing);
}

/** returnPath is where to go on to once somebody has signed in elsewhere: where they are, without what a refusal has put there. */
export function returnPath(location: { pathname: string }): string {
  return location.pathname.startsWith("/invitation") ? "/" : location.pathname;
}
