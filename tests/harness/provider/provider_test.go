package provider

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// What the stories rely on: tokens of all three algorithms, for a client itself and for a person, and keys that come and go.
func TestTheProviderIssuesAccessTokensAndChangesItsKeys(t *testing.T) {
	robot, app := Robot("robot", "its secret: :&%"), App("app", "http://127.0.0.1:1/back")
	const orders = "https://orders.test"
	p := Start(t, Config{
		Clients:  []Client{robot, app},
		Accounts: map[string]Account{"ada": {Email: "ada@example.test", Access: map[string]any{"tenant": "north"}}},
		Resources: map[string]Resource{
			orders:                 {Scope: "orders:read", Algorithm: "ES256", Seconds: 300},
			"https://billing.test": {Scope: "bills:read", Algorithm: "EdDSA", Seconds: 300},
			"https://stock.test":   {Scope: "stock:read", Algorithm: "RS256", Seconds: 300},
		},
	})
	for resource, want := range p.cfg.Resources {
		header, claims := read(t, p.Token(t, robot, resource, want.Scope))
		if header["alg"] != want.Algorithm || header["typ"] != "at+jwt" || claims["aud"] != resource || claims["iss"] != p.Issuer ||
			claims["client_id"] != "robot" || claims["scope"] != want.Scope {
			t.Errorf("a token for %s has the head %v and says %v", resource, header, claims)
		}
	}
	header, claims := read(t, p.TokenOf(t, "ada", app, orders, "orders:read"))
	if claims["sub"] != "ada" || claims["tenant"] != "north" || claims["client_id"] != "app" {
		t.Errorf("Ada's token says %v", claims)
	}
	if shown := p.Rotate(t, true); !slices.Contains(shown, header["kid"].(string)) || len(shown) != 6 {
		t.Errorf("with the keys before, the provider shows %v", shown)
	}
	p.Retire(t)
	after, _ := read(t, p.Token(t, robot, orders, "orders:read"))
	if after["kid"] == header["kid"] {
		t.Error("after a rotation the key is the one before")
	}
	p.Down(t)
	if _, err := p.redeem(t.Context(), robot, nil); err == nil {
		t.Error("a provider that is down answers")
	}
	p.Up(t)
	p.Token(t, robot, orders, "orders:read")
}

func read(t *testing.T, token string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", token)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}
