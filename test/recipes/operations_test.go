package recipes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// serve answers requests until ctx ends. Then it ends the server first, so that running requests
// still find the Manager at work, and the background work of the Manager after it.
func serve(ctx context.Context, server *http.Server, listener net.Listener, sessions *session.Manager) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { sessions.Run(running) })
	defer background.Wait()
	defer stop()

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return server.Shutdown(grace)
}

func TestServe_EndsTheServerFirst(t *testing.T) {
	kit := sessiontest.New(t, session.Config{}, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	begun, polled := make(chan bool), make(chan bool)
	var waits atomic.Bool
	kit.Store.Before(func(_ context.Context, method string) error {
		if method == "Changes" && waits.CompareAndSwap(true, false) {
			close(polled)
		}
		return nil
	})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-ctx.Done()
		waits.Store(true)
		select {
		case <-polled: // the Manager still works
		case <-t.Context().Done():
		}
		fmt.Fprint(w, "done")
	})}
	served := make(chan error, 1)
	go func() { served <- serve(ctx, server, listener, kit.Sessions) }()

	answered := make(chan error, 1)
	go func() {
		answer, err := http.Get("http://" + listener.Addr().String())
		if err == nil {
			answer.Body.Close()
		}
		answered <- err
	}()
	<-begun
	stop()
	err = <-served
	server.Close()
	if err := errors.Join(err, <-answered); err != nil {
		t.Error(err)
	}
}

// loadKeys reads the keys again, at a signal for example, and gives them to the Manager. A file
// that is faulty leaves the keys as they are.
func loadKeys(sessions *session.Manager, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	keys, err := session.ParseKeys(string(text))
	if err != nil {
		return err
	}
	return sessions.SetKeys(keys)
}

func TestLoadKeys_ChangesTheKeyUnderALiveSession(t *testing.T) {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"ada": {}})
	file := filepath.Join(t.TempDir(), "keys")
	load := func(keys ...string) error {
		if err := os.WriteFile(file, []byte(strings.Join(keys, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		return loadKeys(kit.Sessions, file)
	}
	before, after := session.GenerateKey(), session.GenerateKey()
	if err := load(before); err != nil {
		t.Fatal(err)
	}
	b := sessiontest.NewBrowser(nil)
	b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
	for _, keys := range [][]string{{before, after}, {after, before}} {
		if err := load(keys...); err != nil {
			t.Fatal(err)
		}
		if _, err := kit.Sessions.Authenticate(b.NewRequest("GET", "/", nil)); err != nil {
			t.Error(err)
		}
	}
	if kit.Sessions.Stats()[session.EventOldKey] == 0 {
		t.Error("no event old-key, although the old key is in use")
	}
	if load("short") == nil {
		t.Error("a faulty file is no error")
	}
	if _, err := kit.Sessions.Authenticate(b.NewRequest("GET", "/", nil)); err != nil {
		t.Errorf("after a faulty file: %v", err)
	}
}

// onEvent logs all events, and tells a user whose cookie may have been copied. The request waits
// for it, so it only puts the message into a queue.
func onEvent(log *slog.Logger, mails chan<- string) func(session.Event) {
	logged := session.LogEvents(log)
	return func(e session.Event) {
		logged(e)
		if e.Kind != session.EventReuse {
			return
		}
		select {
		case mails <- fmt.Sprintf("To %s: a copy of your login on %q was used from %s. Please log in again.", e.UserID, e.LoginUserAgent, e.IP):
		default: // the queue is full
			log.Error("a message to a user was not sent", "user", e.UserID)
		}
	}
}

func TestOnEvent_TellsTheVictimOfATheft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mails := make(chan string, 1)
		var log strings.Builder
		kit := sessiontest.New(t, session.Config{OnEvent: onEvent(slog.New(slog.NewTextHandler(&log, nil)), mails)},
			map[string]store.User{"ada": {}})
		ada := sessiontest.NewBrowser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			verdict, _ := kit.Sessions.Authenticate(r)
			verdict.SetCookies(w)
		}))
		ada.UserAgent = "Firefox"
		ada.Login(t, kit.Sessions, session.Login{UserID: "ada"})
		thief := ada.Clone()
		for range 2 {
			time.Sleep(5 * time.Minute)
			ada.Get("/")
		}
		time.Sleep(time.Minute)
		thief.Get("/")
		want := `To ada: a copy of your login on "Firefox" was used from 192.0.2.1. Please log in again.`
		if len(mails) != 1 {
			t.Fatalf("%d messages; want 1", len(mails))
		}
		if got := <-mails; got != want {
			t.Errorf("%q; want %q", got, want)
		}
		if !strings.Contains(log.String(), "kind=reuse") {
			t.Errorf("the log has no reuse:\n%s", &log)
		}
	})
}
