package effects

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/catalog/catalogtest"
	"github.com/sallyport/sallyport/proto/policy"
	"github.com/sallyport/sallyport/proto/resource"
)

var update = flag.Bool("update", false, "write what is said into testdata, to be read and committed")

const line = "\n----\n"

// Each file of testdata is a configuration, the one that it becomes, and what that means.
func TestWhatAChangeMeansIsSaidAsInTestdata(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(string(text), line)
			if len(parts) != 3 {
				t.Fatalf("%d parts", len(parts))
			}
			got := told(between(t, parts[0], parts[1]))
			if *update {
				if err := os.WriteFile(file, []byte(parts[0]+line+parts[1]+line+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != parts[2] {
				t.Errorf("said\n%s\nnot\n%s\n(-update writes what is said)", got, parts[2])
			}
		})
	}
}

// between returns what leads from one configuration to another means.
func between(t *testing.T, before, after string) []Effect {
	t.Helper()
	base := catalogtest.Head(t, catalogtest.Parse(t, before))
	c := catalogtest.Candidate(t, base, catalogtest.Parse(t, after))
	return Of(base, c.Head(), c.Edits())
}

func told(all []Effect) string {
	var b strings.Builder
	for _, e := range all {
		names := make([]string, 0, len(e.Routes))
		for _, r := range e.Routes {
			names = append(names, r.Name)
		}
		fmt.Fprintf(&b, "%s %s %d %v %s/%s %s %v\n    %s\n", e.Severity, e.Code, e.Count, names, e.Collection, e.Name, e.Kind, e.Fields, e.Sentence)
	}
	return b.String()
}

// A type of resource that nobody thought of here would change what callers see without a word.
func TestEveryTypeOfResourceIsComparedOrKnownToMeanNothingToCallers(t *testing.T) {
	quiet := map[string]bool{"guardrails": true}
	for _, rt := range resource.Types() {
		if _, compared := comparers[rt.Collection]; compared == quiet[rt.Collection] {
			t.Errorf("%s: compared %v, quiet %v", rt.Collection, compared, quiet[rt.Collection])
		}
	}
}

func TestOfVeryManyEffectsTheGravestAreListed(t *testing.T) {
	var before, after strings.Builder
	for i := range maxEffects + 50 {
		separator := ","
		if i == 0 {
			separator = ""
		}
		fmt.Fprintf(&before, `%s{"name":"s%d","upstream":{"targets":[{"address":"a:80"}]}}`, separator, i)
		fmt.Fprintf(&after, `%s{"name":"s%d","upstream":{"targets":[{"address":"b:80"}]}}`, separator, i)
	}
	routes := func(public string) string {
		var b strings.Builder
		for i := range maxEffects + 50 {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"name":"r%d","service":"s%d","public":true,"paths":[{"prefix":"/%d"}]}`, i, i, i)
		}
		return `"routes":[` + b.String() + `],"policies":[{"name":"keys","kind":"api-key","config":{},"mode":"` + public + `","attached_to":[{"environment":true}]}]`
	}
	all := between(t, `{"services":[`+before.String()+`],`+routes("enforce")+`}`, `{"services":[`+after.String()+`],`+routes("off")+`}`)
	if len(all) != maxEffects+1 || all[0].Severity != policy.Danger || all[maxEffects].Code != "more" {
		t.Fatalf("%d effects, the first %+v, the last %+v", len(all), all[0], all[len(all)-1])
	}
}

// Routes of 32 hosts, 64 paths and 16 methods have 32,768 patterns each; that all of them match alike must not take minutes.
func TestRoutesThatMatchInVeryManyWaysAreComparedInTime(t *testing.T) {
	wide := func(hosts string) string {
		list := func(n int, one func(i int) string) string {
			var all []string
			for i := range n {
				all = append(all, one(i))
			}
			return "[" + strings.Join(all, ",") + "]"
		}
		routes := list(6, func(r int) string {
			return fmt.Sprintf(`{"name":"r%d","service":"s","public":true,"hosts":%s,"paths":%s,"methods":%s}`, r,
				list(32, func(i int) string { return fmt.Sprintf(`"%s%d.r%d.test"`, hosts, i, r) }),
				list(64, func(i int) string { return fmt.Sprintf(`{"template":"/{a}/%d/{b}"}`, i) }),
				list(16, func(i int) string { return fmt.Sprintf(`"M%s"`, strings.Repeat("X", i)) }))
		})
		return `{"services":[{"name":"s","upstream":{"targets":[{"address":"a:80"}]}}],"routes":` + routes + `}`
	}
	base := catalogtest.Head(t, catalogtest.Parse(t, wide("a")))
	c := catalogtest.Candidate(t, base, catalogtest.Parse(t, wide("b")))
	began := time.Now()
	all := Of(base, c.Head(), c.Edits())
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if !slices.ContainsFunc(all, func(e Effect) bool { return e.Code == "matches_not_compared" }) {
		t.Error("it isn't said that not all were compared")
	}
	i := slices.IndexFunc(all, func(e Effect) bool { return e.Code == "requests_unanswered" })
	if i < 0 || !strings.Contains(all[i].Sentence, "and 32758 more") {
		t.Errorf("%.500s", told(all))
	}
}

func TestNothingIsSaidOfNothing(t *testing.T) {
	if all := Of(catalog.Empty(), catalog.Empty(), nil); all != nil {
		t.Errorf("%+v", all)
	}
}
