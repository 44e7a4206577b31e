package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/sessionkit/sessionkit/example/internal/base"
	"github.com/sessionkit/sessionkit/example/internal/look"
	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/oidc"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/token"
	"github.com/sessionkit/sessionkit/sqlstore"
)

// app is what the handlers share.
type app struct {
	url        string // of this app, for what people copy into other programs
	users      userTable
	factors    factors
	tenants    tenantTable
	identities identityTable
	audit      *auditLog
	clients    clients
	sessions   *session.Manager
	tokens     session.Tokens
	guard      *nethttp.Guard
	oauth      *token.Server
	provider   *oidc.Provider // nil: users log in by password only
	forms      string         // where the browser may send forms, for the Content-Security-Policy
}

// newApp connects the parts. What tokens need beside cookies is Config.TokenTTL and the
// endpoints of package token.
func newApp(ctx context.Context, keys session.Keys, db base.Database, opts options, url string) (*app, error) {
	own := database{db}
	a := &app{url: url, users: userTable{own}, factors: factors{own}, tenants: tenantTable{own}, identities: identityTable{own, userTable{own}}, forms: "'self'"}
	for _, prepare := range []func(context.Context) error{own.prepare, a.users.prepare, a.tenants.prepare} {
		if err := prepare(ctx); err != nil {
			return nil, err
		}
	}
	rows, err := sqlstore.New(db.DB, sqlstore.Config{
		Dialect: db.Dialect,
		Attrs:   map[string]string{"name": "name", "email": "email", "tenants": tenantsOfUser[db.Dialect]},
	})
	if err != nil {
		return nil, err
	}
	a.audit = &auditLog{rows.AuditLog(keepAudit), a.users, logMail}
	for _, migrate := range []func(context.Context) error{rows.Migrate, a.audit.Migrate} {
		if err := migrate(ctx); err != nil {
			return nil, err
		}
	}
	a.sessions, err = session.New(keys, rows, session.Config{
		App:                  "tour", // the first example is on localhost, too: browsers do not keep ports apart
		AccessTTL:            opts.accessTTL,
		TokenTTL:             opts.tokenTTL,
		MayImpersonate:       a.mayImpersonate,
		Audit:                a.audit,
		OnEvent:              session.LogEvents(slog.Default()),
		DangerouslyAllowHTTP: true,
	})
	if err != nil {
		return nil, err
	}
	a.tokens = a.sessions.Tokens()
	if a.clients, err = newClients(opts.secret); err != nil {
		return nil, err
	}
	a.oauth, err = token.New(a.tokens, token.Config{
		Client:          token.SecretAuth(a.clients.verify(false)),
		Service:         token.SecretAuth(a.clients.verify(true)),
		VerificationURI: url + "/device",
		OnError:         func(r *http.Request, err error) { slog.Error("a client failed", "path", r.URL.Path, "error", err) },
	})
	if err != nil {
		return nil, err
	}
	if a.provider, err = a.newProvider(opts.provider); err != nil {
		return nil, err
	}
	cfg := nethttp.Config{
		// Clients that have no session yet call the endpoints.
		Public: []string{"/{$}", "/static/", "/oauth/token", "/oauth/device", "/oauth/revoke", "/oauth/introspect"},
	}
	if a.provider != nil {
		cfg.Public = append(cfg.Public, "GET "+providerLogin, "GET "+providerCallback, "POST "+providerLogout)
		cfg.LogoutURL = a.provider.LogoutURL
		a.forms += " " + opts.provider.issuer // the form of the logout leads there
	}
	a.guard, err = nethttp.New(a.sessions, cfg)
	return a, err
}

