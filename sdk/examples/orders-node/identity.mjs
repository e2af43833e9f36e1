// Checks the identity tokens by which a Sallyport gateway tells a service who calls. It needs Node.js 20 and nothing else.
import { createPublicKey, verify } from "node:crypto";

const maxAge = 300_000; // for how long a set of keys is used, as the gateway says
const grace = 86_400_000; // for how long keys are believed while they can't be fetched
const pause = 1_000; // the least time between two fetches for a key that nobody knows
const retry = 10_000; // and for a set that is too old
const leeway = 30; // seconds by which the gateway's clock may be off
const maxToken = 16384;
// What a key may be, and how a signature by it is checked: the key says so, never the token alone (RFC 8725, section 3.1).
const kinds = { "EC P-256 ES256": "sha256", "OKP Ed25519 EdDSA": null };

export class Refused extends Error {}

function decode(part) {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) throw new Refused("a part of it isn't Base64url");
  const raw = Buffer.from(part, "base64url");
  if (raw.toString("base64url") !== part) throw new Refused("a part of it has two forms");
  return raw;
}

function parse(part) {
  let value;
  try {
    value = JSON.parse(decode(part).toString("utf8"));
  } catch {
    value = null;
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Refused("a part of it is no JSON object");
  return value;
}

export function newChecker({ keysURL, issuer, audience, now = Date.now }) {
  if (!keysURL || !issuer || !audience) throw new Error("keysURL, issuer and audience are needed");
  let keys = new Map();
  let fetched = -Infinity;
  let tried = -Infinity;
  let failed = null;
  let fetching = null;

  async function fetchKeys() {
    tried = now();
    try {
      const answer = await fetch(keysURL, { redirect: "error", signal: AbortSignal.timeout(5_000) });
      if (!answer.ok) throw new Error(`the keys can't be fetched: ${answer.status}`);
      const found = new Map();
      for (const jwk of (await answer.json()).keys) {
        const hash = kinds[`${jwk.kty} ${jwk.crv} ${jwk.alg}`];
        if (hash === undefined || !jwk.kid) continue; // of a kind that isn't known here (RFC 7517, section 5)
        found.set(jwk.kid, { algorithm: jwk.alg, hash, key: createPublicKey({ key: jwk, format: "jwk" }) });
      }
      keys = found;
      fetched = now();
      failed = null;
    } catch (error) {
      failed = error;
    }
  }

  async function find(id) {
    const look = () => (now() - fetched < grace ? keys.get(id) : undefined);
    let key = look();
    const due = key ? now() - fetched >= maxAge && now() - tried >= retry : now() - tried >= pause;
    if (due) fetching ??= fetchKeys().finally(() => (fetching = null));
    if (fetching && (due || !key)) {
      await fetching;
      key = look();
    }
    if (key) return key;
    throw failed ?? new Refused("nobody knows its key");
  }

  // check returns what a token says, or throws: Refused if the token is at fault.
  return async function check(token) {
    if (typeof token !== "string" || token.length > maxToken) throw new Refused("there is none, or it is too long");
    const parts = token.split(".");
    if (parts.length !== 3) throw new Refused("it hasn't three parts");
    const head = parse(parts[0]);
    if (typeof head.kid !== "string" || "crit" in head) throw new Refused("its head names no key, or something that must be understood");
    const key = await find(head.kid);
    const message = Buffer.from(`${parts[0]}.${parts[1]}`);
    const good = head.alg === key.algorithm && verify(key.hash, message, { key: key.key, dsaEncoding: "ieee-p1363" }, decode(parts[2]));
    if (!good) throw new Refused("its signature isn't good");
    const says = parse(parts[1]);
    const seconds = now() / 1000;
    if (says.iss !== issuer) throw new Refused("another issuer");
    if (says.aud !== audience) throw new Refused("it is meant for another service");
    if (typeof says.sub !== "string" || says.sub === "") throw new Refused("it has no subject");
    if (!(Number.isFinite(says.exp) && says.exp + leeway > seconds)) throw new Refused("it has ended");
    if (says.nbf !== undefined && !(says.nbf - leeway <= seconds)) throw new Refused("it hasn't begun");
    return says;
  };
}
