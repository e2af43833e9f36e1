package e2e

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// product is what all stories share. TestMain sets it, once.
var product *harness.Stack

func TestMain(m *testing.M) {
	os.Exit(harness.Main(m, harness.Config{Edges: 2}, func(s *harness.Stack) { product = s }))
}

// refused returns the problem of a call that must not have worked, and fails the test unless it has this code.
func refused(t *testing.T, code string, answer sallyport.Answer, err error) *sallyport.Problem {
	t.Helper()
	var problem *sallyport.Problem
	if err := sallyport.Check(answer, err); !errors.As(err, &problem) {
		t.Fatalf("the call was answered %v instead of being refused: %s", err, answer.GetBody())
	}
	if problem.Code != code || problem.RequestID == "" {
		t.Fatalf("refused with %v; want the code %s, and a request id", problem, code)
	}
	return problem
}

// names fails the test unless a problem names each of these places, with this code.
func names(t *testing.T, problem *sallyport.Problem, places map[string]string) {
	t.Helper()
	for pointer, code := range places {
		if !slices.ContainsFunc(problem.Errors, func(f sallyport.FieldError) bool {
			return f.Pointer == pointer && f.Code == code && f.Detail != ""
		}) {
			t.Errorf("%s (%s) isn't named by: %v", pointer, code, problem)
		}
	}
}

func pointer[T any](value T) *T { return &value }
