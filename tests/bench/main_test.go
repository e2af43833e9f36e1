package main

import (
	"slices"
	"testing"
	"time"
)

func TestTheCommandLineSaysWhatToMeasure(t *testing.T) {
	o, err := parse([]string{"-suite", "gateway", "-quick", "-only", "plain,tls"})
	if err != nil || o.suite != gatewaySuite || o.rounds != 1 || o.bound != quickBound {
		t.Errorf("%+v (%v)", o, err)
	}
	cfg, err := o.scenarios()
	if err != nil || !cfg.Quick || !slices.Equal(cfg.Only, []string{"plain", "tls"}) {
		t.Errorf("%+v (%v)", cfg, err)
	}
	if o, err := parse(nil); err != nil || o.suite != everySuite || o.rounds < 3 || o.bound > 15*time.Minute {
		t.Errorf("without options: %+v (%v)", o, err)
	}
	for _, args := range [][]string{{"-suite", "other"}, {"-rounds", "0"}, {"plain"}, {"-bound", "x"}} {
		if o, err := parse(args); err == nil {
			t.Errorf("%v is %+v", args, o)
		}
	}
}

func TestProcessorsAreNumbers(t *testing.T) {
	if got, err := numbers("0,3"); err != nil || !slices.Equal(got, []int{0, 3}) {
		t.Errorf("got %v (%v)", got, err)
	}
	if got, err := numbers("0,x"); err == nil {
		t.Errorf("got %v", got)
	}
}
