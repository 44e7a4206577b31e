// Package session keeps users logged in with two encrypted cookies and one
// database row for each login.
//
//	request ─▶ guard ─▶ Manager ──────────────▶ Verdict{Session, Cookies}
//	                      decides                    │
//	                        │ only when the access   ▼
//	                        │ cookie has expired   the guard sets the cookies,
//	                        ▼                      and the handler runs
//	                      store.Store
//	                        stores and compares; decides nothing
//
// The access cookie lives two minutes. It says who the user is, and a request
// that carries it costs no I/O. When it has expired, the refresh cookie is
// checked against the session's row, joined with the user's row: a ban, a logout or a
// changed role takes effect then. The answer carries a new access cookie and a
// new refresh cookie, and nobody notices.
//
// # Rotation
//
// Every refresh is answered with a refresh cookie of its own. The row holds one
// thing about them: the digest of the newest refresh cookie that a client has
// presented. So parallel requests, lost answers, reordered answers and crashes of
// a browser are harmless. A thief and the victim hold different cookies, and the
// second of them to come back is detected: the session ends for both, and an
// [Event] reports it. A thief who discards his answers presents the old cookie again and
// again. The row records when that was; after two such times the victim's next refresh
// ends the session. One pure function, judge, makes the whole decision; a search
// through its states is part of the tests.
//
// # Revocation
//
// A revoked session is refused at its next refresh. With [Manager.Run], every node
// also stops accepting its access cookies within about a second.
//
// # Clients that are not browsers
//
// A mobile app or a command line holds the same two tickets as tokens, and its session has the
// same row and the same rules: see [Tokens].
//
// # Size
//
// The refresh cookie has two names: a login sets both, and each refresh one of them, in
// turn. An answer that arrives late then replaces no newer one. So three cookies travel with
// every request. Browsers keep no cookie of more than 4096 bytes. The values take
//
//	each refresh cookie                       196 bytes
//	access cookie, a user id of 26 bytes      204
//	  and each role of 4, 8, 16 letters        8, 16, 30 more
//	  and each attribute                       1.8 times the letters of its name and value, plus 2
//	  and the methods "pwd" and "otp"          16
//	  and an external id of 36 letters         68
//	  and the data {"tenant": "7"}             16
//	in an impersonation                        some 24, and 104 in the refresh cookie
//	an access token, a client of 8 letters     53 more
//
// A handler that asks for the session gets copies. Of a session without facts and
// attributes these cost no allocation; methods cost one, and data two. A cookie that is
// opened for the first time costs 16 allocations, and with all of these facts 23.
// On one machine a cookie that was seen before took 0.26 µs without facts, 0.33 with the
// methods, 0.40 with the data, and 0.67 with all of them, the session's copy included (the
// best of four runs).
//
// Proxies may allow less. By default nginx answers a login with a 502 if its header exceeds
// 4096 bytes. The access cookie may have 3200 of them, if the app sets no header of its own;
// 2000, such as 1000 letters of attributes, are safe. docs/proxies.md has the line that
// lets 4096 pass. The first login that exceeds 2000 bytes raises EventMisconfigured.
//
// A user who does not fit cannot log in: see [ErrTooLarge]. A session whose user no
// longer fits at a refresh goes on without an access cookie, and costs a statement for
// each request.
//
// # Failure
//
// Without the store no new right is granted. A right that is sealed in an access
// cookie lasts until the cookie expires. Nothing is taken from a browser because the store
// could not be asked: the caller gets [ErrStoreUnavailable], answers 503, and the next
// request goes on as if nothing had happened. A step without an answer is tried
// three times, all within two seconds. When the store answers nobody, a breaker
// refuses at once what needs it, until it answers again.
//
// The package builds on net/http, without a framework and without a database driver.
// It never writes a response: its methods take a request and return a [Verdict].
package session
