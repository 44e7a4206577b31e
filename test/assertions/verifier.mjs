// Verifies assertions with Node's jose, as a service in another language does: one line of
// JSON in, one line of JSON out.
//
//   in:  {"token": "...", "now": 1790000000}    now is the clock of the service, in seconds
//   out: {"claims": {...}}, or {"refused": "ERR_...", "claim": "aud"}
//
// node verifier.mjs JWKS_URL ISSUER AUDIENCE
import { webcrypto } from "node:crypto";
import { createInterface } from "node:readline";

globalThis.crypto ??= webcrypto; // Node 18, which Debian 12 has
const { createRemoteJWKSet, jwtVerify } = await import("jose");

// jose reads this clock also for how long it keeps the keys: 10 minutes, and 30 seconds
// between two looks for a key that it does not know.
let now = Date.now();
Date.now = () => now;

const [url, issuer, audience] = process.argv.slice(2);
const keys = createRemoteJWKSet(new URL(url));

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  now = request.now * 1000;
  let answer;
  try {
    const { payload } = await jwtVerify(request.token, keys, {
      issuer,
      audience,
      typ: "session-assertion+jwt",
      algorithms: ["ES256", "EdDSA"],
      requiredClaims: ["exp", "sub"],
      currentDate: new Date(now),
    });
    answer = { claims: payload };
  } catch (error) {
    answer = { refused: error.code ?? String(error), claim: error.claim };
  }
  console.log(JSON.stringify(answer));
}
