package waf_test

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/ruleset"
)

// usual is the engine of the defaults, which all tests share as all policies do.
var usual = sync.OnceValues(func() (waf.Engine, error) { return made(defaults()) })

func defaults() *policyv1.Waf {
	return &policyv1.Waf{ParanoiaLevel: proto.Uint32(1), InboundThreshold: proto.Uint32(5), OutboundThreshold: proto.Uint32(4)}
}

func made(config *policyv1.Waf) (waf.Engine, error) {
	rules, err := ruleset.Compose(config)
	if err != nil {
		return nil, err
	}
	return waf.Compile(rules)
}

// engine returns the one of the defaults; changed: one of its own.
func engine(t testing.TB, change ...func(*policyv1.Waf)) waf.Engine {
	t.Helper()
	e, err := usual()
	if len(change) > 0 {
		config := defaults()
		for _, c := range change {
			c(config)
		}
		e, err = made(config)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// request is a head, and what comes behind it.
type request struct {
	method, path, query string
	header              []string // "Name: value"
	body                string
	decoded             bool
}

func (r request) head() *waf.Head {
	h := new(pipeline.Header)
	h.Add("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")
	h.Add("Accept", "*/*")
	for _, line := range r.header {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	method := r.method
	if method == "" {
		method = "GET"
	}
	if r.body != "" {
		h.Add("Content-Length", "100")
	}
	return &waf.Head{
		Method: method, Path: r.path, Query: r.query, Proto: "HTTP/1.1", Host: "api.example.com", Header: h, Decoded: r.decoded, Client: netip.MustParseAddr("192.0.2.1"),
	}
}

// inspect has a whole request inspected.
func inspect(e waf.Engine, r request, skipped ...waf.Skip) waf.Decision {
	in := e.Begin(skipped)
	defer in.Close()
	d := in.Head(r.head())
	if d.Block {
		return d
	}
	return d.Then(in.Body([]byte(r.body)))
}

func rulesOf(d waf.Decision) []int {
	var all []int
	for _, f := range d.Findings {
		all = append(all, f.Rule)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

const injection = "1' or '1'='1' union select password from users-- "

func TestAnInjectionIsFoundWhereverItIs(t *testing.T) {
	t.Parallel()
	e := engine(t)
	form := "1%27+or+%271%27%3D%271%27+union+select+password+from+users--+"
	for name, tt := range map[string]struct {
		request
		target string
	}{
		"query":     {request{path: "/", query: "id=" + form}, "argument:id"},
		"JSON":      {request{method: "POST", path: "/", header: []string{"Content-Type: application/json"}, body: `{"a": {"id": "` + injection + `"}}`}, "argument:json.a.id"},
		"JSON type": {request{method: "POST", path: "/", header: []string{"Content-Type: application/vnd.api+json"}, body: `{"id": "` + injection + `"}`}, "argument:json.id"},
		"form":      {request{method: "POST", path: "/", header: []string{"Content-Type: application/x-www-form-urlencoded"}, body: "a=b&id=" + form}, "argument:id"},
		"multipart": {request{method: "POST", path: "/", header: []string{"Content-Type: multipart/form-data; boundary=xyz"}, body: "--xyz\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n" + injection + "\r\n--xyz--\r\n"}, "argument:id"},
		"XML":       {request{method: "POST", path: "/", header: []string{"Content-Type: application/xml"}, body: "<a><id>" + injection + "</id></a>"}, "body:"},
		"cookie":    {request{path: "/", header: []string{"Cookie: id=" + injection}}, "cookie:id"},
		"header":    {request{path: "/", header: []string{"Referer: " + injection}}, "header:Referer"},
		"name":      {request{path: "/", query: form + "=1"}, "argument-name:" + injection},
	} {
		t.Run(name, func(t *testing.T) {
			d := inspect(e, tt.request)
			at := slices.IndexFunc(d.Findings, func(f waf.Finding) bool { return f.Rule == 942100 })
			if !d.Block || at < 0 {
				t.Fatalf("%+v", d)
			}
			f := d.Findings[at]
			if got := f.Target.Part + ":" + f.Target.Name; got != tt.target || f.Score != 5 || f.Message == "" || !slices.Contains(f.Tags, "attack-sqli") || f.Part == "" {
				t.Errorf("%+v is at %s", f, got)
			}
			sum := 0
			for _, f := range d.Findings {
				sum += f.Score
			}
			if sum != d.Score || d.Threshold != 5 || d.Denied != 0 {
				t.Errorf("findings add up to %d, the score is %d of %d; denied by %d", sum, d.Score, d.Threshold, d.Denied)
			}
		})
	}
}

func TestWhatIsSkippedIsNotLookedAt(t *testing.T) {
	t.Parallel()
	e := engine(t)
	r := request{path: "/", query: "comment=1'+or+'1'='1&other=1'+or+'1'='1"}
	whole := inspect(e, r)
	if rules := rulesOf(whole); !slices.Equal(rules, []int{942100}) || len(whole.Findings) != 2 {
		t.Fatalf("%v %d", rules, len(whole.Findings))
	}
	one := inspect(e, r, waf.Skip{Rules: []int{942100}, Target: waf.Target{Part: "argument", Name: "Comment"}})
	if len(one.Findings) != 1 || one.Findings[0].Target.Name != "other" || one.Score != 5 {
		t.Errorf("%+v", one)
	}
	for name, skip := range map[string]waf.Skip{
		"the rule":      {Rules: []int{942100}},
		"all arguments": {Rules: []int{942100}, Target: waf.Target{Part: "argument"}},
		"a pattern":     {Rules: []int{942100}, Target: waf.Target{Part: "argument", Name: "*"}},
	} {
		if none := inspect(e, r, skip); none.Block || len(none.Findings) != 0 {
			t.Errorf("%s: %+v", name, none)
		}
	}
	if other := inspect(e, r, waf.Skip{Rules: []int{942110}}, waf.Skip{Rules: []int{942100}, Target: waf.Target{Part: "cookie"}}); !other.Block {
		t.Error("what is skipped elsewhere isn't looked at here")
	}
	if again := inspect(e, r); !again.Block || len(again.Findings) != 2 {
		t.Error("what one request skips, the next one does")
	}
	without := whole.Without(func(f waf.Finding) bool { return f.Target.Name == "comment" })
	if without.Score != one.Score || without.Block != one.Block || len(without.Findings) != 1 {
		t.Errorf("without what is excluded: %+v; excluded: %+v", without, one)
	}
}

func TestExclusionsOfOneRequestDoNotReachAnother(t *testing.T) {
	t.Parallel()
	e := engine(t)
	var group sync.WaitGroup
	for g := range 8 {
		name := "arg" + string(rune('a'+g))
		skips := []waf.Skip{{Rules: []int{941100, 942100, 942420, 942421}, Target: waf.Target{Part: "argument", Name: name}}, {Rules: []int{941100, 942100, 942420, 942421}, Target: waf.Target{Part: "cookie", Name: name}}}
		group.Go(func() {
			for range 20 {
				r := request{path: "/", query: name + "=1'+or+'1'='1&other=1'+or+'1'='1", header: []string{"Cookie: " + name + "=1' or '1'='1"}}
				d := inspect(e, r, skips...)
				if len(d.Findings) != 1 || d.Findings[0].Target.Name != "other" {
					t.Errorf("%s: %+v", name, d.Findings)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	t.Parallel()
	e := engine(t)
	for name, r := range map[string]request{
		"JSON":      {method: "POST", path: "/", header: []string{"Content-Type: application/json"}, body: `{"a": `},
		"deep JSON": {method: "POST", path: "/", header: []string{"Content-Type: application/json"}, body: strings.Repeat("[", 2000) + strings.Repeat("]", 2000)},
		"XML":       {method: "POST", path: "/", header: []string{"Content-Type: text/xml"}, body: `<?xml version="1.0" encoding="utf-16"?><a/>`},
		"multipart": {method: "POST", path: "/", header: []string{"Content-Type: multipart/form-data; boundary=x"}, body: "--x\r\nContent-Disposition: form-data; name=a\r\n\r\ncut"},
	} {
		d := inspect(e, r)
		if !d.Block || d.Denied == 0 {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func TestAnUploadIsInspectedByNameAndFields(t *testing.T) {
	t.Parallel()
	e := engine(t)
	upload := func(name, content string) request {
		return request{method: "POST", path: "/", header: []string{"Content-Type: multipart/form-data; boundary=xyz"}, body: "--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" +
			name + "\"\r\nContent-Type: text/plain\r\n\r\n" + content + "\r\n--xyz--\r\n"}
	}
	if d := inspect(e, upload("notes.txt", "all is well")); d.Block {
		t.Errorf("%+v", d)
	}
	if d := inspect(e, upload("shell.php", "x")); !d.Block || !slices.Contains(rulesOf(d), 933110) {
		t.Errorf("%+v", d)
	}
}

func TestAnswersAreInspected(t *testing.T) {
	t.Parallel()
	e := engine(t)
	answer := func(body string, fields ...string) waf.Decision {
		in := e.Begin(nil)
		defer in.Close()
		r := request{path: "/"}
		if d := in.Head(r.head()).Then(in.Body(nil)); d.Block {
			t.Fatalf("%+v", d)
		}
		h := new(pipeline.Header)
		h.Add("Content-Type", "text/html")
		for _, line := range fields {
			name, value, _ := strings.Cut(line, ": ")
			h.Add(name, value)
		}
		d := in.AnswerHead(&waf.AnswerHead{Status: 200, Proto: "HTTP/1.1", Header: h, Decoded: true})
		return d.Then(in.AnswerBody([]byte(body)))
	}
	leak := "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version"
	if d := answer(leak); !d.Block || d.Denied != 0 || d.Score < d.Threshold || d.Threshold != 4 || d.Findings[0].Target.Part != "answer-body" {
		t.Errorf("%+v", d)
	}
	if d := answer(leak, "Content-Encoding: gzip"); !d.Block {
		t.Error("an answer whose coding is undone isn't looked at")
	}
	if d := answer("<html><body>Hello</body></html>"); d.Block || len(d.Findings) != 0 {
		t.Errorf("%+v", d)
	}
}

func TestAContentCodingIsRefusedUnlessItIsUndone(t *testing.T) {
	t.Parallel()
	e := engine(t)
	r := request{method: "POST", path: "/", header: []string{"Content-Type: application/json", "Content-Encoding: gzip"}, body: "{}"}
	if d := inspect(e, r); !d.Block || !slices.Contains(rulesOf(d), 920450) {
		t.Errorf("%+v", d)
	}
	r.decoded = true
	if d := inspect(e, r); d.Block {
		t.Errorf("%+v", d)
	}
}

func TestWhoAsksBeforeSendingABodyIsNotRefused(t *testing.T) {
	t.Parallel()
	e := engine(t)
	asks := request{method: "POST", path: "/", header: []string{"Content-Type: application/json", "Expect: 100-continue"}, body: "{}"}
	if d := inspect(e, asks); d.Block {
		t.Errorf("%+v", d)
	}
	asks.header[1] = "Expect: something"
	if d := inspect(e, asks); !d.Block || !slices.Contains(rulesOf(d), 920450) {
		t.Errorf("%+v", d)
	}
}
