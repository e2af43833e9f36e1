package listing

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestPlanFillsInAndBoundsTheLimit(t *testing.T) {
	for limit, want := range map[int]int{0: DefaultLimit, 1: 1, MaxLimit: MaxLimit} {
		plan, err := Query{Limit: limit}.Plan()
		if err != nil || plan.Limit != want {
			t.Errorf("%d: %d, %v", limit, plan.Limit, err)
		}
	}
	for _, limit := range []int{-1, MaxLimit + 1} {
		if _, err := (Query{Limit: limit}).Plan(); problem.CodeOf(err) != problem.InvalidRequest {
			t.Errorf("%d: %v", limit, err)
		}
	}
}

func TestPlanNamesEveryBadParameterAtOnce(t *testing.T) {
	_, err := Query{Limit: -1, Cursor: "%%%", Labels: "=x"}.Plan()
	p := problem.From(err)
	var pointers []string
	for _, v := range p.Errors {
		pointers = append(pointers, v.Pointer)
	}
	if strings.Join(pointers, " ") != "/limit /labels /cursor" {
		t.Errorf("got %v", pointers)
	}
}

func TestPagesFollowEachOtherWithoutGap(t *testing.T) {
	all := []string{"a", "b", "c", "d", "e"}
	q := Query{Limit: 2, Labels: "x=y", Filter: map[string]string{"a": "b"}}
	var seen []string
	for range all {
		plan, err := q.Plan()
		if err != nil {
			t.Fatal(err)
		}
		var rest []string
		for _, name := range all {
			if name > plan.After && len(rest) < plan.Limit+1 {
				rest = append(rest, name)
			}
		}
		page := PageOf(plan, rest, func(s string) string { return s })
		seen = append(seen, page.Items...)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if strings.Join(seen, "") != "abcde" {
		t.Errorf("got %v", seen)
	}
}

func TestCursorOfAnotherQueryIsRefused(t *testing.T) {
	plan, err := Query{Labels: "a=b"}.Plan()
	if err != nil {
		t.Fatal(err)
	}
	cursor := plan.Cursor("name")
	for _, q := range []Query{{Labels: "a=c", Cursor: cursor}, {Cursor: cursor}, {Labels: "a=b", Filter: map[string]string{"x": ""}, Cursor: cursor}, {Labels: "a=b", Cursor: cursor[:4]}} {
		if _, err := q.Plan(); err == nil {
			t.Errorf("%+v was taken", q)
		}
	}
	if again, err := (Query{Labels: "a=b", Cursor: cursor}).Plan(); err != nil || again.After != "name" {
		t.Errorf("%q, %v", again.After, err)
	}
}

func TestSelectorHoldsAllItsTerms(t *testing.T) {
	labels := map[string]string{"team": "shop", "tier": "gold"}
	tests := map[string]bool{
		"": true, "team=shop": true, "team=shop,tier=gold": true, "team!=bank": true, "other!=x": true, "!other": true,
		"team=bank": false, "team=shop,tier=silver": false, "team!=shop": false, "other": false, "!team": false, "other=": false,
	}
	for text, want := range tests {
		s, err := ParseSelector(text)
		if err != nil || s.Matches(labels) != want {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
	if s, err := ParseSelector(" team=shop , tier "); err != nil || !s.Matches(labels) {
		t.Errorf("space around terms: %v, %v", s, err)
	}
	for _, text := range []string{",", "a,,b", "=x", "!=x", "!", "a=b,", "a b", "!a=b", strings.Repeat("a,", 40) + "a"} {
		if s, err := ParseSelector(text); err == nil {
			t.Errorf("%q was read as %+v", text, s)
		}
	}
}

func FuzzSelectorNeverPanicsAndKeepsItsTerms(f *testing.F) {
	for _, s := range []string{"", "a=b,c!=d,e,!f", "a==b", "!!a", ",", "a=b=c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSelector(text)
		if err != nil || strings.TrimSpace(text) == "" {
			return
		}
		if n := len(s.Equal) + len(s.Unequal) + len(s.Present) + len(s.Absent); n != strings.Count(text, ",")+1 {
			t.Errorf("%q has %d terms", text, n)
		}
		s.Matches(map[string]string{"a": "b"})
	})
}

func FuzzCursorIsOursOrRefused(f *testing.F) {
	plan, err := Query{}.Plan()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(plan.Cursor("name"))
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, cursor string) {
		again, err := Query{Cursor: cursor}.Plan()
		if err == nil && cursor != "" && again.Cursor(again.After) != cursor {
			t.Errorf("%q reads as %q, which is written %q", cursor, again.After, again.Cursor(again.After))
		}
	})
}
