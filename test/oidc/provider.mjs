// An OpenID provider that the tests start: Node's oidc-provider with a login page. It ends when
// its standard input does, so with the process that started it.
//
//   node provider.mjs '{"issuer": "http://localhost:1", "clients": [...]}'
//
// It listens on a free port of 127.0.0.1, and prints the address as a line of JSON. The issuer is
// the address of a proxy in front of it. The clients are those of OpenID Connect Dynamic Client
// Registration. Each line of its input is a command, and has one line of output as its answer:
//
//   {"do": "rotate"}                   signs with a new key, and still publishes the others
//   {"do": "rotate", "drop": true}     signs with a new key, and publishes no other
//   {"do": "logout", "user": "ada"}    ends the user's sessions, and tells the clients so; the
//                                      answer has the number of clients told, and the errors
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Provider } from "oidc-provider";

// The output is for the answers: what the library says about its default pages goes elsewhere.
console.info = console.error;

const { issuer, clients } = JSON.parse(process.argv[2]);

// rows are what all instances of the provider store, by model and id.
const rows = new Map();

class Adapter {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model} ${id}`;
  }

  async upsert(id, payload) {
    rows.set(this.key(id), payload);
  }

  async find(id) {
    return rows.get(this.key(id));
  }

  async findByUid(uid) {
    return [...rows].find(([key, row]) => key.startsWith(`${this.model} `) && row.uid === uid)?.[1];
  }

  async consume(id) {
    rows.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    rows.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, row] of rows) if (row.grantId === grantId) rows.delete(key);
  }
}

function newKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: randomBytes(8).toString("hex") };
}

let keys = [newKey()];
const cookieKeys = [randomBytes(16).toString("hex")];

// Everybody consents to everything.
async function loadExistingGrant(ctx) {
  const { client, session, result, params } = ctx.oidc;
  const id = result?.consent?.grantId ?? session.grantIdFor(client.clientId);
  // A code that is used twice ends the grant.
  const grant = (id && await ctx.oidc.provider.Grant.find(id))
    ?? new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(params.scope);
  await grant.save();
  return grant;
}

// The keys of an instance cannot change: newProvider makes one with those of now.
function newProvider() {
  const provider = new Provider(issuer, {
    adapter: Adapter,
    clients,
    jwks: { keys },
    cookies: { keys: cookieKeys },
    acrValues: ["urn:test:password"],
    claims: {
      openid: ["sub", "auth_time", "acr", "amr"],
      email: ["email", "email_verified"],
      profile: ["name", "preferred_username"],
    },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
    },
    interactions: { url: (_, interaction) => `/login/${interaction.uid}` },
    loadExistingGrant,
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@test.invalid`, email_verified: true, name: id, preferred_username: id }),
    }),
    ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
    // Without the dispatcher given, which refuses loopback addresses.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  });
  provider.on("server_error", (_, error) => console.error(error));
  provider.handle = provider.callback();
  return provider;
}

let provider = newProvider();

async function login(request, response) {
  if (request.method !== "POST") {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(`<!DOCTYPE html><title>Log in</title>
<form id="login" method="post"><label>Name <input name="name"></label> <button>Log in</button></form>`);
    return;
  }
  let body = "";
  for await (const part of request) body += part;
  const accountId = new URLSearchParams(body).get("name");
  await provider.interactionFinished(request, response, {
    login: { accountId, acr: "urn:test:password", amr: ["pwd"] },
  });
}

const server = createServer((request, response) => {
  if (!request.url.startsWith("/login/")) {
    provider.handle(request, response);
    return;
  }
  login(request, response).catch((error) => {
    response.statusCode = error.status ?? 500;
    response.end(`${error}\n`);
  });
});

const commands = {
  rotate({ drop }) {
    keys = drop ? [newKey()] : [newKey(), ...keys];
    provider = newProvider();
    return {};
  },

  async logout({ user }) {
    const errors = [];
    let told = 0;
    for (const [key, row] of [...rows]) {
      if (!key.startsWith("Session ") || row.accountId !== user) continue;
      const session = await provider.Session.find(row.jti);
      await session.destroy();
      for (const [id, { sid }] of Object.entries(session.authorizations ?? {})) {
        const client = await provider.Client.find(id);
        if (!client.backchannelLogoutUri) continue;
        await client.backchannelLogout(user, sid).then(() => told++, (error) => errors.push(String(error)));
      }
    }
    return { told, errors };
  },
};

server.listen(0, "127.0.0.1");
await once(server, "listening");
console.log(JSON.stringify({ address: `127.0.0.1:${server.address().port}` }));

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  console.log(JSON.stringify(await commands[command.do](command)));
}
process.exit();
