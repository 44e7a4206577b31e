package recipes

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"

	"connectrpc.com/connect"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sessionkit/sessionkit/middleware/nethttp"
	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/session/sessiontest"
	"github.com/sessionkit/sessionkit/session/store"
)

// exampleGuard returns a guard whose users are ada, and grace, an admin. In an app sqlstore.New
// makes the store, and the keys are from the environment.
func exampleGuard(cfg nethttp.Config) (*session.Manager, *nethttp.Guard) {
	users := store.NewMemory()
	users.SetUser("ada", store.User{Epoch: 1})
	users.SetUser("grace", store.User{Epoch: 1, Roles: []string{"admin"}})
	keys, err := session.ParseKeys(session.GenerateKey())
	if err != nil {
		panic(err)
	}
	sessions, err := session.New(keys, users, session.Config{})
	if err != nil {
		panic(err)
	}
	guard, err := nethttp.New(sessions, cfg)
	if err != nil {
		panic(err)
	}
	return sessions, guard
}

// loginInto gives a browser the cookies of a session, as the login page does.
func loginInto(b *sessiontest.Browser, sessions *session.Manager, userID string) {
	r := b.NewRequest(http.MethodPost, "/login", nil)
	verdict, err := sessions.Issue(r, session.Login{UserID: userID, Epoch: 1})
	if err != nil {
		panic(err)
	}
	b.Receive(verdict.Cookies)
}

func printBody(answer *http.Response) {
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(err)
	}
	fmt.Println(answer.StatusCode, string(body))
}

// Logins are sessionkit's. The cart is scs's, also that of a stranger, who keeps it over the
// login. The logout ends both. newCartShop is the app.
func Example_cart() {
	_, guard := exampleGuard(nethttp.Config{Public: []string{"/cart"}})
	b := sessiontest.NewBrowser(newCartShop(guard, newCarts()))

	b.PostForm("/cart", url.Values{"item": {"a book"}})
	printBody(b.Get("/cart"))
	fmt.Println(b.Get("/checkout").Header.Get("Location"))
	b.PostForm("/login?next=%2Fcheckout", url.Values{"user": {"ada"}})
	printBody(b.Get("/checkout"))
	b.PostForm("/logout", nil)
	printBody(b.Get("/cart"))
	// Output:
	// 200 It is in your cart. Cart: a book
	// /login?next=%2Fcheckout
	// 200 ada buys a book
	// 200  Cart:
}

// A Connect service behind the guard, which authenticates at HTTP. whoAmI reads the session
// from the context. Clients of Connect understand the refusals: 401 is unauthenticated, 403
// permission_denied.
func Example_connect() {
	sessions, guard := exampleGuard(nethttp.Config{})
	server := httptest.NewTLSServer(newConnectApp(guard))
	defer server.Close()
	b := sessiontest.NewServerBrowser(server)
	client := *server.Client()
	client.Jar = b.Jar

	call := func(service string) {
		procedure := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](&client, server.URL+"/shop.v1."+service+"/WhoAmI")
		answer, err := procedure.CallUnary(context.Background(), connect.NewRequest(&emptypb.Empty{}))
		if err != nil {
			fmt.Println(service, connect.CodeOf(err))
			return
		}
		fmt.Println(service, answer.Msg.Value)
	}
	call("AccountService")
	loginInto(b, sessions, "ada")
	call("AccountService")
	call("AdminService")
	// Output:
	// AccountService unauthenticated
	// AccountService ada
	// AdminService permission_denied
}

// A gRPC-Gateway behind the guard. newGateway tells the gRPC server by metadata who is logged
// in, and keeps the cookies. The route stands for one that protoc generates.
func Example_grpcGateway() {
	sessions, guard := exampleGuard(nethttp.Config{})
	gateway := newGateway()
	err := gateway.HandlePath("GET", "/v1/account", func(w http.ResponseWriter, r *http.Request, _ map[string]string) {
		ctx, err := runtime.AnnotateContext(r.Context(), gateway, r, "/shop.v1.AccountService/WhoAmI")
		if err != nil {
			panic(err)
		}
		sent, _ := metadata.FromOutgoingContext(ctx)
		fmt.Fprint(w, "user ", sent.Get("user-id"), ", cookies ", sent.Get("grpcgateway-cookie"))
	})
	if err != nil {
		panic(err)
	}
	b := sessiontest.NewBrowser(guard.Protect(gateway))

	fmt.Println(b.Get("/v1/account").Header.Get("Location"))
	loginInto(b, sessions, "ada")
	printBody(b.Get("/v1/account"))
	// Output:
	// /login?next=%2Fv1%2Faccount
	// 200 user [ada], cookies []
}
