package assertion

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sessionkit/sessionkit/session"
)

const audience = "https://billing.test"

func newSigner(t *testing.T, cfg Config, keys ...string) *Signer {
	t.Helper()
	if len(keys) == 0 {
		keys = []string{GenerateKey()}
	}
	if cfg.Issuer == "" {
		cfg.Issuer = "https://app.test"
	}
	s, err := New(mustParse(t, keys...), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sessionNow is a session that the store was asked about at this moment.
func sessionNow() session.Session {
	now := time.Now()
	return session.Session{
		ID: "s1", UserID: "7", Roles: []string{"admin", "user"},
		Attrs:    map[string]string{"email": "ada@example.com", "plan": "pro"},
		AuthTime: now.Add(-time.Hour), IssuedAt: now, ExpiresAt: now.Add(2 * time.Minute), EndsAt: now.Add(11 * time.Hour),
		Methods: []string{"pwd", "otp"}, ExternalID: "idp-1", Data: map[string]string{"tenant": "t1", "note": "private"},
	}
}

// opened verifies an assertion with the published keys, and returns its header and claims.
func opened(t *testing.T, s *Signer, token string) (header jose.Header, claims map[string]any) {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	header = signed.Signatures[0].Protected
	set := publishedSet(t, Keys{s.keys.Load()})
	found := set.Key(header.KeyID)
	if len(found) != 1 {
		t.Fatalf("%d published keys have the kid %q", len(found), header.KeyID)
	}
	payload, err := signed.Verify(found[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return header, claims
}

func sign(t *testing.T, s *Signer, of session.Session) map[string]any {
	t.Helper()
	token, err := s.Sign(of, audience)
	if err != nil {
		t.Fatal(err)
	}
	_, claims := opened(t, s, token)
	return claims
}

// asJSON writes claims without jti, which is random.
func asJSON(t *testing.T, claims map[string]any) string {
	t.Helper()
	claims = maps.Clone(claims)
	delete(claims, "jti")
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// All claims are named here: another one would tell the other services more.
func TestSign_SaysWhoIsLoggedInAndNoMore(t *testing.T) {
	for name, c := range map[string]struct {
		cfg    Config
		change func(*session.Session)
		want   string
	}{
		"a session": {
			want: `{"amr":["pwd","otp"],"aud":"https://billing.test","auth_time":946681200,"exp":946684860,"iat":946684800,"iss":"https://app.test","roles":["admin","user"],"sid":"s1","sub":"7"}`,
		},
		"without roles and methods": {
			change: func(s *session.Session) { s.Roles, s.Methods = nil, nil },
			want:   `{"aud":"https://billing.test","auth_time":946681200,"exp":946684860,"iat":946684800,"iss":"https://app.test","sid":"s1","sub":"7"}`,
		},
		"of a program with tokens": {
			change: func(s *session.Session) { s.Roles, s.Methods, s.Client = nil, nil, "acme-cli" },
			want:   `{"aud":"https://billing.test","auth_time":946681200,"client_id":"acme-cli","exp":946684860,"iat":946684800,"iss":"https://app.test","sid":"s1","sub":"7"}`,
		},
		"an impersonation": {
			change: func(s *session.Session) { s.Actor = "1" },
			want:   `{"act":{"sub":"1"},"aud":"https://billing.test","exp":946684860,"iat":946684800,"iss":"https://app.test","roles":["admin","user"],"sid":"s1","sub":"7"}`,
		},
		"with values that are named": {
			cfg:  Config{Attrs: []string{"plan", "absent"}, Data: []string{"tenant"}},
			want: `{"amr":["pwd","otp"],"attrs":{"plan":"pro"},"aud":"https://billing.test","auth_time":946681200,"data":{"tenant":"t1"},"exp":946684860,"iat":946684800,"iss":"https://app.test","roles":["admin","user"],"sid":"s1","sub":"7"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				of := sessionNow()
				if c.change != nil {
					c.change(&of)
				}
				if got := asJSON(t, sign(t, newSigner(t, c.cfg), of)); got != c.want {
					t.Errorf("the claims are\n%s; want\n%s", got, c.want)
				}
			})
		})
	}
}

func TestSign_NamesTheKeyAndTheType(t *testing.T) {
	for name, key := range map[string]string{"ES256": GenerateKey(), "EdDSA": edKey(t)} {
		s := newSigner(t, Config{}, key, GenerateKey())
		token, err := s.Sign(sessionNow(), audience)
		if err != nil {
			t.Fatal(err)
		}
		header, _ := opened(t, s, token)
		if first := publishedSet(t, Keys{s.keys.Load()}).Keys[0].KeyID; header.KeyID != first || header.Algorithm != name {
			t.Errorf("%s: kid %q, alg %q; want those of the first key, %q", name, header.KeyID, header.Algorithm, first)
		}
		if typ := header.ExtraHeaders[jose.HeaderType]; typ != "session-assertion+jwt" || header.JSONWebKey != nil {
			t.Errorf("%s: typ %v, and a key in the header: %v", name, typ, header.JSONWebKey != nil)
		}
	}
}

func TestSign_GivesEachAssertionAnID(t *testing.T) {
	s, seen := newSigner(t, Config{}), map[any]bool{}
	for range 100 {
		jti := sign(t, s, sessionNow())["jti"]
		if text, ok := jti.(string); !ok || len(text) < 22 || seen[jti] { // 128 bits or more
			t.Fatalf("the jti %v is short, or not the first of its kind", jti)
		}
		seen[jti] = true
	}
}

// From second to second, by this node's clock.
func TestSign_LivesForItsTTLAndNotPastTheSession(t *testing.T) {
	for name, c := range map[string]struct {
		ttl, endsIn time.Duration
		want        time.Duration // 0: refused
	}{
		"by default":                 {0, time.Hour, time.Minute},
		"as configured":              {90 * time.Second, time.Hour, 90 * time.Second},
		"two minutes":                {2 * time.Minute, time.Hour, 2 * time.Minute},
		"one second":                 {time.Second, time.Hour, time.Second},
		"just as long as the TTL":    {0, time.Minute, time.Minute},
		"a session with 59 s left":   {0, 59 * time.Second, 59 * time.Second},
		"a session with 59.9 s left": {0, 59*time.Second + 900*time.Millisecond, 59 * time.Second},
		"a session with 1 s left":    {0, time.Second, time.Second},
		"a session with 0.9 s left":  {0, 900 * time.Millisecond, 0},
		"a session that has ended":   {0, 0, 0},
		"one that ended long ago":    {0, -time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				of := sessionNow()
				of.EndsAt = of.IssuedAt.Add(c.endsIn)
				of.ExpiresAt = of.IssuedAt.Add(min(2*time.Minute, c.endsIn))
				s := newSigner(t, Config{TTL: c.ttl})
				if c.want == 0 {
					token, err := s.Sign(of, audience)
					if !errors.Is(err, session.ErrUnauthenticated) || token != "" {
						t.Errorf("got %q, %v; want ErrUnauthenticated", token, err)
					}
					return
				}
				claims := sign(t, s, of)
				if got := claims["exp"].(float64) - claims["iat"].(float64); got != c.want.Seconds() {
					t.Errorf("it lives for %v s; want %v", got, c.want)
				}
			})
		})
	}
}

// A node whose clock is wrong, or a Session that was kept: the times stay within those that
// the store has given.
func TestSign_TimesStayWithinThoseOfTheStore(t *testing.T) {
	for name, c := range map[string]struct {
		clock time.Duration // of this node, after the session's IssuedAt
		want  time.Duration // iat after IssuedAt
	}{
		"at once":                        {0, 0},
		"a while later":                  {90 * time.Second, 90 * time.Second},
		"when the access cookie expires": {2 * time.Minute, 2 * time.Minute},
		"a clock an hour ahead":          {time.Hour, 2 * time.Minute},
		"a clock a second behind":        {-time.Second, 0},
		"a clock an hour behind":         {-time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(2*time.Hour + 999*time.Millisecond) // times are rounded down
				of := sessionNow()
				issued := of.IssuedAt.Add(-c.clock)
				of.IssuedAt, of.ExpiresAt, of.EndsAt = issued, issued.Add(2*time.Minute), issued.Add(11*time.Hour)
				claims := sign(t, newSigner(t, Config{}), of)
				if got, want := int64(claims["iat"].(float64)), issued.Add(c.want).Unix(); got != want {
					t.Errorf("iat is %v; want %v", time.Unix(got, 0), time.Unix(want, 0))
				}
				if got := claims["exp"].(float64) - claims["iat"].(float64); got != 60 {
					t.Errorf("it lives for %v s; want 60", got)
				}
			})
		})
	}
}

func TestSign_RefusesWhatNamesNobody(t *testing.T) {
	change := func(f func(*session.Session)) session.Session {
		s := sessionNow()
		f(&s)
		return s
	}
	s := newSigner(t, Config{})
	for name, c := range map[string]struct {
		of              session.Session
		audience        string
		want            string
		unauthenticated bool
	}{
		"the zero session":          {session.Session{}, audience, "no session", true},
		"without an id":             {change(func(s *session.Session) { s.ID = "" }), audience, "no session", true},
		"without a user":            {change(func(s *session.Session) { s.UserID = "" }), audience, "no session", true},
		"without times":             {session.Session{ID: "s1", UserID: "7"}, audience, "has ended", true},
		"a user id of other bytes":  {change(func(s *session.Session) { s.UserID = "7\xff" }), audience, "UTF-8", false},
		"an actor of other bytes":   {change(func(s *session.Session) { s.Actor = "\xfe" }), audience, "UTF-8", false},
		"without an audience":       {sessionNow(), "", "audience is empty", false},
		"an audience with a space":  {sessionNow(), "billing ", "audience has white space", false},
		"two audiences":             {sessionNow(), "a b", "audience has white space", false},
		"an audience with a break":  {sessionNow(), "billing\n", "audience has white space", false},
		"an audience with a DEL":    {sessionNow(), "billing\x7f", "audience has white space or a control", false},
		"an audience of other text": {sessionNow(), "\xff", "audience has white space or", false},
	} {
		token, err := s.Sign(c.of, c.audience)
		if err == nil || !strings.Contains(err.Error(), c.want) || token != "" || errors.Is(err, session.ErrUnauthenticated) != c.unauthenticated {
			t.Errorf("%s: got %q, %v; want an error that says %q", name, token, err, c.want)
		}
	}
}

// brokenSigner stands for a key that cannot sign.
type brokenSigner struct{ jose.Signer }

func (brokenSigner) Sign([]byte) (*jose.JSONWebSignature, error) { return nil, errBroken }

var errBroken = errors.New("broken")

func TestSign_SaysThatItCannotSign(t *testing.T) {
	s := newSigner(t, Config{})
	s.keys.Store(&keySet{signer: brokenSigner{}})
	if token, err := s.Sign(sessionNow(), audience); token != "" || !errors.Is(err, errBroken) || errors.Is(err, session.ErrUnauthenticated) {
		t.Errorf("got %q, %v", token, err)
	}
}

func TestNew_NamesEveryFaultAtOnce(t *testing.T) {
	good := mustParse(t, GenerateKey())
	for name, c := range map[string]struct {
		keys Keys
		cfg  Config
		want []string
	}{
		"no fault":         {good, Config{Issuer: "https://app.test"}, nil},
		"the longest TTL":  {good, Config{Issuer: "app", TTL: 2 * time.Minute}, nil},
		"the shortest TTL": {good, Config{Issuer: "app", TTL: time.Second}, nil},
		"too long":         {good, Config{Issuer: "app", TTL: 2*time.Minute + 1}, []string{"Config.TTL is 2m0.000000001s"}},
		"too short":        {good, Config{Issuer: "app", TTL: time.Second - 1}, []string{"Config.TTL is 999.999999ms"}},
		"negative":         {good, Config{Issuer: "app", TTL: -time.Minute}, []string{"Config.TTL is -1m0s"}},
		"a blank issuer":   {good, Config{Issuer: "my app"}, []string{"Config.Issuer has white space"}},
		"an empty attr":    {good, Config{Issuer: "app", Attrs: []string{"a", ""}}, []string{"Config.Attrs or Config.Data"}},
		"an empty datum":   {good, Config{Issuer: "app", Data: []string{""}}, []string{"Config.Attrs or Config.Data"}},
		"all at once":      {Keys{}, Config{TTL: time.Hour}, []string{"the keys are empty", "Config.Issuer is empty", "Config.TTL is 1h0m0s"}},
	} {
		s, err := New(c.keys, c.cfg)
		if (err == nil) != (c.want == nil) || (s == nil) != (err != nil) {
			t.Errorf("%s: got %v, %v", name, s, err)
		}
		for _, want := range c.want {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%s: the error is %v; want one that says %q", name, err, want)
			}
		}
	}
}

// A caller that changes its slices later does not change what is told.
func TestNew_KeepsItsOwnConfig(t *testing.T) {
	names := []string{"plan"}
	s := newSigner(t, Config{Attrs: names, Data: names})
	names[0] = "email"
	if got := fmt.Sprint(sign(t, s, sessionNow())["attrs"]); got != "map[plan:pro]" {
		t.Errorf("the attributes are %s", got)
	}
}

func TestSetKeys_ChangesTheKeyWithoutARestart(t *testing.T) {
	old, fresh := GenerateKey(), edKey(t)
	kids := func(texts ...string) (kids []string) {
		for _, key := range publishedSet(t, mustParse(t, texts...)).Keys {
			kids = append(kids, key.KeyID)
		}
		return kids
	}
	s := newSigner(t, Config{}, old)
	for step, c := range []struct{ keys []string }{{[]string{old}}, {[]string{old, fresh}}, {[]string{fresh, old}}, {[]string{fresh}}} {
		if err := s.SetKeys(mustParse(t, c.keys...)); err != nil {
			t.Fatal(err)
		}
		token, err := s.Sign(sessionNow(), audience)
		if err != nil {
			t.Fatal(err)
		}
		header, _ := opened(t, s, token)
		want := kids(c.keys...)
		var published []string
		for _, key := range publishedSet(t, Keys{s.keys.Load()}).Keys {
			published = append(published, key.KeyID)
		}
		if header.KeyID != want[0] || !slices.Equal(published, want) {
			t.Errorf("step %d: %s signs, and %q are published; want the first of %q, and all of them", step, header.KeyID, published, want)
		}
	}
}

func TestSetKeys_LeavesTheKeysAsTheyWereOnAnError(t *testing.T) {
	s := newSigner(t, Config{})
	before := s.keys.Load()
	if err := s.SetKeys(Keys{}); err == nil || s.keys.Load() != before {
		t.Errorf("the error is %v, and the keys are the same: %v", err, s.keys.Load() == before)
	}
	sign(t, s, sessionNow())
}

func TestSigner_IsSafeForConcurrentUse(t *testing.T) {
	keys := []Keys{mustParse(t, GenerateKey()), mustParse(t, edKey(t), GenerateKey())}
	s := newSigner(t, Config{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 20 {
				if err := s.SetKeys(keys[i%2]); err != nil {
					t.Error(err)
				}
				if _, err := s.Sign(sessionNow(), audience); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
