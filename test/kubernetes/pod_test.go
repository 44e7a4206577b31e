package kubernetes

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/internal/dbtest"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// namesOf are what the program calls keys, as sessionkit key check does.
func namesOf(keys []string) []string {
	parsed, err := session.ParseKeys(strings.Join(keys, " "))
	if err != nil {
		panic(err)
	}
	return parsed.Names()
}

func secret(dsn string, keys ...string) map[string]string {
	return map[string]string{"dsn": dsn + "\n", "keys": strings.Join(keys, "\n") + "\n"}
}

// sees requests a page with and without the access cookie.
func sees(t *testing.T, b *sessiontest.Browser, when string) {
	t.Helper()
	for _, cookies := range []string{"all cookies", "no access cookie"} {
		if cookies != "all cookies" {
			b.ExpireAccess()
		}
		if answer := b.Get("/me"); answer.StatusCode != http.StatusOK {
			t.Errorf("%s, with %s: %d; want 200, because nobody is logged out", when, cookies, answer.StatusCode)
		}
	}
}

func TestPod_FollowsTheKeysOfItsSecret(t *testing.T) {
	dsn := dbtest.Database(t)
	first, second, third := session.GenerateKey(), session.GenerateKey(), session.GenerateKey()
	v := newVolume(t, secret(dsn, first))
	const accessTTL = 2 * time.Second
	p := start(t, v, "-access-ttl="+accessTTL.String())
	b := p.login()
	p.uses(first)
	sees(t, b, "at the start")

	step := func(when string, keys ...string) {
		t.Helper()
		v.swap(secret(dsn, keys...))
		p.uses(keys...)
		sees(t, b, when)
	}
	step("the new key is last", first, second)

	const faulty = "the keys in use stay: the file of the keys is faulty"
	noKeys := secret(dsn)
	delete(noKeys, "keys")
	for i, c := range []struct {
		name  string
		files map[string]string
		says  string
	}{
		{"short", secret(dsn, first, "c2hvcnQtc2VjcmV0"), "32 or more are needed"},
		{"empty", map[string]string{"dsn": dsn, "keys": ""}, "there is no key"},
		{"gone", noKeys, "no such file"},
		{"too many", secret(dsn, first, second, third, session.GenerateKey()), "at most 3"},
	} {
		v.swap(c.files)
		p.until("a file with keys that are "+c.name+" is reported", func() bool {
			r, err := p.ready()
			return err == nil && strings.Contains(r.KeysError, c.says)
		})
		r, err := p.ready()
		if err != nil || r.Status != "ready" || r.Code != http.StatusOK || strings.Join(r.Keys, " ") != strings.Join(namesOf([]string{first, second}), " ") {
			t.Errorf("keys that are %s: %+v, %v; want the keys before, and ready", c.name, r, err)
		}
		sees(t, b, "with keys that are "+c.name)
		time.Sleep(150 * time.Millisecond) // three more looks at the file
		if lines := p.lines(faulty); len(lines) != i+1 || lines[i]["level"] != "ERROR" {
			t.Errorf("keys that are %s: %d errors in the log; want one for each fault", c.name, len(lines))
		}
	}
	step("the file is good again", first, second)
	if len(p.lines("the file of the keys is good again")) != 1 {
		t.Error("the log does not say that the file is good again")
	}

	step("the new key is first", second, first)
	if before := p.lines("keys changed"); len(before) != 2 {
		t.Errorf("%d changes of keys in the log; want 2", len(before))
	}
	for range nodetest.RefreshCookies { // until both are sealed with the new key
		time.Sleep(accessTTL) // a cookie that is younger is not replaced
		sees(t, b, "the new key seals")
	}
	old := p.events(session.EventOldKey)
	time.Sleep(accessTTL)
	sees(t, b, "the new key alone seals")
	if more := p.events(session.EventOldKey) - old; more != 0 || old == 0 {
		t.Errorf("%d events old-key, and %d more; want some, and then none, which is when the old key may go", old, more)
	}
	step("the old key is gone", second)

	// A key that nobody has is what a leak needs. It logs everybody out, and the log says so.
	v.swap(secret(dsn, third))
	p.uses(third)
	if answer := b.Get("/me"); answer.StatusCode == http.StatusOK {
		t.Error("a cookie of another key is accepted")
	}
	p.logged("keys changed: none of the old ones is left, so everybody logs in again")

	for _, text := range []string{first, second, third, "c2hvcnQtc2VjcmV0", dsn, password} {
		if strings.Contains(p.text(), text) {
			t.Errorf("the log holds the secret %q", text)
		}
	}
}

func TestPod_WarnsOfAKeyThatSealsAtOnce(t *testing.T) {
	dsn := dbtest.Database(t)
	first, second := session.GenerateKey(), session.GenerateKey()
	v := newVolume(t, secret(dsn, first))
	p := start(t, v)
	p.url()
	v.swap(secret(dsn, second, first))
	p.uses(second, first)
	p.logged("keys changed: the first one is new, and pods that do not have it yet ignore its cookies; add a key last, and move it first when all pods have it")
}

