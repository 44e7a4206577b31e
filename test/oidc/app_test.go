package oidc

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
	"github.com/sessionkit/sessionkit/sqlstore"

	_ "github.com/go-sql-driver/mysql"
)

// site is an app on two nodes, behind a balancer that sends each request to the other one, but
// logout tokens to the first: the second learns of them by its poll alone. Its users log in with
// providers. Their routes have the provider's name at the end.
//
//	GET  /login/, /callback/, POST /backchannel-logout/
//	GET  /login     the first provider's login
//	GET  /account   the session, and a form for the logout
//	GET  /password  needs a recent login
//	POST /logout
//	GET  /bye       where a provider sends those who have logged out
type site struct {
	*testing.T
	url   string
	rows  *sessiontest.Store
	nodes []*node

	mu   sync.Mutex // guards what follows
	errs []error    // what Config.OnError was told
}

// node is a process of the app, as far as browsers can see.
type node struct {
	sessions *session.Manager
	app      http.Handler
}

// subjects are the users that the providers and the app have, whose subjects are names.
var subjects = map[string]string{"ada": "1", "grace": "2"}

// listen starts the balancer, so that the site has an address.
func listen(t *testing.T) (s *site, serve func(nodes []*node)) {
	t.Helper()
	var behind atomic.Pointer[[]*node]
	var turn atomic.Uint64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nodes := *behind.Load()
		to := nodes[0]
		if !strings.HasPrefix(r.URL.Path, "/backchannel-logout/") {
			to = nodes[turn.Add(1)%uint64(len(nodes))]
		}
		to.app.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return &site{T: t, url: server.URL}, func(nodes []*node) { behind.Store(&nodes) }
}

// client is the site as a client of the named provider.
func (s *site) client(name, secret string) registration {
	return registration{
		id: "app-" + name, secret: secret, callback: s.url + "/callback/" + name,
		loggedOut: s.url + "/bye", backChannel: s.url + "/backchannel-logout/" + name,
	}
}

// upstream is a provider under its name.
type upstream struct {
	name string
	provider
	registration
}

// startSite starts a site with one provider. change, if not nil, changes the registration and the
// Config.
func startSite(t *testing.T, start func(*testing.T, ...registration) provider, change func(*registration, *oidc.Config)) (*site, provider) {
	t.Helper()
	s, serve := listen(t)
	a := s.client("acme", "a secret+%")
	if change != nil {
		change(&a, &oidc.Config{})
	}
	p := start(t, a)
	s.start(inMemory(), serve, change, upstream{"acme", p, a})
	return s, p
}

func inMemory() store.Store {
	users := store.NewMemory()
	for _, id := range subjects {
		users.SetUser(id, store.User{Epoch: 1})
	}
	return users
}

