package basic

import (
	"fmt"
	"testing"

	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/policy"
)

func TestItAuthenticatesAndSaysThatItWaits(t *testing.T) {
	if phase := Kind.Phase(&policyv1.Basic{}); phase != policy.Authenticate || !Kind.Traits.Waits || !Kind.Traits.Decides || Kind.Merges {
		t.Fatalf("runs in %s, %+v", phase, Kind.Traits)
	}
}

func TestWhatAChangeOpensIsSaidAsADanger(t *testing.T) {
	plain := &policyv1.Basic{}
	narrow := &policyv1.Basic{RequiredScopes: []string{"read"}}
	open := &policyv1.Basic{ForwardCredentials: true}
	for want, change := range map[string][2]*policyv1.Basic{
		"[attention scope_required]":                             {plain, narrow},
		"[danger scope_not_required]":                            {narrow, plain},
		"[danger scope_not_required danger passwords_forwarded]": {narrow, open},
		"[attention passwords_kept]":                             {open, nil},
		"[danger passwords_forwarded]":                           {nil, open},
		"[]":                                                     {nil, plain},
	} {
		said := []string{}
		for _, e := range effects(change[0], change[1]) {
			said = append(said, e.Severity.String()+" "+e.Code)
		}
		if got := fmt.Sprint(said); got != want {
			t.Errorf("said %s, want %s", got, want)
		}
	}
}
