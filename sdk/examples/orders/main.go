// Command orders is an example of a service behind a Sallyport gateway: it checks who calls by the gateway's identity token.
//
//	KEYS_URL=http://127.0.0.1:8080/.well-known/identity-keys ISSUER=https://gateway.example.com AUDIENCE=orders LISTEN=127.0.0.1:9000 orders
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/sallyport/sallyport/sdk/identity"
)

func main() {
	if err := run(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(os.Stderr, "orders:", err)
		os.Exit(1)
	}
}

func run() error {
	checker, err := identity.New(identity.Config{KeysURL: os.Getenv("KEYS_URL"), Issuer: os.Getenv("ISSUER"), Audience: os.Getenv("AUDIENCE")})
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", os.Getenv("LISTEN"))
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr()) // for who has let the system choose the port
	server := &http.Server{Handler: checker.Require(http.HandlerFunc(orders)), ReadHeaderTimeout: 5 * time.Second}
	return server.Serve(listener)
}

// orders shows a caller their orders. It gets here only with a token that the gateway signed for this service.
func orders(w http.ResponseWriter, r *http.Request) {
	caller := identity.From(r.Context())
	if !caller.Has("orders:read") {
		http.Error(w, "this needs the scope orders:read", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	body := map[string]string{"subject": caller.Subject, "consumer": caller.ConsumerName, "request": r.Header.Get("X-Request-Id")}
	if err := json.NewEncoder(w).Encode(body); err != nil {
		fmt.Fprintln(os.Stderr, "orders: answer:", err)
	}
}
