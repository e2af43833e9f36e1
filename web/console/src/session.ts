import { useSyncExternalStore } from "react";

/** The access token is kept in this tab's session storage: it outlives a reload, ends with the tab, is read by no other origin, and no
 * request carries it unless the page says so. It is never in a URL, a cookie or local storage. Sign-in by session comes with the portal. */
const place = "sallyport.token";

const watchers = new Set<() => void>();

export const session = {
  token: () => sessionStorage.getItem(place) ?? "",
  begin(token: string) {
    sessionStorage.setItem(place, token);
    tell();
  },
  end() {
    sessionStorage.removeItem(place);
    tell();
  },
};

function tell() {
  for (const watcher of watchers) watcher();
}

export function useToken(): string {
  return useSyncExternalStore((watcher) => {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }, session.token);
}
