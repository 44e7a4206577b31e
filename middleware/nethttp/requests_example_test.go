package nethttp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// A button of htmx in a page whose session has ended: the answer makes htmx open the login
// page as a whole, and next is the page with the button. An outage changes nothing in the page.
func ExampleGuard_Protect_htmx() {
	database := sessiontest.NewStore(exampleUsers())
	guard, err := nethttp.New(exampleSessionsOn(database, session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cart/add", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /login", logIn(guard))
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	click := func() {
		r := b.NewRequest("POST", "/cart/add", nil)
		r.Header.Set("HX-Request", "true") // hx-post
		r.Header.Set("HX-Current-URL", sessiontest.Origin+"/shop?page=2")
		r.Header.Set("Sec-Fetch-Mode", "cors")
		answer := b.Do(r)
		fmt.Println(answer.StatusCode)
		for _, name := range []string{"HX-Redirect", "HX-Reswap", "Retry-After"} {
			if value := answer.Header.Get(name); value != "" {
				fmt.Printf("  %s: %s\n", name, value)
			}
		}
	}
	click()
	b.PostForm("/login", asUser("1"))
	click()
	database.Fail(errors.New("connection refused"))
	b.ExpireAccess()
	click()
	// Output:
	// 401
	//   HX-Redirect: /login?next=%2Fshop%3Fpage%3D2
	//   HX-Reswap: none
	// 200
	// 503
	//   HX-Reswap: none
	//   Retry-After: 2
}

// A form with a file. The handler limits the size, because the guard does not. Before the guard
// refuses an upload, it reads the file, so that the browser shows the answer.
func ExampleGuard_Protect_upload() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /pictures", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		r.Body = http.MaxBytesReader(w, r.Body, 10<<20)
		file, header, err := r.FormFile("picture")
		if err != nil {
			http.Error(w, "Choose a picture of at most 10 MB.", http.StatusBadRequest)
			return
		}
		defer file.Close()
		content, err := io.ReadAll(file) // in an app: io.Copy to where the pictures are
		if err != nil {
			http.Error(w, "The picture did not arrive.", http.StatusBadRequest)
			return
		}
		fmt.Printf("user %s has sent %s with %d bytes\n", s.UserID, header.Filename, len(content))
		http.Redirect(w, r, "/pictures", http.StatusSeeOther)
	})
	mux.HandleFunc("POST /login", logIn(guard))
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	upload := func() {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		file, _ := form.CreateFormFile("picture", "cat.png")
		_, _ = file.Write(make([]byte, 3000))
		_ = form.Close()
		r := b.NewRequest("POST", "/pictures", &body)
		r.Header.Set("Content-Type", form.FormDataContentType())
		answer := b.Do(r)
		fmt.Println(answer.StatusCode, "to", answer.Header.Get("Location"))
	}
	upload()
	b.PostForm("/login", asUser("1"))
	upload()
	// Output:
	// 303 to /login
	// user 1 has sent cat.png with 3000 bytes
	// 303 to /pictures
}

// callAPI sends a request as a program does, without cookies, and prints the answer.
func callAPI(app http.Handler, path string, prepare func(r *http.Request)) {
	r := httptest.NewRequest("GET", sessiontest.Origin+path, nil)
	prepare(r)
	answer := httptest.NewRecorder()
	app.ServeHTTP(answer, r)
	fmt.Printf("%d %s\n", answer.Code, strings.TrimSpace(answer.Body.String()))
}

// An API for programs that send a user name and a token: curl -u ada:token. The pages of the
// app ask for its cookies alone: no browser logs in by Basic credentials.
func ExampleBasicAuth() {
	tokens := map[string][sha256.Size]byte{"ada": sha256.Sum256([]byte("a-long-random-token"))} // in an app: a table
	verify := func(_ context.Context, username, password string) (session.Login, error) {
		// An app also limits the rate of attempts here.
		want, known := tokens[username]
		got := sha256.Sum256([]byte(password))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || !known {
			return session.Login{}, session.ErrUnauthenticated
		}
		return session.Login{UserID: "1", Epoch: 1}, nil
	}
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{Credentials: nethttp.BasicAuth(verify)})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/orders", func(w http.ResponseWriter, r *http.Request) {
		s, _ := session.FromContext(r.Context())
		fmt.Fprintf(w, `{"user": %q, "orders": []}`, s.UserID)
	})
	app := guard.Protect(mux)

	callAPI(app, "/api/orders", func(r *http.Request) { r.SetBasicAuth("ada", "a-long-random-token") })
	callAPI(app, "/api/orders", func(r *http.Request) { r.SetBasicAuth("ada", "a-guess") })
	// Output:
	// 200 {"user": "1", "orders": []}
	// 401 {"title":"Unauthorized","status":401,"detail":"Please log in."}
}

// An API for programs that send a token of the app's own: Authorization: Bearer ... . The
// module example has a verifier of the tokens of an identity provider.
func ExampleConfig_bearer() {
	userOf := map[[sha256.Size]byte]string{sha256.Sum256([]byte("a-long-random-token")): "1"} // in an app: a table
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{
		Credentials: func(r *http.Request) (session.Login, error) {
			token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			userID, known := userOf[sha256.Sum256([]byte(token))]
			if !ok || !known {
				return session.Login{}, session.ErrUnauthenticated
			}
			return session.Login{UserID: userID, Epoch: 1}, nil
		},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/orders", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[]") })
	app := guard.Protect(mux)

	callAPI(app, "/api/orders", func(r *http.Request) { r.Header.Set("Authorization", "Bearer a-long-random-token") })
	callAPI(app, "/api/orders", func(*http.Request) {})
	// Output:
	// 200 []
	// 401 {"title":"Unauthorized","status":401,"detail":"Please log in."}
}

