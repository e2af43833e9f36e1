// An example of a service behind a Sallyport gateway: it checks who calls by the gateway's identity token.
//
//   KEYS_URL=http://127.0.0.1:8080/.well-known/identity-keys ISSUER=https://gateway.example.com AUDIENCE=orders LISTEN=127.0.0.1:9000 node server.mjs
import { createServer } from "node:http";
import { newChecker, Refused } from "./identity.mjs";

const { KEYS_URL, ISSUER, AUDIENCE, LISTEN } = process.env;
const check = newChecker({ keysURL: KEYS_URL, issuer: ISSUER, audience: AUDIENCE });

function answer(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

const server = createServer(async (request, response) => {
  let caller;
  try {
    caller = await check(request.headers["x-identity-token"]); // of two fields Node makes one that no token is
  } catch (error) {
    return answer(response, error instanceof Refused ? 401 : 503, {});
  }
  if (!(caller.scope ?? "").split(" ").includes("orders:read")) return answer(response, 403, {});
  answer(response, 200, { subject: caller.sub, consumer: caller.consumer.name, request: request.headers["x-request-id"] });
});

const [, host, port] = LISTEN.match(/^(.*):(\d+)$/);
server.listen(Number(port), host, () => console.log(`${server.address().address}:${server.address().port}`));
