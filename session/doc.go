// Package session keeps people logged in with two encrypted cookies and one
// database row per login.
//
//	request ─▶ guard ─▶ Manager ─────────────▶ Verdict{Session, Cookies}
//	     (asks, answers)   (decides)                │
//	                          │ only when the       ▼
//	                          │ access cookie    guard sets the cookies, then the
//	                          │ has run out      handler runs
//	                          ▼
//	                        Store   (remembers, judges nothing)
//
// The access cookie lives two minutes. It carries who the user is, and is
// believed by itself: a request that brings it costs no I/O. When it has run
// out, the refresh cookie is held against the session's row, joined with the
// user's: a ban, a logout, a changed role all count from then on. The answer
// carries a new access cookie and a new refresh cookie, and nobody notices.
//
// # Rotation
//
// Every refresh is answered with a refresh cookie of its own. The row remembers
// one thing: the newest refresh cookie that a client has itself presented, as a
// digest. So parallel requests, lost answers, answers that overtake one another
// and browsers that crash are all harmless; while a thief and his victim hold
// different cookies, and the second of them to come back is caught: that session
// ends for both, and an [Event] says so. The whole decision is one pure function,
// judge; the test suite searches the states that it can get into.
//
// # Revocation
//
// A revoked session is refused at its next refresh. With [Manager.Run], every
// node also learns within about a second to believe its access cookie no more.
//
// # Size
//
// Both cookies travel with every request, and a browser keeps none of more than
// 4096 bytes. The values take
//
//	refresh cookie                            196 bytes
//	access cookie, a user id of 26 bytes      204
//	  and each role of 4, 8, 16 letters        8, 16, 30 more
//	  and each attribute                       1.8 times the letters of its name and value, plus 2
//
// A user who does not fit cannot log in: see [ErrTooLarge].
//
// # Failure
//
// No new right is granted without the store, a right that is sealed in an access
// cookie lasts to its own end, and nothing is taken from a browser because the
// store could not be asked: that is an error of its own, for a 503, and the next
// request goes on as if nothing had happened. A step that gets no answer is tried
// three times, within two seconds. Where the store answers nobody, a breaker spares
// requests the wait until it does.
//
// The package needs net/http only. It never writes a response: its verbs take a
// request and return a [Verdict].
package session
