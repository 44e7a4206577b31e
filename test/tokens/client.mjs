// Does once what a client of the app does in its life, with Node's openid-client, and prints
// a line of JSON for each step:
//
//   {"step": "refresh", ...}
//
// It goes on after a failure of the server, which is what the last steps are about.
//
// node client.mjs ORIGIN CLIENT REFRESH_TOKEN SERVICE SERVICE_SECRET
import * as client from "openid-client";

const [origin, id, firstToken, service, secret] = process.argv.slice(2);

function print(step, values) {
  console.log(JSON.stringify({ step, ...values }));
}

// attempt prints what a call returns, or the error of OAuth in which it ends.
async function attempt(step, call) {
  try {
    const result = await call();
    print(step, result);
    return result;
  } catch (error) {
    print(step, { error: error.error ?? String(error), status: error.status });
  }
}

const server = {
  issuer: origin,
  token_endpoint: `${origin}/oauth/token`,
  revocation_endpoint: `${origin}/oauth/revoke`,
  introspection_endpoint: `${origin}/oauth/introspect`,
  device_authorization_endpoint: `${origin}/oauth/device`,
};
const config = new client.Configuration(server, id, undefined, client.None());
const serviceConfig = new client.Configuration(server, service, undefined, client.ClientSecretBasic(secret));
for (const c of [config, serviceConfig]) client.allowInsecureRequests(c);

// A device that waits prints each answer.
config[client.customFetch] = async (...request) => {
  const answer = await fetch(...request);
  if (answer.status === 400) print("answer", await answer.clone().json());
  return answer;
};

const whoami = async (tokens) => {
  const answer = await client.fetchProtectedResource(config, tokens.access_token, new URL(`${origin}/whoami`), "GET");
  return { status: answer.status, ...(await answer.json()) };
};
const introspect = (token) => client.tokenIntrospection(serviceConfig, token);

const tokens = await attempt("refresh", () => client.refreshTokenGrant(config, firstToken));
await attempt("whoami", () => whoami(tokens));
await attempt("introspect access", () => introspect(tokens.access_token));
await attempt("introspect refresh", () => introspect(tokens.refresh_token));

const device = await attempt("device", () => client.initiateDeviceAuthorization(config, {}));
const ofDevice = await attempt("device tokens", () => client.pollDeviceAuthorizationGrant(config, device));
await attempt("device whoami", () => whoami(ofDevice));

const last = await attempt("refresh again", () => client.refreshTokenGrant(config, tokens.refresh_token));
await attempt("revoke", () => client.tokenRevocation(config, last.refresh_token));
await attempt("refresh after it", () => client.refreshTokenGrant(config, last.refresh_token));
await attempt("introspect after it", () => introspect(last.access_token));
