package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// authenticated is a middleware without a guard. It answers strangers with 401, and sends nobody
// to a login page.
func authenticated(sessions *session.Manager, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authenticate := sessions.Authenticate
		if r.URL.Path == "/news" { // a page polls it: that does not keep a session from its idle end
			authenticate = sessions.AuthenticateBackground
		}
		v, err := authenticate(r)
		v.SetCookies(w) // also after an error
		switch {
		case errors.Is(err, session.ErrUnauthenticated):
			http.Error(w, "Please log in.", http.StatusUnauthorized)
		case err != nil: // the store does not answer: nobody is logged out
			http.Error(w, "Please try again.", http.StatusServiceUnavailable)
		default:
			checked := &checkedWriter{ResponseWriter: w, check: func() { sessions.DropStaleCookies(w.Header(), v) }}
			next.ServeHTTP(checked, r.WithContext(verdictContext{r.Context(), &v}))
		}
	})
}

// verdictContext lets session.FromContext and Manager.Done find the session.
type verdictContext struct {
	context.Context
	verdict *session.Verdict
}

func (c verdictContext) Value(key any) any {
	if found := c.verdict.Value(key); found != nil {
		return found
	}
	return c.Context.Value(key)
}

// checkedWriter checks the cookies right before the first byte of the answer: while the handler
// ran, the session may have ended.
type checkedWriter struct {
	http.ResponseWriter
	check func()
}

func (w *checkedWriter) WriteHeader(code int) {
	w.check()
	w.ResponseWriter.WriteHeader(code)
}

func (w *checkedWriter) Write(b []byte) (int, error) {
	w.check()
	return w.ResponseWriter.Write(b)
}

func (w *checkedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A middleware of the app's own, where a guard does not fit. A guard does more: redirects,
// front-end libraries, prefetches, uploads, public pages.
func ExampleManager_Authenticate() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Fprintln(w, "user", s.UserID)
	})
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		_ = sessions.RevokeUser(r.Context(), s.UserID) // meanwhile the user logs out on another device
		fmt.Fprintln(w, "user", s.UserID)
	})
	app := authenticated(sessions, mux)

	for _, path := range []string{"/", "/news", "/slow"} {
		b := sessiontest.NewBrowser(app)
		fmt.Println(path, "without a session:", b.Get(path).StatusCode)
		call(b, func(r *http.Request) (session.Verdict, error) {
			return sessions.Issue(r, session.Login{UserID: "1", Epoch: 1})
		})
		b.ExpireAccess()
		answer := b.Get(path)
		fmt.Println(path, "with one:", answer.StatusCode, "and", len(answer.Cookies()), "new cookies")
	}
	// Output:
	// / without a session: 401
	// / with one: 200 and 1 new cookies
	// /news without a session: 401
	// /news with one: 200 and 0 new cookies
	// /slow without a session: 401
	// /slow with one: 200 and 0 new cookies
}

