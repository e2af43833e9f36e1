package policies_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/proto/policy/kinds"
)

func TestEveryKindOfTheContractIsEnforced(t *testing.T) {
	var bound []string
	for _, b := range policies.All() {
		bound = append(bound, b.Kind.Name)
	}
	if want := kinds.Names(); !slices.Equal(bound, want) {
		t.Fatalf("the edge enforces %v, the contract has %v", bound, want)
	}
}

// configurations returns a kind's valid examples, which every kind has beside its contract.
func configurations(t *testing.T, b pipeline.Binding) []json.RawMessage {
	t.Helper()
	folder := strings.ReplaceAll(b.Kind.Name, "-", "")
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "proto", "policy", folder, "testdata", "valid", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []json.RawMessage
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	return all
}

// each runs a test for every valid example of every kind, on an edge with one policy of it.
func each(t *testing.T, mode string, test func(*testing.T, *edgetest.Edge, pipeline.Binding)) {
	t.Helper()
	for _, b := range policies.All() {
		if mode == "shadow" && !b.Kind.Traits.Decides {
			continue // there is no verdict to shadow, and the contract refuses it
		}
		examples := configurations(t, b)
		if len(examples) == 0 {
			t.Errorf("kind %s has no valid examples", b.Kind.Name)
		}
		for i, config := range examples {
			t.Run(fmt.Sprintf("%s/%d", b.Kind.Name, i), func(t *testing.T) {
				e := edgetest.New(t, policies.All()...)
				e.Configure(t, fmt.Sprintf(`{
					"services": [{"name": "s", "upstream": {"targets": [{"address": "s.test:80"}]}}],
					"routes": [{"name": "r", "service": "s", "paths": [{"prefix": "/"}], "public": true}],
					"policies": [{"name": "p", "kind": %q, "mode": %q, "config": %s, "attached_to": [{"environment": true}]}]
				}`, b.Kind.Name, mode, config))
				test(t, e, b)
			})
		}
	}
}

func counts(e *edgetest.Edge) map[pipeline.Series]uint64 { return maps.Collect(e.Metrics.All()) }

func TestADryRunTouchesNoCounter(t *testing.T) {
	each(t, "enforce", func(t *testing.T, e *edgetest.Edge, _ pipeline.Binding) {
		t.Helper()
		before := counts(e)
		dry := edgetest.Get("/x?y=z", "X-Tenant: 1")
		dry.Dry = true
		first := e.Do(dry)
		for range 200 {
			ex := e.Do(dry)
			if ex.Verdict != first.Verdict || !slices.EqualFunc(ex.Quotas, first.Quotas, func(a, b pipeline.Quota) bool {
				return a.Remaining == b.Remaining && a.Reset == b.Reset
			}) {
				t.Fatalf("the first dry run says %s %v, a later one %s %v", first.Verdict, first.Quotas, ex.Verdict, ex.Quotas)
			}
		}
		if after := counts(e); !maps.Equal(before, after) {
			t.Fatalf("%v, before %v", after, before)
		}
		wet := dry
		wet.Dry = false
		if ex := e.Do(wet); ex.Verdict != first.Verdict {
			t.Fatalf("the dry run says %s, the first real one %s", first.Verdict, ex.Verdict)
		}
	})
}

func TestInShadowNoKindChangesRequestOrAnswer(t *testing.T) {
	each(t, "shadow", func(t *testing.T, e *edgetest.Edge, _ pipeline.Binding) {
		t.Helper()
		key := e.Key(t, "alice", edgetest.Key{})
		for _, r := range []edgetest.Request{
			edgetest.Get("/x?api_key=" + key),
			edgetest.Get("/x?a=b", "X-Api-Key: "+key, "Authorization: Bearer "+key, "Cookie: api_key="+key),
			edgetest.Get("/x"),
		} {
			for range 3 {
				want := e.Exchange(r)
				ex := e.Do(r)
				if ex.Verdict != pipeline.Allowed || ex.Response.Header.Len() != 0 || ex.Identity.Known() || len(ex.Quotas) != 0 {
					t.Fatalf("%s %+v", ex.Verdict, ex.Response)
				}
				if ex.Request.Query != want.Request.Query || !slices.Equal(ex.Request.Header.Fields(), want.Request.Header.Fields()) {
					t.Fatalf("the request became %q %q", ex.Request.Query, ex.Request.Header.Fields())
				}
			}
		}
	})
}
