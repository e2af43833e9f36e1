package pages

import (
	"path"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestEveryProblemHasAPageThatItsTypeLeadsTo(t *testing.T) {
	for _, d := range problem.Definitions() {
		file := path.Base(d.Code.Type())
		text, err := files.ReadFile(file)
		if err != nil {
			t.Errorf("proto/problem/pages/%s is missing; the type of %s leads there", file, d.Code)
			continue
		}
		if _, err := parse(d, string(text)); err != nil {
			t.Error(err)
		}
		if page, ok := Of(d.Code); !ok || page.Code != d.Code || page.Mend == "" {
			t.Errorf("%s: got %+v, %v", d.Code, page, ok)
		}
	}
}

func TestEveryPageIsOfAProblem(t *testing.T) {
	entries, err := files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if _, ok := problem.Lookup(problem.Code(strings.TrimSuffix(entry.Name(), ".md"))); !ok {
			t.Errorf("%s explains no problem of the product", entry.Name())
		}
	}
}

func TestAPageThatContradictsItsProblemIsRefused(t *testing.T) {
	d, _ := problem.Lookup(problem.RateLimited)
	whole := opening(d) + callerHeading + "a" + operatorHeading + "b" + mendHeading + "c\n"
	if _, err := parse(d, whole); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"another status": strings.Replace(whole, "429", "430", 1),
		"no caller":      strings.Replace(whole, callerHeading, "\n", 1),
		"no operator":    strings.Replace(whole, operatorHeading, "\n", 1),
		"no mending":     strings.Replace(whole, mendHeading, "\n", 1),
		"empty section":  strings.Replace(whole, "b", "", 1),
		"another order":  opening(d) + operatorHeading + "b" + callerHeading + "a" + mendHeading + "c",
	} {
		if _, err := parse(d, text); err == nil {
			t.Errorf("%s: passed", name)
		}
	}
	if _, ok := Of("no_such_code"); ok {
		t.Error("a code that there isn't has a page")
	}
}
