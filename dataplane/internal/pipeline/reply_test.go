package pipeline

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/problem"
)

// replying answers 418 with a body.
func replying(d *double) {
	d.request = func(ex *Exchange) error {
		err := ex.Reply(418, []byte("teapot"))
		ex.Response.Header.Add("X-A", "1")
		return err
	}
}

func TestAReplyEndsTheStagesWithoutRefusingAndRespondersSeeIt(t *testing.T) {
	w := newWorld()
	stages := w.runner.Stages([]Attached{
		w.stage("a", Enforce, nil), w.stage("b", Enforce, replying), w.stage("c", Enforce, nil),
	})
	ex := w.pool.Get()
	if stages.Run(ex) != nil || !ex.Replied() || ex.Verdict != Allowed || ex.AnsweredBy.Policy != "b" || ex.Rejection != nil {
		t.Fatalf("%s, answered by %q", ex.Verdict, ex.AnsweredBy.Policy)
	}
	if stages.Respond(ex) != nil {
		t.Fatal("refused")
	}
	stages.Finish(ex)
	body, err := io.ReadAll(ex.Response.Body)
	if err != nil || string(body) != "teapot" || ex.Response.Status != 418 || ex.Response.ContentLength != 6 || ex.Response.Header.Get("X-A") != "1" {
		t.Errorf("%+v %q %v", ex.Response, body, err)
	}
	if want := []string{"request a", "request b", "respond b", "respond a", "finish b", "finish a"}; !slices.Equal(w.trace, want) {
		t.Errorf("%q", w.trace)
	}
	if want := map[string]uint64{"enforce passed": 1, "enforce replied": 1}; !maps.Equal(w.counts(), want) {
		t.Errorf("%v", w.counts())
	}
	w.pool.Put(ex)
	if ex.Replied() || ex.AnsweredBy.Policy != "" {
		t.Error("the exchange remembers it")
	}
}

func TestAResponderMayRefuseAReply(t *testing.T) {
	w := newWorld()
	stages := w.runner.Stages([]Attached{
		w.stage("a", Enforce, func(d *double) {
			d.respond = func(ex *Exchange) error { return ex.Reject(problem.Forbidden, "", "no") }
		}),
		w.stage("b", Enforce, replying),
	})
	ex := w.pool.Get()
	_ = stages.Run(ex)
	if r := stages.Respond(ex); r == nil || r.Policy != "a" || ex.Verdict != problem.Forbidden {
		t.Fatalf("%v %s", r, ex.Verdict)
	}
	if body, err := io.ReadAll(ex.Response.Body); err != nil || !strings.Contains(string(body), "forbidden") || ex.Response.Header.Get("X-A") != "" {
		t.Errorf("%q %v %q", body, err, ex.Response.Header.Fields())
	}
}

func TestNothingIsAnsweredInShadow(t *testing.T) {
	w := newWorld()
	silent := func(d *double) { d.request = func(ex *Exchange) error { return ex.Reply(418, nil) } }
	stages := w.runner.Stages([]Attached{w.stage("a", Shadow, silent), w.stage("b", Enforce, nil)})
	if ex := w.do(stages); ex.Replied() || ex.Response.Status != 200 || ex.Verdict != Allowed {
		t.Errorf("%d %s", ex.Response.Status, ex.Verdict)
	}
	if want := map[string]uint64{"shadow passed": 1, "enforce passed": 1}; !maps.Equal(w.counts(), want) {
		t.Errorf("%v", w.counts())
	}
}

func TestWhatAnswersPreflightsComesFirstInItsPhase(t *testing.T) {
	guard := func(p *Policy) { p.Phase = policy.Guard }
	cors := policy.Kind{Name: "cors", Traits: policy.Traits{Preflights: true}}
	merging := policy.Kind{Name: "merging", Merges: true}
	got := Effective([]Attached{
		named("addresses", merging, policy.Environment, func(p *Policy) { p.Phase, p.Position = policy.Guard, -1000 }),
		named("pages", cors, policy.Route, guard),
		named("keys", merging, policy.Environment, nil),
	})
	var names []string
	for _, a := range got {
		names = append(names, a.Name)
	}
	if want := []string{"pages", "addresses", "keys"}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
}

