package corpus

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestTheSameRequestsAreMadeEveryTime(t *testing.T) {
	t.Parallel()
	for n := range 300 {
		for _, generate := range []func(int) Request{Benign, Mutant} {
			first, second := generate(n), generate(n)
			if !bytes.Equal(first.Wire(), second.Wire()) {
				t.Fatalf("%s isn't the same twice", first.Name)
			}
		}
	}
	p := Patterns()[0]
	if !slices.Equal(p.Samples(20), p.Samples(20)) {
		t.Error("samples aren't the same twice")
	}
}

// What a strict reader of HTTP takes for something else would be refused before any rule sees it.
func TestBenignRequestsAreWellFormed(t *testing.T) {
	t.Parallel()
	distinct := map[string]bool{}
	for n := range BenignCount {
		r := Benign(n)
		wellFormed(t, &r)
		distinct[string(r.Wire())] = true
	}
	if len(distinct) < BenignCount*98/100 { // some pages have been visited before
		t.Errorf("%d of %d benign requests are distinct", len(distinct), BenignCount)
	}
}

func TestMutantsAreWellFormed(t *testing.T) {
	t.Parallel()
	if all := len(payloads()); all < 3000 {
		t.Errorf("there are %d payloads", all)
	}
	for n := range 5000 {
		r := Mutant(n)
		wellFormed(t, &r)
	}
}

func wellFormed(t *testing.T, r *Request) {
	t.Helper()
	read, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(r.Wire())))
	if err != nil {
		t.Errorf("%s: %v\n%.300q", r.Name, err, r.Wire())
		return
	}
	body, err := io.ReadAll(read.Body)
	if err != nil || !bytes.Equal(body, r.Body) || read.RequestURI != r.Target || r.Path()+"?"+r.Query() != read.RequestURI && r.Query() != "" {
		t.Errorf("%s is read as %s with %d bytes, %v", r.Name, read.RequestURI, len(body), err)
	}
	if strings.HasPrefix(r.Get("Content-Type"), asJSON) && !strings.Contains(string(body), "{") {
		t.Errorf("%s says %q for %q", r.Name, r.Get("Content-Type"), body)
	}
}

func TestSamplesAreMadeOfNearlyEveryPattern(t *testing.T) {
	t.Parallel()
	all := Patterns()
	without := 0
	for i := range all {
		samples := all[i].Samples(8)
		if len(samples) == 0 {
			without++
		}
		for n, text := range samples {
			r := all[i].Sample(n, text)
			wellFormed(t, &r)
		}
	}
	if len(all) < 300 || without > len(all)/50 {
		t.Errorf("%d of %d patterns have no sample", without, len(all))
	}
}

func FuzzParseTests(f *testing.F) {
	f.Add([]byte("rule_id: 1\ntests: [{test_id: 1, stages: [{input: {uri: /, headers: {a: b}, data: x}, output: {status: 400}}]}]"))
	f.Add([]byte("rule_id: 1\ntests: [{test_id: 1, stages: [{input: {encoded_request: R0VUIC8gSFRUUC8xLjENClRyYW5zZmVyLUVuY29kaW5nOiBjaHVua2VkDQoNCjMNCmFiYw0KMA0KDQo=}}]}]"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		all, err := parseTests(text)
		for i := range all {
			if err == nil {
				_ = all[i].Request.Wire()
			}
		}
	})
}
