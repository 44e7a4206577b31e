// Package oidc logs users in with an identity provider that speaks OpenID Connect, such as
// Keycloak, Okta, Entra or Google, and logs them out when the provider says so.
//
//	browser                       app                              provider
//	GET /login/acme ────────▶ Begin: state, nonce, PKCE ──303──▶ asks for the password
//	GET /callback/acme?code ◀────────────────────────────303──── sends the browser back
//	        └───────────────▶ Finish: checks, ◀── ID token ──── exchanges the code
//	                          Config.User, guard.Issue
//	                          BackChannelLogout ◀── logout token ─ its session has ended
//	POST /logout ───────────▶ guard.Logout, LogoutURL ──303──▶ ends its session, too
//
// The session is one of the kit's, with its two cookies and its row. The provider's ID token
// begins it, and is then forgotten: it neither is a cookie, nor is it stored.
//
//	acme, err := oidc.New(sessions, oidc.Config{
//		Issuer:       "https://id.example.com",
//		ClientID:     "our-app",
//		ClientSecret: secret,
//		RedirectURL:  "https://app.example.com/callback/acme",
//		User:         findOrCreate,
//	})
//	guard, err := nethttp.New(sessions, nethttp.Config{
//		Public:    []string{"GET /login/acme", "GET /callback/acme", "POST /backchannel-logout/acme"},
//		LogoutURL: acme.LogoutURL,
//	})
//	mux.Handle("GET /login/acme", acme.Login(guard))
//	mux.Handle("GET /callback/acme", acme.Callback(guard))
//	mux.HandleFunc("POST /backchannel-logout/acme", acme.BackChannelLogout)
//
// The login page of the app has a link to /login/acme for each provider, with the query that
// it was given itself. An app with one provider, and no passwords of its own, makes Login the
// handler of its login page. With echo or gin, use Begin and Finish in handlers of your own.
//
// # What becomes of the claims
//
// Config.User finds or creates the app's user for the claims iss and sub. It must not look for
// an e-mail address: see there. auth_time becomes Login.AuthTime, so that RequireRecentLogin
// knows when the user entered a password, and not when the provider remembered them. amr and
// acr become Login.Methods: see Config.ACR. sid becomes Login.ExternalID, for BackChannelLogout.
//
// A provider that does not say when the user logged in, as Google, leaves AuthTime at
// UnknownAuthTime: RequireRecentLogin then sends the user back to the provider with max_age=0
// and prompt=login, and Finish refuses an answer without a new auth_time.
//
// # What it checks
//
// The state belongs to the browser, and to this provider: it is in a cookie of ten minutes
// that the keys of the Manager seal, one for each login, so that tabs do not disturb each
// other. The code is bound to it by PKCE (RFC 7636, S256), the ID token by its nonce. iss in
// the answer is compared (RFC 9207), and demanded if the provider announces it, so that a code
// of one provider does not come to another one. Of the ID token: signature, by the
// provider's keys and an asymmetric algorithm that it announces; iss, aud, azp, exp, iat,
// nonce, at_hash (OpenID Connect Core 1.0, section 3.1.3.7).
//
// # Bounds
//
// Each call of the provider ends after 10 seconds, and reads at most 1 MB. It follows redirects
// from https to https alone, and none with a code. The endpoints and the keys of a provider with
// https have https, too. To keep an app from calling machines of its own network, for providers
// that its customers name, give Config.Client a Transport that refuses their addresses.
//
// The provider's description is fetched at the first use, and again after an hour, with its
// keys: a key that the provider has withdrawn is refused then. A token with a key that nobody
// knows makes Bearer and BackChannelLogout fetch the keys at most once in 10 seconds. While the
// provider is down, nobody can log in by it, the sessions that began by it go on, and what needs
// the provider's keys goes on with the old ones for a day; if it hangs, a second later.
//
// The cookies of the logins that a browser has begun have 4 KB together: links that begin logins
// must not make its requests longer than servers accept.
package oidc
