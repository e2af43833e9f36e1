package scenarios

import (
	"errors"
	"testing"

	"github.com/sallyport/sallyport/tests/bench/gateway"
	"github.com/sallyport/sallyport/tests/bench/peers"
	"github.com/sallyport/sallyport/tests/bench/report"
)

// described is a bench in which nothing runs.
func described() *bench {
	b := &bench{fixture: &peers.Fixture{Keys: []string{"a", "b"}, Routes: 3}, layout: layout{gateway: []int{0}, wide: []int{0, 1}, clients: []int{1}}}
	b.cfg.fill()
	b.product = &gateway.Gateway{}
	found, _ := peers.Found(b.fixture)
	b.gateways = append([]peers.Gateway{b.product.In(b.fixture)}, found...)
	return b
}

func TestEveryScenarioIsWholeAndExpectsSomethingOfWhoTakesPart(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range described().catalogue() {
		if seen[s.name] || s.name == "" || s.title == "" || s.unit == "" || s.lines == 0 || s.protocol == nil || len(s.expects) == 0 {
			t.Errorf("scenario %q isn't whole, or is there twice: %+v", s.name, s)
		}
		seen[s.name] = true
		names := map[string]bool{}
		for _, c := range s.contestants {
			names[c.name] = true
			if c.gateway == nil || c.setup.Threads == 0 || len(c.setup.Processors) < c.setup.Threads {
				t.Errorf("%s: %s is set up as %+v", s.name, c.name, c.setup)
			}
		}
		if s.base != nginx && !names[s.base] {
			t.Errorf("%s compares with %q, who takes no part", s.name, s.base)
		}
		for _, e := range s.expects {
			if !names[e.of] {
				t.Errorf("%s expects %q of %q, who takes no part", s.name, e.what, e.of)
			}
		}
	}
}

func TestScenariosAreChosenByName(t *testing.T) {
	all := described().catalogue()
	if chosen, err := choose(all, nil); err != nil || len(chosen) != len(all) {
		t.Errorf("of all %d were chosen (%v)", len(chosen), err)
	}
	if chosen, err := choose(all, []string{"tls", "plain"}); err != nil || len(chosen) != 2 || chosen[0].name != "plain" {
		t.Errorf("%v (%v)", chosen, err)
	}
	if _, err := choose(all, []string{"plane"}); err == nil {
		t.Error("a scenario that isn't there was chosen")
	}
}

func TestWhatWasExpectedStandsBesideWhatWasFound(t *testing.T) {
	s := &scenario{expects: []expectation{{"cost", "≤ 1.0×", "ours", toBase}}}
	for _, test := range []struct {
		rows []report.Row
		err  error
		want string
	}{
		{[]report.Row{{Name: "other", Ratio: 9}, {Name: "ours", Ratio: 0.95}}, nil, "0.95×"},
		{[]report.Row{{Name: "ours"}}, nil, "not measured"},
		{[]report.Row{{Name: "ours", Lacks: "not yet"}}, nil, "not yet"},
		{[]report.Row{{Name: "ours", Ratio: 0.95}}, errors.New("broken"), "not measured"},
		{nil, errTime, "not measured"},
	} {
		got := expectations(s, report.Scenario{Rows: test.rows}, test.err)
		if len(got) != 1 || got[0] != (report.Expectation{What: "cost", Expected: "≤ 1.0×", Measured: test.want}) {
			t.Errorf("%v (%v): %+v, want %q", test.rows, test.err, got, test.want)
		}
	}
}
