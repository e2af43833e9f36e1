// An OpenID provider for tests. Its settings come in PROVIDER (JSON: port, clients, accounts, resources); it takes commands on its standard
// input, a line of JSON each, and answers each with one on its standard output. It ends with its input.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import http from 'node:http';
import readline from 'node:readline';

import Provider from 'oidc-provider';

console.log = console.info = console.warn = console.error; // the standard output is for answers

const settings = JSON.parse(process.env.PROVIDER);
const issuer = `http://127.0.0.1:${settings.port}`;
const kinds = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};
const newKeys = () =>
  Object.entries(kinds).map(([alg, make]) => ({ ...make().privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg }));

// What the provider remembers: it outlives a change of its keys.
const memory = new Map();
class Memory {
  constructor(model) {
    this.model = model;
  }
  key(id) {
    return `${this.model}:${id}`;
  }
  async upsert(id, payload) {
    memory.set(this.key(id), payload);
  }
  async find(id) {
    return memory.get(this.key(id));
  }
  async findByUid(uid) {
    return [...memory.values()].find((payload) => payload.uid === uid);
  }
  async findByUserCode() {
    return undefined;
  }
  async consume(id) {
    memory.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    memory.delete(this.key(id));
  }
  async revokeByGrantId(grantId) {
    for (const [key, payload] of memory) if (payload.grantId === grantId) memory.delete(key);
  }
}

// Whoever has signed in has agreed to everything that the client asks for.
async function agreed(ctx) {
  const { client, session, params } = ctx.oidc;
  const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(params.scope ?? 'openid');
  for (const resource of Object.keys(settings.resources)) grant.addResourceScope(resource, settings.resources[resource].scope);
  await grant.save();
  return grant;
}

function provider(keys) {
  return new Provider(issuer, {
    adapter: Memory,
    jwks: { keys },
    clients: settings.clients,
    cookies: { keys: ['tests'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    findAccount: (_, id) => {
      const account = settings.accounts[id];
      return account && { accountId: id, claims: async () => ({ sub: id, ...account }) };
    },
    extraTokenClaims: (ctx, token) => settings.accounts[token.accountId]?.access,
    loadExistingGrant: agreed,
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx, client, oneOf) => oneOf,
        useGrantedResource: () => true,
        getResourceServerInfo: (ctx, resource) => {
          const { scope, algorithm, seconds } = settings.resources[resource];
          return { scope, audience: resource, accessTokenTTL: seconds, accessTokenFormat: 'jwt', jwt: { sign: { alg: algorithm } } };
        },
      },
    },
    ttl: { Interaction: 600, Session: 3600, Grant: 3600, IdToken: 3600, AccessToken: 3600 },
  }).callback();
}

let signing = newKeys();
let answer = provider(signing);
const asked = { jwks: 0, discovery: 0 };
const server = http.createServer((request, response) => {
  if (request.url === '/jwks') asked.jwks++;
  if (request.url.startsWith('/.well-known/')) asked.discovery++;
  answer(request, response);
});
const listen = () => new Promise((done, fail) => server.once('error', fail).listen(settings.port, '127.0.0.1', done));

const commands = {
  // New keys come: the first of each algorithm signs. Those before are shown on, if keep says so.
  rotate: async ({ keep }) => {
    signing = keep ? [...newKeys(), ...signing] : newKeys();
    answer = provider(signing);
    return { keys: signing.map(({ kid }) => kid) };
  },
  // The keys before the newest are taken back.
  retire: async () => {
    signing = signing.slice(0, Object.keys(kinds).length);
    answer = provider(signing);
    return { keys: signing.map(({ kid }) => kid) };
  },
  asked: async () => asked,
  down: () => new Promise((done) => server.close(() => done({})) && server.closeAllConnections()),
  up: async () => (await listen(), {}),
};

await listen();
process.stdout.write(`${JSON.stringify({ ready: issuer })}\n`);
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await commands[command](rest))}\n`);
}
process.exit(0);
