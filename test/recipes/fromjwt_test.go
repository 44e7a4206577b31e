package recipes

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
)

// claims are those of the app's tokens. They have the epoch since the users table has the column
// session_epoch, which begins at 1.
type claims struct {
	Epoch uint64 `json:"epoch,omitempty"`
	jwt.RegisteredClaims
}

// loginOfJWT verifies a token.
func loginOfJWT(token string, key []byte) (session.Login, error) {
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return key, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
	if err != nil {
		return session.Login{}, err
	}
	if c.Subject == "" {
		return session.Login{}, errors.New("the token names no user")
	}
	return session.Login{UserID: c.Subject, Epoch: max(c.Epoch, 1)}, nil
}

// loginsOfJWT are those of an app that keeps a token in a cookie.
func loginsOfJWT(key []byte) oldLogins {
	return oldLogins{
		find: func(r *http.Request) (session.Login, bool) {
			cookie, err := r.Cookie("token")
			if err != nil {
				return session.Login{}, false
			}
			login, err := loginOfJWT(cookie.Value, key)
			return login, err == nil
		},
		end: func(w http.ResponseWriter, _ *http.Request) error {
			http.SetCookie(w, &http.Cookie{Name: "token", Path: "/", MaxAge: -1, Secure: true, HttpOnly: true})
			return nil
		},
	}
}

// newToken makes a token as the old app does. The epoch 0 stands for the time before the column.
func newToken(t testing.TB, key []byte, userID string, epoch uint64) string {
	t.Helper()
	return signed(t, key, jwt.SigningMethodHS256, claims{epoch, inAnHour(userID)})
}

func inAnHour(userID string) jwt.RegisteredClaims {
	return jwt.RegisteredClaims{Subject: userID, ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour))}
}

func signed(t testing.TB, key []byte, method jwt.SigningMethod, c claims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, c).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func newJWTKey() []byte {
	key := make([]byte, 32)
	rand.Read(key) // it never fails
	return key
}

func TestMoveOver_FromJWTInACookie(t *testing.T) {
	key := newJWTKey()
	testMoveOver(t, func(t *testing.T) *shop {
		return newShop(t, library{
			oldLogins: loginsOfJWT(key),
			begin: func(w http.ResponseWriter, _ *http.Request, userID string, epoch uint64) error {
				http.SetCookie(w, &http.Cookie{Name: "token", Value: newToken(t, key, userID, epoch), Path: "/", Secure: true, HttpOnly: true})
				return nil
			},
		})
	})
}

// bearer reads the token of a program, for nethttp.Config.Credentials. Programs keep their
// tokens: only browsers need cookies.
func bearer(key []byte) func(r *http.Request) (session.Login, error) {
	return func(r *http.Request) (session.Login, error) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			return session.Login{}, session.ErrUnauthenticated
		}
		login, err := loginOfJWT(token, key)
		if err != nil {
			return session.Login{}, errors.Join(session.ErrUnauthenticated, err)
		}
		return login, nil
	}
}

func TestCredentials_TakeTheTokensOfPrograms(t *testing.T) {
	key := newJWTKey()
	s := newShop(t, library{oldLogins: loginsOfJWT(key)})
	guard, err := nethttp.New(s.Sessions, nethttp.Config{Credentials: bearer(key)})
	if err != nil {
		t.Fatal(err)
	}
	app := guard.Protect(s.pages(s.bySession, s.beginMoved, s.renewMoved, guard.Logout))

	for _, c := range []struct {
		name, authorization string
		want                int
	}{
		{"no token", "", http.StatusUnauthorized},
		{"a good token", "Bearer " + newToken(t, key, "ada", 1), http.StatusOK},
		{"a token from before the column", "Bearer " + newToken(t, key, "ada", 0), http.StatusOK},
		{"an old epoch", "Bearer " + newToken(t, key, "ada", 7), http.StatusForbidden},
		{"expired", "Bearer " + signed(t, key, jwt.SigningMethodHS256, claims{1, jwt.RegisteredClaims{Subject: "ada", ExpiresAt: jwt.NewNumericDate(time.Now().Add(-time.Hour))}}), http.StatusUnauthorized},
		{"another key", "Bearer " + newToken(t, newJWTKey(), "ada", 1), http.StatusUnauthorized},
		{"no user", "Bearer " + newToken(t, key, "", 1), http.StatusUnauthorized},
		{"no expiry", "Bearer " + signed(t, key, jwt.SigningMethodHS256, claims{RegisteredClaims: jwt.RegisteredClaims{Subject: "ada"}}), http.StatusUnauthorized},
		{"another method", "Bearer " + signed(t, key, jwt.SigningMethodHS512, claims{1, inAnHour("ada")}), http.StatusUnauthorized},
		{"unsigned", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDB9.", http.StatusUnauthorized},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "https://app.test/orders", nil)
			if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			answer := httptest.NewRecorder()
			app.ServeHTTP(answer, r)
			if answer.Code != c.want {
				t.Errorf("%d %s; want %d", answer.Code, answer.Body, c.want)
			}
		})
	}
}