func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /static/{file}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, look.Static, r.PathValue("file"))
	})
	mux.Handle("GET /{$}", a.page(a.home))
	mux.Handle("GET /login", a.page(a.loginPage))
	mux.Handle("POST /login", a.page(a.login))
	mux.HandleFunc("POST /logout", a.guard.Logout)

	if a.provider != nil {
		mux.Handle("GET "+providerLogin, a.provider.Login(a.guard))
		mux.Handle("GET "+providerCallback, a.provider.Callback(a.guard))
		mux.HandleFunc("POST "+providerLogout, a.provider.BackChannelLogout)
	}

	// What a token opens: a browser gets the same answer for its cookies.
	mux.HandleFunc("GET /api/session", apiSession)

	// Each handler authenticates its client.
	mux.HandleFunc("/oauth/token", a.oauth.Token)
	mux.HandleFunc("/oauth/device", a.oauth.Device)
	mux.HandleFunc("/oauth/revoke", a.oauth.Revoke)
	mux.HandleFunc("/oauth/introspect", a.oauth.Introspect)

	// A token lives for weeks. So who gives one away has entered the password in the last
	// five minutes, and holds the refresh cookie: an access cookie alone may be a copy.
	recent := a.guard.RequireRecentLogin(5 * time.Minute)
	mux.Handle("GET /device", a.page(a.device))
	mux.Handle("POST /device", recent(a.guard.RequireLive(a.page(a.decide))))
	mux.Handle("GET /tokens", recent(a.page(a.tokensPage)))
	mux.Handle("POST /tokens", recent(a.guard.RequireLive(a.page(a.mint))))
	mux.Handle("GET /devices", a.page(a.devices))
	mux.Handle("POST /devices/revoke", recent(a.page(a.revokeDevice)))

	// The vault needs the second factor. Who sets one up has entered the password: otherwise an
	// unlocked browser would do.
	mux.Handle("GET /vault", a.guard.RequireMethod("otp")(a.page(a.vault)))
	mux.Handle("GET /factor", a.page(notForActors(a.factor)))
	mux.Handle("POST /factor", a.page(notForActors(a.enterCode(false))))
	mux.Handle("GET /factor/new", recent(a.page(a.setupFactor)))
	mux.Handle("GET /factor/new.png", recent(a.page(a.factorImage)))
	mux.Handle("POST /factor/new", recent(a.page(a.enterCode(true))))

	// Roles in a cookie may be as old as the access cookie, so the store decides who acts as
	// another. In an impersonation, the guards of people and act refuse.
	admin := a.guard.RequireRole(roleAdmin)
	mux.Handle("GET /people", admin(a.page(a.people)))
	mux.Handle("POST /people/act", recent(admin(a.guard.RequireLive(a.page(a.act)))))
	mux.Handle("POST /people/ban", recent(admin(a.guard.RequireLive(a.page(a.ban)))))
	mux.Handle("GET /audit", admin(a.page(a.auditPage)))
	mux.Handle("POST /people/stop", a.page(a.stopActing))

	mux.Handle("GET /notes", a.page(a.notes))
	mux.Handle("POST /tenant", a.page(a.switchTenant))

	return http.MaxBytesHandler(withHeaders(a.guard.Protect(mux), a.forms), 64<<10)
}

func withHeaders(next http.Handler, forms string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action "+forms+"; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin") // after a new login, a form leads back to its page
		next.ServeHTTP(w, r)
	})
}

// pageFunc shows a page, or returns an error before it has written anything.
type pageFunc func(w http.ResponseWriter, r *http.Request) error

// page returns the handler of a page, which is for browsers: a program with a token could
// otherwise get itself more tokens here, and end the user's other sessions.
func (a *app) page(show pageFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := current(r); s.Client != "" {
			w.Header().Set("WWW-Authenticate", `Bearer realm="app", error="insufficient_scope"`) // RFC 6750, section 3.1
			http.Error(w, "A token opens /api/session, and no page.", http.StatusForbidden)
			return
		}
		if err := show(w, r); err != nil {
			slog.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
			a.guard.WriteError(w, r, err)
		}
	})
}

// current returns the session of a request. On public pages there may be none.
func current(r *http.Request) session.Session {
	s, _ := session.FromContext(r.Context())
	return s
}