// The app's own pages for refusals. The headers are set already, such as the Location of the
// login page. A program gets what the guard itself would write, if Answer writes nothing.
func ExampleConfig_answer() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{
		Answer: func(w http.ResponseWriter, r *http.Request, refusal *nethttp.Refusal) {
			isPage := strings.Contains(r.Header.Get("Accept"), "text/html")
			if !isPage || refusal.Status < 400 { // a program, or on the way to the login page
				return
			}
			w.WriteHeader(refusal.Status)
			fmt.Fprintf(w, "<h1>Sorry</h1><p>%s <a href=/>To the start</a></p>", refusal.Text) // in an app: a template
		},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /admin", guard.RequireRole("admin")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	mux.HandleFunc("POST /login", logIn(guard))
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	show(b, "/admin", nil)
	b.PostForm("/login", asUser("1"))
	answer := b.Get("/admin")
	page, _ := io.ReadAll(answer.Body)
	fmt.Printf("%d %s\n", answer.StatusCode, page)
	// Output:
	// /admin 303 to /login?next=%2Fadmin
	// 403 <h1>Sorry</h1><p>You may not do this. <a href=/>To the start</a></p>
}

// A page asks for news every minute. Such requests must not keep a session from its idle end,
// in a tab that nobody looks at: they get an answer, and no new cookies.
func ExampleConfig_background() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{Background: []string{"GET /news"}})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /account", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /news", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /login", logIn(guard))
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	b.PostForm("/login", asUser("1"))
	b.ExpireAccess()
	for _, path := range []string{"/news", "/account"} {
		answer := b.Get(path)
		fmt.Println(path, answer.StatusCode, "refreshed:", len(answer.Cookies()) > 0)
	}
	// Output:
	// /news 200 refreshed: false
	// /account 200 refreshed: true
}

// The app is a part of a site, below /app, and its router does not see that. A proxy that
// takes the prefix away needs the same Config.
func ExampleConfig_prefix() {
	guard, err := nethttp.New(exampleSessions(session.Config{}), nethttp.Config{Prefix: "/app"})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// The password was checked.
		if err := guard.Issue(w, r, session.Login{UserID: "1", Epoch: 1}); err != nil {
			guard.WriteError(w, r, err)
			return
		}
		http.Redirect(w, r, guard.ReturnTo(r, "/app/"), http.StatusSeeOther)
	})
	site := http.NewServeMux()
	site.Handle("/app/", http.StripPrefix("/app", guard.Protect(mux)))

	b := sessiontest.NewBrowser(site)
	show(b, "/app/orders", nil)
	show(b, "/app/login?next=%2Fapp%2Forders", asUser("1"))
	show(b, "/app/orders", nil)
	// Output:
	// /app/orders 303 to /app/login?next=%2Fapp%2Forders
	// /app/login?next=%2Fapp%2Forders 303 to /app/orders
	// /app/orders 200
}

// A message for the next page. The session stores none: a sealed cookie of a minute does,
// without a database. The Manager's keys seal it.
func Example_flashMessages() {
	const name = "__Host-flash"
	sessions := exampleSessions(session.Config{})
	cookie := func(value string, maxAge int) *http.Cookie {
		return &http.Cookie{Name: name, Value: value, MaxAge: maxAge, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	}
	setFlash := func(w http.ResponseWriter, message string) {
		if value, err := sessions.Seal("flash message", []byte(message)); err == nil {
			http.SetCookie(w, cookie(value, 60))
		}
	}
	takeFlash := func(w http.ResponseWriter, r *http.Request) (message string) {
		c, err := r.Cookie(name)
		if err != nil {
			return ""
		}
		http.SetCookie(w, cookie("", -1)) // shown once
		text, _ := sessions.Open("flash message", c.Value, time.Minute)
		return string(text)
	}

	guard, err := nethttp.New(sessions, nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /profile", func(w http.ResponseWriter, r *http.Request) {
		setFlash(w, "Your profile is saved.")
		http.Redirect(w, r, "/profile", http.StatusSeeOther)
	})
	mux.HandleFunc("GET /profile", func(w http.ResponseWriter, r *http.Request) {
		fmt.Printf("message: %q\n", takeFlash(w, r))
	})
	mux.HandleFunc("POST /login", logIn(guard))
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	b.PostForm("/login", asUser("1"))
	show(b, "/profile", url.Values{})
	b.Get("/profile")
	b.Get("/profile")
	// Output:
	// /profile 303 to /profile
	// message: "Your profile is saved."
	// message: ""
}

// A cookie that another browser sends was probably copied. The event suspicious says so;
// RequireFingerprint also refuses to refresh the session.
func ExampleBrowserFamily() {
	sessions := exampleSessions(session.Config{
		Fingerprint:        nethttp.BrowserFamily,
		RequireFingerprint: true,
		OnEvent: func(e session.Event) {
			if e.Kind == session.EventSuspicious {
				fmt.Println("mail to user", e.UserID)
			}
		},
	})
	guard, err := nethttp.New(sessions, nethttp.Config{})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /account", func(_ http.ResponseWriter, r *http.Request) { fmt.Println(nethttp.BrowserFamily(r)) })
	mux.HandleFunc("POST /login", logIn(guard))
	app := guard.Protect(mux)

	b := sessiontest.NewBrowser(app)
	b.UserAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	b.PostForm("/login", asUser("1"))
	b.ExpireAccess()
	thief := b.Clone()
	thief.UserAgent = "curl/8.16.0"
	show(thief, "/account", nil)

	b.UserAgent = strings.Replace(b.UserAgent, "142", "143", 1) // an update
	show(b, "/account", nil)
	// Output:
	// mail to user 1
	// /account 303 to /login?next=%2Faccount
	// Chrome on Windows
	// /account 200
}
