package identitytoken_test

import (
	"testing"
)

const usual = `{"token": {"issuer": "https://gateway.example.com", "claims": [{"claim": "realm_access.roles", "name": "roles"}, {"claim": "email"}]}}`

const usualClaims = `{"iss": "https://login.example.com", "sub": "248289761001", "exp": 99999999999, "email": "jane@example.com",
	"realm_access": {"roles": ["reader", "writer", "auditor"]}}`

func TestATokenThatIsThereCostsNoAllocation(t *testing.T) {
	g := newGate(t, usual)
	ex := g.exchange(caller(t, "shop", usualClaims, "orders:read", "orders:write"))
	n := testing.AllocsPerRun(100, func() {
		ex.Request.Header.Reset()
		if err := g.stage.Request(ex); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHit(b *testing.B) {
	g := newGate(b, usual)
	ex := g.exchange(caller(b, "shop", usualClaims, "orders:read", "orders:write"))
	b.ReportAllocs()
	for b.Loop() {
		ex.Request.Header.Reset()
		if err := g.stage.Request(ex); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMiss(b *testing.B) {
	for _, algorithm := range []string{"es256", "eddsa"} {
		b.Run(algorithm, func(b *testing.B) {
			g := newGate(b, `{"token": {"issuer": "https://gateway.example.com", "algorithm": "`+algorithm+`", "lifetime": "30s"}}`)
			ex := g.exchange(caller(b, "shop", usualClaims, "orders:read", "orders:write"))
			b.ReportAllocs()
			for b.Loop() {
				ex.Request.Header.Reset()
				ex.Now = ex.Now.Add(20e9)
				if err := g.stage.Request(ex); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
