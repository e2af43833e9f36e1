package snapshot_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/exclusions"
	"github.com/sallyport/sallyport/dataplane/internal/snapshot"
)

func TestExclusionsComeChangeAndGoWithTheRevision(t *testing.T) {
	e := configured(t, route("a", `"paths": [{"prefix": "/a"}]`), route("b", `"paths": [{"prefix": "/b"}]`))
	ends := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	configure := func(fields string) {
		t.Helper()
		e.Configure(t, fmt.Sprintf(`{"waf-exclusions": [{"name": "x", "route": "a", "owner": "ann", "expires_at": %q, %s}]}`, ends.Format(time.RFC3339), fields))
	}
	skipped := func(path string) []exclusions.Skip {
		t.Helper()
		ex := e.Do(edgetest.Get(path))
		return ex.Exclusions.On(ex.Route.ID).Skipped(time.Now())
	}
	if ex := e.Do(edgetest.Get("/a")); ex.Exclusions != nil {
		t.Fatal("without exclusions there is a set")
	}

	configure(`"rule": 942100, "target": "argument:comment", "mode": "enforce"`)
	if got := skipped("/a"); len(got) != 1 || got[0].Rules[0] != 942100 || got[0].Target != (exclusions.Target{Part: "argument", Name: "comment"}) {
		t.Errorf("left out is %+v", got)
	}
	if got := skipped("/b"); got != nil {
		t.Errorf("on another route is left out %+v", got)
	}
	ex := e.Do(edgetest.Get("/a"))
	if got := ex.Exclusions.On(ex.Route.ID).Skipped(ends); len(got) > 0 {
		t.Errorf("at its end is left out %+v", got)
	}

	configure(`"tag": "attack-sqli", "target": "argument:*", "mode": "enforce"`)
	if got := skipped("/a"); len(got) != 1 || len(got[0].Rules) < 20 || got[0].Target != (exclusions.Target{Part: "argument"}) {
		t.Errorf("of a tag is left out %+v", got)
	}
	configure(`"rule": 942100, "target": "argument:comment"`)
	if got := skipped("/a"); got != nil {
		t.Errorf("in shadow is left out %+v", got)
	}
	ex = e.Do(edgetest.Get("/a"))
	if _, noted := ex.Exclusions.On(ex.Route.ID).Find(time.Now(), 942100, exclusions.Target{Part: "argument", Name: "comment"}); !noted {
		t.Error("in shadow nothing is noted")
	}
	rest := slices.DeleteFunc(e.Sources(), func(s snapshot.Source) bool { return s.Collection == "waf-exclusions" })
	current := e.Holder.Load()
	gone, errs := snapshot.Compile(e.Env, current.Revision+1, rest, current)
	if len(errs) > 0 || gone.Exclusions() != nil {
		t.Errorf("gone, there is a set, or %v", errs)
	}
}
