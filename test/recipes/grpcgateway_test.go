package recipes

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/metadata"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// userMetadata tells a gRPC server behind the gateway whose request it is: of a stranger's, nobody's.
// That server must take calls from the gateway alone, because it believes what they say.
func userMetadata(_ context.Context, r *http.Request) metadata.MD {
	s, _ := session.FromContext(r.Context())
	return metadata.Pairs("user-id", s.UserID)
}

// withoutCookies keeps the cookies at the gateway, which otherwise passes them on.
func withoutCookies(header string) (string, bool) {
	if header == "Cookie" {
		return "", false
	}
	return runtime.DefaultHeaderMatcher(header)
}

func newGateway() *runtime.ServeMux {
	return runtime.NewServeMux(
		runtime.WithMetadata(userMetadata),
		runtime.WithIncomingHeaderMatcher(withoutCookies),
	)
}

// Code that protoc generates is out of reach here, so the routes are written by hand. One serves
// the request itself, as RegisterServiceHandlerServer does. The other calls AnnotateContext, as
// RegisterServiceHandlerClient does before it calls a gRPC server.
func TestGRPCGateway_AuthenticatesAtHTTP(t *testing.T) {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"ada": {}})
	guard, err := nethttp.New(kit.Sessions, nethttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	gateway := newGateway()
	if err := gateway.HandlePath("GET", "/v1/in-process", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		s, _ := session.FromContext(r.Context())
		fmt.Fprint(w, s.UserID)
	}); err != nil {
		t.Fatal(err)
	}
	if err := gateway.HandlePath("GET", "/v1/remote", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		ctx, err := runtime.AnnotateContext(r.Context(), gateway, r, "/shop.v1.AccountService/WhoAmI")
		if err != nil {
			t.Error(err)
		}
		sent, _ := metadata.FromOutgoingContext(ctx)
		fmt.Fprint(w, sent.Get("user-id"), len(sent.Get("grpcgateway-cookie")))
	}); err != nil {
		t.Fatal(err)
	}
	b := sessiontest.NewBrowser(guard.Protect(gateway))

	r := b.NewRequest("GET", "/v1/in-process", nil)
	r.Header.Set("Accept", "application/json")
	r.Header.Del("Sec-Fetch-Mode")
	if answer := b.Do(r); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger: %s", answer.Status)
	}
	b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
	for path, want := range map[string]string{"/v1/in-process": "ada", "/v1/remote": "[ada] 0"} {
		r := b.NewRequest("GET", path, nil)
		for _, name := range []string{"Grpc-Metadata-User-Id", "Grpc-Metadata-user-id", "User-Id"} {
			r.Header.Set(name, "grace")
		}
		if body, _ := io.ReadAll(b.Do(r).Body); string(body) != want {
			t.Errorf("%s: %q; want %q", path, body, want)
		}
	}
}