// A login and a logout without a guard. Both are forms: http.CrossOriginProtection refuses those
// of other sites.
func ExampleManager_Issue() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// The password was checked.
		if !sessions.BrowserKeepsCookies(r) {
			http.Error(w, "Please open this page with https.", http.StatusForbidden)
			return
		}
		v, err := sessions.Issue(r, session.Login{UserID: r.FormValue("user"), Epoch: 1})
		switch {
		case errors.Is(err, session.ErrUserDisabled):
			http.Error(w, "This account is disabled.", http.StatusForbidden)
		case errors.Is(err, session.ErrStoreUnavailable):
			http.Error(w, "Please try again.", http.StatusServiceUnavailable)
		case err != nil:
			http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		default:
			v.SetCookies(w)
			http.Redirect(w, r, "/", http.StatusSeeOther)
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		v, err := sessions.Logout(r)
		v.SetCookies(w) // deletes them, also after an error
		if err != nil {
			fmt.Fprint(w, "You are logged out here. The rest follows as soon as the database answers.")
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.Handle("GET /", authenticated(sessions, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	app := http.NewCrossOriginProtection().Handler(mux)

	b := sessiontest.NewBrowser(app)
	fmt.Println("an unknown user:", b.PostForm("/login", asUser("9")).StatusCode)
	fmt.Println("a login:", b.PostForm("/login", asUser("1")).StatusCode)
	fmt.Println("a page:", b.Get("/").StatusCode)
	fmt.Println("the logout:", b.PostForm("/logout", url.Values{}).StatusCode)
	fmt.Println("a page:", b.Get("/").StatusCode)

	r := b.NewRequest("POST", "/login?user=1", nil)
	r.TLS = nil
	r.Header.Set("Origin", "http://app.test") // and no Sec-Fetch-Site
	r.Header.Del("Sec-Fetch-Site")
	fmt.Println("a login without HTTPS:", b.Do(r).StatusCode)
	// Output:
	// an unknown user: 403
	// a login: 303
	// a page: 200
	// the logout: 303
	// a page: 401
	// a login without HTTPS: 403
}

// call takes the place of a handler: it passes a request of the browser to the Manager, and the
// cookies of the Verdict to the browser.
func call(b *sessiontest.Browser, method func(r *http.Request) (session.Verdict, error)) session.Session {
	v, err := method(b.NewRequest("POST", "/", nil))
	if err != nil {
		fmt.Println(err) // in a handler: by errors.Is, as in the Example of Issue
	}
	b.Receive(v.Cookies) // in a handler: v.SetCookies(w)
	return v.Session()
}

// loggedIn returns the browser of a user who has logged in with a password.
func loggedIn(sessions *session.Manager, userID string) *sessiontest.Browser {
	b := sessiontest.NewBrowser(nil)
	call(b, func(r *http.Request) (session.Verdict, error) {
		return sessions.Issue(r, session.Login{UserID: userID, Epoch: 1, Methods: []string{"pwd"}, Data: map[string]string{"tenant": "north"}})
	})
	return b
}

// The user has entered the code of a second factor, and the app has checked it.
func ExampleManager_StepUp() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	b := loggedIn(sessions, "1")
	s := call(b, func(r *http.Request) (session.Verdict, error) { return sessions.StepUp(r, "otp") })
	fmt.Println(s.Methods, s.HasMethod("otp"))
	// Output: [pwd otp] true
}

// The user chooses another tenant, which the app has checked.
func ExampleManager_Update() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	b := loggedIn(sessions, "1")
	s := call(b, func(r *http.Request) (session.Verdict, error) {
		return sessions.Update(r, map[string]string{"tenant": "south"})
	})
	fmt.Println(s.Data["tenant"])
	// Output: south
}

// The user has a new password. This browser's session goes on, and all others have ended.
func ExampleManager_PasswordChanged() {
	users := exampleUsers()
	sessions := exampleSessions(users, session.Config{})
	laptop, phone := loggedIn(sessions, "1"), loggedIn(sessions, "1")

	users.SetUser("1", store.User{Epoch: 2}) // in an app: UPDATE users SET password_hash = ?, session_epoch = session_epoch + 1
	call(laptop, func(r *http.Request) (session.Verdict, error) { return sessions.PasswordChanged(r, 2) })

	for _, b := range []*sessiontest.Browser{laptop, phone} {
		_, err := sessions.Authenticate(b.NewRequest("GET", "/", nil))
		fmt.Println("logged in:", err == nil)
	}
	// Output:
	// logged in: true
	// logged in: false
}

// A payment does not rest on an access cookie, which counts for two minutes.
func ExampleManager_RequireLive() {
	users := exampleUsers()
	sessions := exampleSessions(users, session.Config{})
	b := loggedIn(sessions, "1")
	users.SetUser("1", store.User{Epoch: 1, Disabled: true}) // by a statement in the database

	r := b.NewRequest("POST", "/pay", nil)
	v, err := sessions.Authenticate(r)
	fmt.Println("by the access cookie:", v.Session().UserID, err)
	_, err = sessions.RequireLive(r, v)
	fmt.Println("by the store:", errors.Is(err, session.ErrUnauthenticated))
	// Output:
	// by the access cookie: 1 <nil>
	// by the store: true
}

// An administrator acts as a user, and comes back.
func ExampleManager_StopImpersonating() {
	sessions := exampleSessions(exampleUsers(), session.Config{
		MayImpersonate: func(_ *http.Request, actor session.Session, _ string) error {
			if actor.HasRole("admin") {
				return nil
			}
			return session.ErrUserDisabled
		},
	})
	b := loggedIn(sessions, "2")
	s := call(b, func(r *http.Request) (session.Verdict, error) {
		return sessions.Issue(r, session.Login{UserID: "1", Actor: "2"})
	})
	fmt.Printf("user %q, actor %q\n", s.UserID, s.Actor)
	s = call(b, sessions.StopImpersonating)
	fmt.Printf("user %q, actor %q\n", s.UserID, s.Actor)
	// Output:
	// user "1", actor "2"
	// user "2", actor ""
}

// A handler that counts how often a page was read. A browser may load it before anybody clicks.
func ExampleIsPrefetch() {
	read := 0
	page := func(_ http.ResponseWriter, r *http.Request) {
		if !session.IsPrefetch(r) {
			read++
		}
	}
	for _, purpose := range []string{"", "prefetch", "prefetch;prerender"} {
		r := httptest.NewRequest("GET", "/articles/7", nil)
		r.Header.Set("Sec-Purpose", purpose)
		page(httptest.NewRecorder(), r)
	}
	fmt.Println(read)
	// Output: 1
}

// A test of one handler, without a guard. Package sessiontest tests a handler behind its guard.
func ExampleSession_NewContext() {
	orders := func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Fprintf(w, "orders of user %s", s.UserID)
	}
	r := httptest.NewRequest("GET", "/orders", nil)
	r = r.WithContext(session.Session{UserID: "1"}.NewContext(r.Context()))
	answer := httptest.NewRecorder()
	orders(answer, r)
	fmt.Println(answer.Body)
	// Output: orders of user 1
}

// A page that shows a button only if the route behind it would admit the user. The route has
// its own check: RequireRecentLogin and the like.
func ExampleSession_LoggedInWithin() {
	now := time.Now()
	s := session.Session{ // in a handler: from session.FromContext
		UserID: "1", Roles: []string{"admin"}, Methods: []string{"pwd"},
		AuthTime: now.Add(-time.Hour), IssuedAt: now, ExpiresAt: now.Add(2 * time.Minute), EndsAt: now.Add(11 * time.Hour),
	}
	fmt.Println("delete a user:", s.HasRole("admin", "support"))
	fmt.Println("change the password:", s.LoggedInWithin(5*time.Minute))
	fmt.Println("see the salaries:", s.HasMethod("otp", "hwk"))
	// Output:
	// delete a user: true
	// change the password: false
	// see the salaries: false
}

// What a probe for readiness answers. A node whose store is down is ready: it serves the users
// whose access cookies are good, and no other node would serve the others.
func ExampleManager_State() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		state := sessions.State()
		if state.StoreDown {
			fmt.Fprintln(w, "ready, but the store is down")
			return
		}
		fmt.Fprintln(w, "ready")
	})
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest("GET", "/readyz", nil))
	fmt.Print(answer.Body)
	// Output: ready
}
