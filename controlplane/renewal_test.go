package controlplane_test

import (
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/sallyport/sallyport/controlplane"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
)

func TestRenewedNodeSpeaksOnTheBusWithTheKeyItEnrolledWith(t *testing.T) {
	cfg := configOf(t)
	cfg.NodeCertificateLife = time.Hour
	at, _ := start(t, cfg)
	_, joinToken := operate(t, cfg)
	node, err := edgetest.Enroll(t.Context(), at.Edge, joinToken, "n1")
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	first := node.Identity.GetBusJwt()
	for name, renew := range map[string]func() error{
		"by certificate": func() error { return node.Renew(t.Context()) },
		"by proof":       func() error { return node.RenewByProof(t.Context()) },
	} {
		node.Identity.BusJwt = ""
		if err := renew(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		leaf, err := node.Leaf()
		if err != nil || time.Until(leaf.NotAfter) > time.Hour {
			t.Errorf("%s: the certificate lives longer than it should: %v", name, err)
		}
		sameUser(t, first, node.Identity.GetBusJwt())
		connectBus(t, at, node).Close()
	}
}

// sameUser checks that the second JWT lets the same key do the same.
func sameUser(t *testing.T, first, second string) {
	t.Helper()
	one, err1 := jwt.DecodeUserClaims(first)
	two, err2 := jwt.DecodeUserClaims(second)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if one.Subject != two.Subject || one.Name != two.Name || len(one.Pub.Allow) != len(two.Pub.Allow) || two.Expires < one.Expires {
		t.Errorf("%+v became %+v", one, two)
	}
}

func connectBus(t *testing.T, at controlplane.Addresses, node *edgetest.Node) *nats.Conn {
	t.Helper()
	conn, err := dialBus(t, at, node)
	if err != nil {
		t.Fatalf("the bus refuses the node: %v", err)
	}
	return conn
}

func dialBus(t *testing.T, at controlplane.Addresses, node *edgetest.Node) (*nats.Conn, error) {
	t.Helper()
	config, err := node.TLS()
	if err != nil {
		t.Fatal(err)
	}
	key, err := nkeys.FromSeed(node.BusSeed)
	if err != nil {
		t.Fatal(err)
	}
	return nats.Connect("tls://"+at.Bus, nats.Secure(config), nats.UserJWT(
		func() (string, error) { return node.Identity.GetBusJwt(), nil }, key.Sign,
	))
}