func TestPod_TellsAStoreThatIsDownFromNotReady(t *testing.T) {
	server := dbtest.Start(t)
	dsn := server.Database(t)
	server.Stop(t)
	p := start(t, newVolume(t, secret(dsn, session.GenerateKey())), "-pause=0s")

	p.until("/readyz says what the start waits for", func() bool {
		r, err := p.ready()
		return err == nil && strings.HasPrefix(r.Reason, "starting: ")
	})
	if r := p.becomes("not ready"); r.Code != http.StatusServiceUnavailable {
		t.Errorf("during the start: %+v; want 503", r)
	}
	p.alive()

	server.Restart(t)
	if r := p.becomes("ready"); r.Code != http.StatusOK || r.Reason != "" {
		t.Errorf("after the start: %+v; want 200", r)
	}
	b, other := p.login(), p.login()
	sees(t, b, "at the start")

	server.Kill(t)
	if r := p.becomes("store down"); r.Code != http.StatusOK {
		t.Errorf("without a database: %+v; want 200, because the pod still serves users", r)
	}
	p.alive()
	if answer := b.Get("/me"); answer.StatusCode != http.StatusOK {
		t.Errorf("a good access cookie: %d; want 200 without a database", answer.StatusCode)
	}
	stranger := b.Clone()
	stranger.ExpireAccess()
	time.Sleep(time.Second) // for which the answer to a refresh cookie is remembered
	if answer := stranger.Get("/me"); answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("no access cookie: %d; want 503 with Retry-After", answer.StatusCode)
	}

	server.Restart(t)
	if r := p.becomes("ready"); r.Code != http.StatusOK {
		t.Errorf("with the database again: %+v", r)
	}
	sees(t, b, "after the outage")

	// A logout that the database never hears of is reported at the end.
	server.Kill(t)
	p.becomes("store down")
	if answer := other.PostForm("/logout", nil); answer.StatusCode != http.StatusSeeOther {
		t.Errorf("logout without a database: %d; want 303", answer.StatusCode)
	}
	p.terminate()
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d; want 0", code)
	}
	if p.events(session.EventRevocationLost) != 1 || len(p.lines("stopped")) != 1 {
		t.Error("the log does not end with the revocation that was lost, and the end")
	}
}

func TestPod_EndsDuringItsStart(t *testing.T) {
	v := newVolume(t, secret("app:wrong-password@tcp(127.0.0.1:1)/app", session.GenerateKey()))
	p := start(t, v)
	p.logged("the start waits for the database")
	p.terminate()
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d; want 0", code)
	}
	if strings.Contains(p.text(), "wrong-password") {
		t.Error("the log holds the password of the database")
	}
}

// slowBody is a form whose end comes later.
func slowBody(form string) (body io.Reader, finish func()) {
	read, write := io.Pipe()
	half := len(form) / 2
	rest := make(chan struct{})
	go func() {
		io.WriteString(write, form[:half])
		<-rest
		io.WriteString(write, form[half:])
		write.Close()
	}()
	return read, sync.OnceFunc(func() { close(rest) })
}

func TestPod_DrainsOnSIGTERM(t *testing.T) {
	p := start(t, newVolume(t, secret(dbtest.Database(t), session.GenerateKey())), "-pause=2s")
	b := p.login()

	stream, err := b.Transport.RoundTrip(request(b, "GET", "/events", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	if !lines.Scan() || lines.Text() != "data: still here" {
		t.Fatalf("the stream begins with %q, %v", lines.Text(), lines.Err())
	}

	form := url.Values{"email": {user}, "password": {password}}.Encode()
	body, finish := slowBody(form)
	defer finish()
	slow := request(p.browser(), "POST", "/login", body)
	slow.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	slow.ContentLength = int64(len(form))
	answered := make(chan error, 1)
	var status atomic.Int64
	go func() {
		answer, err := (&http.Transport{}).RoundTrip(slow)
		if err == nil {
			answer.Body.Close()
			status.Store(int64(answer.StatusCode))
		}
		answered <- err
	}()

	// A balancer that looks at /readyz sends the requests of four users at a time.
	var all sync.WaitGroup
	var out atomic.Bool
	var served, asked atomic.Int64 // during the shutdown
	var ending atomic.Bool
	for range 4 {
		user := b.Clone()
		user.Transport = &http.Transport{}
		all.Go(func() {
			for !out.Load() {
				late := ending.Load()
				answer, err := user.Transport.RoundTrip(request(user, "GET", "/me", nil))
				if err != nil {
					t.Errorf("a request failed: %v", err)
					return
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				if answer.StatusCode != http.StatusOK {
					t.Errorf("a request got %d; want 200", answer.StatusCode)
				}
				if late {
					served.Add(1)
				}
				if answer.Close {
					asked.Add(1)
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	p.terminate()
	ending.Store(true)
	if r := p.becomes("not ready"); r.Code != http.StatusServiceUnavailable || r.Reason != "shutting down" {
		t.Errorf("during the shutdown: %+v; want 503", r)
	}
	p.alive()
	time.Sleep(500 * time.Millisecond) // the balancer's period
	out.Store(true)
	all.Wait()
	if served.Load() == 0 || asked.Load() == 0 {
		t.Errorf("during the pause %d requests were served, and %d answers asked to close the connection; want some", served.Load(), asked.Load())
	}

	address := strings.TrimPrefix(b.Origin, "http://")
	p.until("no connection is accepted", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	if r, err := p.ready(); err != nil || r.Code != http.StatusServiceUnavailable {
		t.Errorf("while requests finish: %+v, %v; want an answer", r, err)
	}
	for lines.Scan() { // the rest of the stream
	}
	if err := lines.Err(); err != nil {
		t.Errorf("the stream broke off: %v", err)
	}
	finish()
	if err := <-answered; err != nil || status.Load() != http.StatusSeeOther {
		t.Errorf("a request in flight: %d, %v; want 303", status.Load(), err)
	}
	if code := p.exit(); code != 0 {
		t.Errorf("exit code %d; want 0", code)
	}
	if len(p.lines("stopped")) != 1 {
		t.Error("the log does not say that the app has stopped")
	}
}

// request is a request of a browser for a real transport.
func request(b *sessiontest.Browser, method, path string, body io.Reader) *http.Request {
	r := b.NewRequest(method, path, body)
	r.RequestURI = ""
	if method == "POST" {
		r.Header.Set("Origin", b.Origin)
	}
	return r
}
