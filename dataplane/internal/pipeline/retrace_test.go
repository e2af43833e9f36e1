package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestWhichStagesRanAndWhoRefusedIsKnownWithoutATrace(t *testing.T) {
	w := newWorld()
	refuses := func(d *double) {
		d.request = func(ex *Exchange) error { return ex.Reject(problem.ScopeMissing, "", "no scope") }
	}
	answers := func(d *double) { d.request = func(ex *Exchange) error { return ex.Reply(204, nil) } }
	late := func(d *double) {
		d.respond = func(ex *Exchange) error { return ex.Reject(problem.TooLarge, "", "an answer too large") }
	}
	notes := func(d *double) { d.finish = func(ex *Exchange) { ex.Note([16]byte{2}, problem.WafAnswerBlocked) } }
	for want, list := range map[string][]Attached{
		"one passed; two refused scope_missing no scope":    {w.stage("one", Enforce, nil), w.stage("two", Enforce, refuses), w.stage("three", Enforce, nil)},
		"one shadow_refused scope_missing; two passed":      {w.stage("one", Shadow, refuses), w.stage("two", Enforce, nil)},
		"one passed; two shadow_refused waf_answer_blocked": {w.stage("one", Enforce, nil), w.stage("two", Enforce, notes)},
		"one answered": {w.stage("one", Enforce, answers), w.stage("two", Enforce, nil)},
		"one refused too_large an answer too large; two passed": {w.stage("one", Enforce, late), w.stage("two", Enforce, nil)},
	} {
		for i := range list {
			list[i].ID[0] = byte(i + 1)
		}
		stages, ex, trace := w.runner.Stages(list), w.pool.Get(), NewTrace()
		if stages.Run(ex) == nil {
			_ = stages.Respond(ex)
		}
		stages.Finish(ex)
		stages.Retrace(ex, trace)
		var said []string
		for _, s := range trace.Steps() {
			said = append(said, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", s.Policy.Name, s.Verdict, s.Code, s.Reason)))
		}
		if got := strings.Join(said, "; "); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
		trace.LetGo()
		for i, s := range trace.Steps() {
			if s.Policy.Stage != nil || s.Policy.ID != list[i].ID || list[i].Stage == nil {
				t.Errorf("of %s more is kept than tells of it, or less", s.Policy.Name)
			}
		}
		trace.Free()
		w.pool.Put(ex)
	}
}
