package recipes

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// whoAmI is a procedure of a Connect service. Connect passes the context of the HTTP request on.
func whoAmI(ctx context.Context, _ *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
	s, ok := session.FromContext(ctx)
	if !ok { // only without a guard
		return nil, connect.NewError(connect.CodeUnauthenticated, session.ErrUnauthenticated)
	}
	return connect.NewResponse(wrapperspb.String(s.UserID)), nil
}

// newConnectApp has two Connect services behind the guard. With generated code, each pair of
// path and handler is what NewAccountServiceHandler(service) returns.
func newConnectApp(guard *nethttp.Guard) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/shop.v1.AccountService/", connect.NewUnaryHandler("/shop.v1.AccountService/WhoAmI", whoAmI))
	mux.Handle("/shop.v1.AdminService/", guard.RequireRole("admin")(
		connect.NewUnaryHandler("/shop.v1.AdminService/WhoAmI", whoAmI)))
	return guard.Protect(mux)
}

func TestConnect_AuthenticatesAtHTTP(t *testing.T) {
	kit := sessiontest.New(t, session.Config{}, map[string]store.User{"ada": {}, "grace": {Roles: []string{"admin"}}})
	guard, err := nethttp.New(kit.Sessions, nethttp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(newConnectApp(guard))
	server.EnableHTTP2 = true // for the gRPC protocol
	server.StartTLS()
	defer server.Close()

	for _, protocol := range []struct {
		name   string
		option connect.ClientOption
	}{{"Connect", connect.WithProtoJSON()}, {"gRPC-Web", connect.WithGRPCWeb()}, {"gRPC", connect.WithGRPC()}} {
		t.Run(protocol.name, func(t *testing.T) {
			b := sessiontest.NewServerBrowser(server)
			client := *server.Client()
			client.Jar = b.Jar
			call := func(service string) (string, error) {
				answer, err := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](&client, server.URL+"/shop.v1."+service+"/WhoAmI", protocol.option).
					CallUnary(t.Context(), connect.NewRequest(&emptypb.Empty{}))
				if err != nil {
					return "", err
				}
				return answer.Msg.Value, nil
			}

			if _, err := call("AccountService"); connect.CodeOf(err) != connect.CodeUnauthenticated {
				t.Errorf("a stranger: %v", err)
			}
			b.Login(t, kit.Sessions, session.Login{UserID: "ada"})
			if user, err := call("AccountService"); err != nil || user != "ada" {
				t.Errorf("ada: %q, %v", user, err)
			}
			if _, err := call("AdminService"); connect.CodeOf(err) != connect.CodePermissionDenied {
				t.Errorf("ada at the administrators' service: %v", err)
			}
			b.ExpireAccess()
			kit.Store.Fail(context.DeadlineExceeded)
			if _, err := call("AccountService"); connect.CodeOf(err) != connect.CodeUnavailable {
				t.Errorf("in an outage: %v", err)
			}
			kit.Store.Fail(nil)
			b.Login(t, kit.Sessions, session.Login{UserID: "grace"})
			if user, err := call("AdminService"); err != nil || user != "grace" {
				t.Errorf("grace: %q, %v", user, err)
			}
		})
	}
}
