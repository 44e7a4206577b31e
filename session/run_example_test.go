package session_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
)

// The order of a shutdown: first the server, so that Run still repeats the last logouts, then
// Run, and the database at the end. A stream does not end with Shutdown: see RegisterOnShutdown.
func ExampleManager_Run() {
	sessions := exampleSessions(exampleUsers(), session.Config{})
	guard, mux := exampleApp(sessions)

	ctx, stop := context.WithCancel(context.Background())
	var background sync.WaitGroup
	background.Go(func() { fmt.Println("Run:", sessions.Run(ctx)) })

	server := &http.Server{Handler: guard.Protect(mux), MaxHeaderBytes: 32 << 10, ReadHeaderTimeout: 10 * time.Second}
	listener, err := net.Listen("tcp", "127.0.0.1:0") // in an app: server.ListenAndServe
	if err != nil {
		panic(err)
	}
	background.Go(func() { fmt.Println("Serve:", server.Serve(listener)) })

	// At a SIGTERM, of which signal.NotifyContext tells:
	deadline, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil {
		fmt.Println("requests were cut off:", err)
	}
	stop()
	background.Wait()
	fmt.Println("Close the database now.")
	// Unordered output:
	// Serve: http: Server closed
	// Run: context canceled
	// Close the database now.
}

// A proxy stands before the app, such as nginx, on the same machine or in the same network. The
// network address of the client, for the list of devices and for events, is then in a header.
// The proxy must replace what the client has sent there. In nginx:
//
//	proxy_set_header X-Forwarded-For $remote_addr;
func ExampleConfig_clientIP() {
	sessions := exampleSessions(exampleUsers(), session.Config{
		ClientIP: func(r *http.Request) string {
			peer, _, _ := net.SplitHostPort(r.RemoteAddr)
			if ip := net.ParseIP(peer); ip != nil && (ip.IsLoopback() || ip.IsPrivate()) {
				return r.Header.Get("X-Forwarded-For")
			}
			return peer // a request that has bypassed the proxy
		},
	})
	r := sessiontest.NewBrowser(nil).NewRequest("POST", "/login", nil)
	r.RemoteAddr = "10.0.0.7:40312"
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	if _, err := sessions.Issue(r, session.Login{UserID: "1", Epoch: 1}); err != nil {
		panic(err)
	}
	devices, err := sessions.List(context.Background(), "1", "")
	if err != nil {
		panic(err)
	}
	fmt.Println("logged in from", devices[0].IP)
	// Output: logged in from 203.0.113.9
}

// The app keeps the network of a client, and nothing of its user agent. The example stands
// behind a proxy as that of Config.ClientIP does.
func ExampleMaskIP() {
	sessions := exampleSessions(exampleUsers(), session.Config{
		ClientIP: func(r *http.Request) string {
			peer, _, _ := net.SplitHostPort(r.RemoteAddr)
			if ip := net.ParseIP(peer); ip != nil && (ip.IsLoopback() || ip.IsPrivate()) {
				peer = r.Header.Get("X-Forwarded-For")
			}
			return session.MaskIP(peer)
		},
		UserAgent: func(*http.Request) string { return "" }, // switched off
	})
	r := sessiontest.NewBrowser(nil).NewRequest("POST", "/login", nil)
	r.RemoteAddr = "10.0.0.7:40312"
	for _, ip := range []string{"203.0.113.9", "2001:db8:1:2::3", "203.0.113.9, 10.0.0.8"} {
		r.Header.Set("X-Forwarded-For", ip)
		if _, err := sessions.Issue(r, session.Login{UserID: "1", Epoch: 1}); err != nil {
			panic(err)
		}
	}
	devices, err := sessions.List(context.Background(), "1", "")
	if err != nil {
		panic(err)
	}
	for _, d := range slices.Backward(devices) { // the list begins with the newest
		fmt.Printf("logged in from %q with %q\n", d.IP, d.UserAgent)
	}
	// Output:
	// logged in from "203.0.113.0" with ""
	// logged in from "2001:db8:1::" with ""
	// logged in from "" with ""
}
