package catalog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestManyRoutesThatTieAreToldUpToTheBoundAndNotCountedToTheEnd(t *testing.T) {
	t.Parallel()
	const routes = 2 * maxRefusals
	c := newHead().Candidate(now, lane{})
	stage(t, c, Services, `{"name":"app","upstream":{"targets":[{"address":"127.0.0.1:8080"}]}}`)
	for i := range routes {
		stage(t, c, Routes, fmt.Sprintf(`{"name":"r%d","service":"app","paths":[{"prefix":"/same"}],"public":true}`, i))
	}
	refusals, err := c.Check()
	if err != nil {
		t.Fatal(err)
	}
	if len(refusals.list) != maxRefusals || refusals.more != 0 {
		t.Errorf("%d are listed and %d only counted, of %d", len(refusals.list), refusals.more, routes*(routes-1)/2)
	}
	if err := refusals.Err(); !strings.Contains(err.Error(), "at least 500 things") {
		t.Errorf("said as %v", err)
	}
}

func TestWhatFollowsFromAnUnreadablePlaceIsLeftOut(t *testing.T) {
	t.Parallel()
	origin := Origin{Operation: "/operations/1", Body: "/operations/1/body"}
	for pointer, follows := range map[string]bool{
		"/operations/1/body/paths/0":        true, // the place itself
		"/operations/1/body/paths/0/prefix": true, // inside
		"/operations/1/body/paths":          true, // around
		"/operations/1/body":                true,
		"/operations/1/body/paths/01":       false,
		"/operations/1/body/paths/1":        false,
		"/operations/1/body/name":           false,
		"/operations/10/body":               false,
		"":                                  false,
	} {
		var r Refusals
		r.Unreadable(origin, problem.Violation{Pointer: "/paths/0", Code: problem.ViolationWrongType})
		r.Unreadable(origin, problem.Violation{Pointer: "/paths/0", Code: problem.ViolationWrongType})
		r.Add(Refusal{Code: problem.InvalidRequest, Violation: problem.Violation{Pointer: pointer}})
		if got := len(r.list) == 2; got != follows {
			t.Errorf("%q follows: %v, want %v", pointer, got, follows)
		}
	}
}