// onMariaDB returns a store whose users have the ids 1 to n.
func onMariaDB(t *testing.T, n int) store.Store {
	t.Helper()
	db, err := sql.Open("mysql", dbtest.Database(t, "interpolateParams=true"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	values := strings.TrimSuffix(strings.Repeat("(NULL, 1, FALSE, '[]'),", n), ",")
	for _, statement := range []string{
		`CREATE TABLE users (id INTEGER PRIMARY KEY AUTO_INCREMENT, session_epoch BIGINT NOT NULL, disabled BOOLEAN NOT NULL, roles VARCHAR(200) NOT NULL)`,
		`INSERT INTO users (id, session_epoch, disabled, roles) VALUES ` + values,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := sqlstore.New(db, sqlstore.Config{})
	if err == nil {
		err = rows.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// start starts the nodes.
func (s *site) start(rows store.Store, serve func([]*node), change func(*registration, *oidc.Config), providers ...upstream) {
	s.Helper()
	s.rows = sessiontest.NewStore(rows)
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		s.Fatal(err)
	}
	for range 2 {
		sessions, err := session.New(keys, s.rows, session.Config{DangerouslyAllowHTTP: true, OnEvent: func(session.Event) {}})
		if err != nil {
			s.Fatal(err)
		}
		n := &node{sessions: sessions}
		n.app = s.routes(n, change, providers)
		s.nodes = append(s.nodes, n)
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- sessions.Run(ctx) }()
		s.Cleanup(func() {
			stop()
			<-ended
		})
	}
	serve(s.nodes)
}

func (s *site) routes(n *node, change func(*registration, *oidc.Config), providers []upstream) http.Handler {
	s.Helper()
	var logins []*oidc.Provider
	public := []string{"GET /bye"}
	for _, p := range providers {
		cfg := oidc.Config{
			Issuer: p.issuer(), ClientID: p.id, ClientSecret: p.secret, RedirectURL: p.callback, LogoutReturnURL: p.loggedOut,
			User: func(ctx context.Context, who oidc.Identity) (session.Login, error) {
				id, err := findUser(ctx, who.Subject)
				if id == "" && err == nil {
					err = session.ErrUnauthenticated
				}
				return session.Login{UserID: id, Epoch: 1}, err
			},
			FindUser: findUser,
			OnError: func(_ *http.Request, err error) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.errs = append(s.errs, err)
			},
		}
		if change != nil {
			change(&registration{}, &cfg)
		}
		login, err := oidc.New(n.sessions, cfg)
		if err != nil {
			s.Fatal(err)
		}
		logins = append(logins, login)
		public = append(public, "GET /login/"+p.name, "GET /callback/"+p.name, "POST /backchannel-logout/"+p.name)
	}
	guard, err := nethttp.New(n.sessions, nethttp.Config{Public: public, LogoutURL: func(r *http.Request) string {
		for _, login := range logins {
			if to := login.LogoutURL(r); to != "" {
				return to
			}
		}
		return ""
	}})
	if err != nil {
		s.Fatal(err)
	}
	mux := http.NewServeMux()
	for i, p := range providers {
		mux.Handle("GET /login/"+p.name, logins[i].Login(guard))
		mux.Handle("GET /callback/"+p.name, logins[i].Callback(guard))
		mux.HandleFunc("POST /backchannel-logout/"+p.name, logins[i].BackChannelLogout)
	}
	mux.Handle("GET /login", logins[0].Login(guard))
	mux.HandleFunc("GET /account", account)
	mux.Handle("GET /password", guard.RequireRecentLogin(5*time.Minute)(http.HandlerFunc(account)))
	mux.HandleFunc("POST /logout", guard.Logout)
	mux.HandleFunc("GET /bye", func(http.ResponseWriter, *http.Request) {})
	return guard.Protect(mux)
}

// findUser knows ada and grace, and as user-n the user n.
func findUser(_ context.Context, subject string) (string, error) {
	if id, ok := strings.CutPrefix(subject, "user-"); ok {
		return id, nil
	}
	return subjects[subject], nil
}

func account(w http.ResponseWriter, r *http.Request) {
	s, _ := session.FromContext(r.Context())
	text, err := json.Marshal(s)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<pre>%s</pre><form action="/logout" method="post"><button>Log out</button></form>`, html.EscapeString(string(text)))
}

var inAccount = regexp.MustCompile(`<pre>(.*)</pre>`)

// sessionOn returns the session that a page of the site shows, which must be that of the user at
// the path.
func (s *site) sessionOn(at page, path, user string) (got session.Session) {
	s.Helper()
	found := inAccount.FindStringSubmatch(at.body)
	if at.status != http.StatusOK || at.url.String() != s.url+path || found == nil {
		s.Fatalf("%s: %d %s; want %s. The errors are %v", at.url, at.status, at.body, path, s.errors())
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(found[1])), &got); err != nil {
		s.Fatal(err)
	}
	if want := cmp.Or(subjects[user], strings.TrimPrefix(user, "user-")); got.UserID != want {
		s.Errorf("%s shows the session of user %q; want %q", path, got.UserID, want)
	}
	return got
}

// errors returns what Config.OnError was told since the last call.
func (s *site) errors() (errs []error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs, s.errs = s.errs, nil
	return errs
}

// refused fails the test unless a page refuses a login with this status, for this reason.
func (s *site) refused(what string, at page, status int, reason error) {
	s.Helper()
	if at.status != status || !strings.HasPrefix(at.header.Get("Content-Type"), "text/html") || at.header.Get("Cache-Control") != "no-store" {
		s.Errorf("%s: %s: %d, %v, %s; want a page with %d", what, at.url, at.status, at.header, at.body, status)
	}
	errs := s.errors()
	if len(errs) != 1 || !errors.Is(errs[0], reason) {
		s.Errorf("%s: the errors are %v; want %v", what, errs, reason)
	}
}

// browser returns the person's cookies as a browser of the site.
func (s *site) browser(p *person) *sessiontest.Browser {
	return &sessiontest.Browser{Jar: p.jar, Origin: s.url}
}

// loggedOut fails the test if the person has a session, on any node, after its access cookie has
// expired.
func (s *site) loggedOut(what string, p *person) {
	s.Helper()
	b := s.browser(p)
	b.ExpireAccess()
	for i, n := range s.nodes {
		if v, err := n.sessions.Authenticate(b.NewRequest(http.MethodGet, "/account", nil)); err == nil {
			s.Errorf("%s: node %d has a session of user %s", what, i, v.Session().UserID)
		}
	}
}

// cookieNames returns the names of the cookies that the site has set, and which begin with a text.
func (s *site) cookieNames(p *person, prefix string) (names []string) {
	to, err := url.Parse(s.url)
	if err != nil {
		s.Fatal(err)
	}
	for _, c := range p.jar.Cookies(to) {
		if strings.HasPrefix(c.Name, prefix) {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	return names
}