// A transport may read on when the exchange serves another request already.
func TestALimitedBodyKeepsNothingOfTheExchange(t *testing.T) {
	ex := new(Pool).Get()
	ex.Request.Body, ex.Request.ContentLength = strings.NewReader("12345"), -1
	refusal := &Rejection{Code: problem.BodyTooLarge, Policy: "p"}
	ex.LimitBody(3, refusal)
	body := ex.Request.Body
	ex.Reset()
	ex.Request.Body, ex.Request.ContentLength = strings.NewReader("another caller's"), -1
	ex.LimitBody(9, refusal)
	got, err := io.ReadAll(body)
	var refused *Rejection
	if string(got) != "123" || !errors.As(err, &refused) || refused != refusal {
		t.Errorf("%q %v", got, err)
	}
}

func TestABodyThatFailsBeforeItsLimitFailsAsItDid(t *testing.T) {
	ex := new(Pool).Get()
	left := &Rejection{Code: problem.ClientGone}
	ex.Request.Body, ex.Request.ContentLength = io.MultiReader(strings.NewReader("123"), failing{left}), -1
	ex.LimitBody(3, &Rejection{Code: problem.BodyTooLarge})
	got, err := io.ReadAll(ex.Request.Body)
	var refused *Rejection
	if string(got) != "123" || !errors.As(err, &refused) || refused != left {
		t.Errorf("%q %v", got, err)
	}
	stated := strings.NewReader("12345")
	ex.Request.Body, ex.Request.ContentLength = stated, 5
	if ex.LimitBody(3, left); ex.Request.Body != io.Reader(stated) {
		t.Error("a body of a stated length was touched")
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestAPreflightIsReadInOneWayOnly(t *testing.T) {
	for _, tt := range []struct {
		method string
		header []Field
		want   string
	}{
		{"OPTIONS", []Field{{"origin", "https://a.b"}, {"ACCESS-CONTROL-REQUEST-METHOD", "PUT"}}, "PUT"},
		{"GET", []Field{{"Origin", "https://a.b"}, {"Access-Control-Request-Method", "PUT"}}, ""},
		{"options", []Field{{"Origin", "https://a.b"}, {"Access-Control-Request-Method", "PUT"}}, ""},
		{"OPTIONS", []Field{{"Access-Control-Request-Method", "PUT"}}, ""},
		{"OPTIONS", []Field{{"Origin", "https://a.b"}}, ""},
		{"OPTIONS", []Field{{"Origin", "https://a.b"}, {"Access-Control-Request-Method", "PUT"}, {"Access-Control-Request-Method", "GET"}}, ""},
		{"OPTIONS", []Field{{"Origin", "https://a.b"}, {"Origin", "https://a.b"}, {"Access-Control-Request-Method", "PUT"}}, ""},
	} {
		ex := new(Pool).Get()
		ex.Request.Method = tt.method
		for _, f := range tt.header {
			ex.Request.Header.Add(f.Name, f.Value)
		}
		if got := ex.Preflight(); got != tt.want {
			t.Errorf("%s %q announces %q", tt.method, tt.header, got)
		}
	}
}

// What marks every answer (CORS, headers of the whole environment) marks the refusal of an answer as well.
func TestTheRefusalOfAnAnswerIsMarkedByTheRespondersInFrontOfIt(t *testing.T) {
	mark := func(d *double) {
		d.respond = func(ex *Exchange) error {
			ex.Response.Header.Add("X-Mark", ex.Response.Header.Get("Content-Type"))
			return nil
		}
	}
	for name, refuse := range map[string]func(*double){
		"refuses": func(d *double) {
			d.respond = func(ex *Exchange) error { return ex.Reject(problem.Forbidden, "", "no") }
		},
		"panics": func(d *double) { d.respond = func(*Exchange) error { panic("no") } },
	} {
		w := newWorld()
		ex := w.do(w.runner.Stages([]Attached{w.stage("a", Enforce, mark), w.stage("b", Enforce, refuse), w.stage("c", Enforce, mark)}))
		if ex.Rejection == nil || ex.Rejection.Policy != "b" || ex.Response.Status != problem.New(ex.Rejection.Code, "").Status {
			t.Errorf("%s: %+v with %d", name, ex.Rejection, ex.Response.Status)
		}
		var marks []string
		for _, f := range ex.Response.Header.Fields() {
			if f.Name == "X-Mark" {
				marks = append(marks, f.Value)
			}
		}
		if !slices.Equal(marks, []string{problem.ContentType}) {
			t.Errorf("%s: marked %q", name, marks)
		}
	}
}
