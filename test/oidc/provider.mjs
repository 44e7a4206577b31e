// OpenID providers that the tests start: Node's oidc-provider with a login page. The process ends
// when its standard input does, so with the process that started it. Each line of the input is a
// command, and has one line of output as its answer. A provider is named by its issuer, which is
// the address of a proxy in front of it:
//
//   {"do": "start", "issuer": "http://localhost:1", "clients": [...]}
//
// starts a provider on a free port of 127.0.0.1, and answers with the address. The clients are
// those of OpenID Connect Dynamic Client Registration.
//
//   {"do": "stop", "issuer": ...}
//   {"do": "rotate", "issuer": ..., "drop": false}
//
// A new key signs from now on; with drop, the others are no longer published.
//
//   {"do": "logout", "issuer": ..., "user": "ada"}
//
// ends the user's sessions, and tells the clients so. The answer has the number of clients told,
// and the errors.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { Provider } from "oidc-provider";

// The output is for the answers: what the library says about its default pages goes elsewhere.
console.info = console.error;

// Adapter keeps what a provider stores. rows are by model and id.
class Adapter {
  constructor(model, rows) {
    this.model = model;
    this.rows = rows;
  }

  key(id) {
    return `${this.model} ${id}`;
  }

  async upsert(id, payload) {
    this.rows.set(this.key(id), payload);
  }

  async find(id) {
    return this.rows.get(this.key(id));
  }

  async findByUid(uid) {
    return [...this.rows].find(([key, row]) => key.startsWith(`${this.model} `) && row.uid === uid)?.[1];
  }

  async consume(id) {
    this.rows.get(this.key(id)).consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    this.rows.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, row] of this.rows) if (row.grantId === grantId) this.rows.delete(key);
  }
}

function newKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: randomBytes(8).toString("hex") };
}

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

// Site is a provider under an address.
class Site {
  constructor({ issuer, clients }) {
    this.issuer = issuer;
    this.clients = clients;
    this.rows = new Map();
    this.cookieKeys = [randomBytes(16).toString("hex")];
    this.keys = [];
    this.rotate({});
    this.server = createServer((request, response) => {
      if (!request.url.startsWith("/login/")) {
        this.handle(request, response);
        return;
      }
      this.login(request, response).catch((error) => {
        response.statusCode = error.status ?? 500;
        response.end(`${error}\n`);
      });
    });
  }

  // The keys of a Provider cannot change: rotate makes another one of the same rows.
  rotate({ drop }) {
    this.keys = drop ? [newKey()] : [newKey(), ...this.keys];
    this.provider = new Provider(this.issuer, {
      adapter: (model) => new Adapter(model, this.rows),
      clients: this.clients,
      jwks: { keys: this.keys },
      cookies: { keys: this.cookieKeys },
      acrValues: ["urn:test:password"],
      claims: {
        openid: ["sub", "acr", "amr"],
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
    this.provider.on("server_error", (_, error) => console.error(error));
    this.handle = this.provider.callback();
    return {};
  }

  async login(request, response) {
    if (request.method !== "POST") {
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(`<!DOCTYPE html><title>Log in</title>
<form id="login" method="post"><label>Name <input name="name"></label> <button>Log in</button></form>`);
      return;
    }
    let body = "";
    for await (const part of request) body += part;
    const accountId = new URLSearchParams(body).get("name");
    await this.provider.interactionFinished(request, response, {
      login: { accountId, acr: "urn:test:password", amr: ["pwd"] },
    });
  }

  async logout({ user }) {
    const errors = [];
    let told = 0;
    for (const [key, row] of [...this.rows]) {
      if (!key.startsWith("Session ") || row.accountId !== user) continue;
      const session = await this.provider.Session.find(row.jti);
      await session.destroy();
      for (const [id, { sid }] of Object.entries(session.authorizations ?? {})) {
        const client = await this.provider.Client.find(id);
        if (!client.backchannelLogoutUri) continue;
        await client.backchannelLogout(user, sid).then(() => told++, (error) => errors.push(String(error)));
      }
    }
    return { told, errors };
  }
}

const sites = new Map();

async function start(command) {
  const site = new Site(command);
  sites.set(site.issuer, site);
  site.server.listen(0, "127.0.0.1");
  await once(site.server, "listening");
  return { address: `127.0.0.1:${site.server.address().port}` };
}

function stop(issuer) {
  const { server } = sites.get(issuer);
  sites.delete(issuer);
  server.close();
  server.closeAllConnections();
  return {};
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const { do: name, issuer } = command;
  const answer = name === "start" ? start(command) : name === "stop" ? stop(issuer) : sites.get(issuer)[name](command);
  console.log(JSON.stringify(await answer));
}
process.exit();
