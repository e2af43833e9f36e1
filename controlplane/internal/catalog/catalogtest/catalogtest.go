// Package catalogtest makes heads of configurations that are written down as JSON, for tests.
//
// Objects have the same ids wherever they have the same name, so that two configurations can be compared. It owns no rule: what
// a candidate refuses fails the test.
package catalogtest

import (
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/resource"
)

// Configuration is whole objects by their collection: {"services": [{"name": "s", …}], "routes": […]}.
type Configuration map[string][]json.RawMessage

// Parse reads a configuration.
func Parse(t testing.TB, text string) Configuration {
	t.Helper()
	var c Configuration
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return c
}

// Head returns the head of a configuration.
func Head(t testing.TB, c Configuration) *catalog.Head {
	t.Helper()
	candidate := Candidate(t, catalog.Empty(), c)
	return candidate.Head()
}

// Candidate returns what leads from a head to a configuration, checked.
func Candidate(t testing.TB, base *catalog.Head, c Configuration) *catalog.Candidate {
	t.Helper()
	candidate := base.Candidate(time.Unix(1, 0), nowhere{})
	candidate.Force()
	for _, rt := range resource.Types() {
		kept := make(map[string]bool)
		for _, text := range c[rt.Collection] {
			kept[stage(t, candidate, rt, text)] = true
		}
		for o := range base.Each(rt.Collection) {
			if !kept[o.ID] {
				candidate.Delete(rt, o.ID, catalog.Origin{Operation: "/" + rt.Collection + "/" + o.Name})
			}
		}
	}
	refusals, err := candidate.Check()
	if err == nil {
		err = refusals.Err()
	}
	if err != nil {
		t.Fatalf("%v: %+v", err, refusals)
	}
	return candidate
}

func stage(t testing.TB, candidate *catalog.Candidate, rt *resource.Type, text []byte) string {
	t.Helper()
	m := rt.New()
	if violations := resource.Decode(text, m); len(violations) > 0 {
		t.Fatalf("%s: %+v", text, violations)
	}
	if rt.Singleton {
		catalog.SetName(m, rt.Collection)
	}
	made := ID(rt, m.GetName())
	catalog.SetID(m, made)
	at := "/" + rt.Collection + "/" + m.GetName()
	candidate.Put(rt, m, catalog.Origin{Operation: at, Body: at})
	return made
}

// ID returns the id that an object of a name has.
func ID(rt *resource.Type, name string) string {
	sum := sha256.Sum256([]byte(rt.Collection + "/" + name))
	return id.Text(rt.Prefix, id.ID(sum[:16]))
}

// nowhere is a directory without anything but secrets and consumers, of which it holds every one.
type nowhere struct{}

func (nowhere) Has(collection string) bool {
	return collection == "secrets" || collection == "consumers"
}

func (nowhere) Resolve(_, key string) (string, bool) { return key, true }
