package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
)

func TestAListIsReadWholePageByPage(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 0)
	var want []string
	batch := sallyport.ChangesRequest{}
	for n := range 23 {
		name := fmt.Sprintf("consumer-%02d", n)
		want = append(want, name)
		batch.Operations = append(batch.Operations, sallyport.Operation{Action: "create", Collection: "consumers", Body: map[string]any{
			"name": name, "labels": map[string]any{"tier": []string{"gold", "silver"}[n%2]},
		}})
	}
	made, err := s.API.ApplyChangesWithResponse(t.Context(), s.Environment.Name, nil, batch)
	s.Must(made, err)

	var got []string
	params := &sallyport.ListConsumersParams{Limit: pointer(5)}
	for {
		page, err := s.API.ListConsumersWithResponse(t.Context(), s.Environment.Name, params)
		s.Must(page, err)
		for _, consumer := range page.JSON200.Data {
			got = append(got, consumer.Name)
		}
		if page.JSON200.NextCursor == "" {
			break
		}
		if len(page.JSON200.Data) != 5 {
			t.Fatalf("a page of 5 that isn't the last has %d", len(page.JSON200.Data))
		}
		params.Cursor = &page.JSON200.NextCursor
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("page by page there are %v, want %v", got, want)
	}

	gold, err := s.API.ListConsumersWithResponse(t.Context(), s.Environment.Name, &sallyport.ListConsumersParams{Labels: pointer("tier=gold")})
	s.Must(gold, err)
	if len(gold.JSON200.Data) != 12 {
		t.Errorf("%d consumers have the label, want 12", len(gold.JSON200.Data))
	}
	one, err := s.API.ListConsumersWithResponse(t.Context(), s.Environment.Name, &sallyport.ListConsumersParams{Filter: &sallyport.Filter{"name": "consumer-07"}})
	s.Must(one, err)
	if len(one.JSON200.Data) != 1 || one.JSON200.Data[0].Name != "consumer-07" {
		t.Errorf("the filter found %+v", one.JSON200.Data)
	}
}

func TestAListWithABadQuestionIsRefused(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	for name, params := range map[string]*sallyport.ListConsumersParams{
		"a limit beyond the most":   {Limit: pointer(501)},
		"a cursor of nobody's":      {Cursor: pointer("made-up")},
		"a field that isn't there":  {Filter: &sallyport.Filter{"colour": "red"}},
		"labels that say no labels": {Labels: pointer("=,=")},
	} {
		answer, err := s.API.ListConsumersWithResponse(t.Context(), s.Environment.Name, params)
		if problem := refused(t, "invalid_request", answer, err); len(problem.Errors) != 1 {
			t.Errorf("%s: %v", name, problem)
		}
	}
}

// storyOf returns the file that tells of a kind of policies. It is named like the kind, but for the one that most others need too.
func storyOf(kind string) string {
	if kind == "api-key" {
		return "create_test.go"
	}
	return strings.ReplaceAll(kind, "-", "_") + "_test.go"
}

func TestEveryKindOfPoliciesHasAStoryAndASchema(t *testing.T) {
	t.Parallel()
	s := product.Story(t)
	kinds, err := s.API.ListPolicyKindsWithResponse(t.Context())
	s.Must(kinds, err)
	if len(kinds.JSON200.Data) == 0 {
		t.Error("there is no kind")
	}
	for _, kind := range kinds.JSON200.Data {
		if _, err := os.Stat(storyOf(kind.Name)); err != nil {
			t.Errorf("there is no story of %s: %v", kind.Name, err)
		}
		if kind.Schema["type"] != "object" || kind.Description == "" || len(kind.Phases) == 0 {
			t.Errorf("%s says too little of itself: %+v", kind.Name, kind)
		}
	}
}
