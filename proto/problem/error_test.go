package problem

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestCauseIsLoggedAndNeverShown(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.7:5432: refused")
	err := fmt.Errorf("publish: %w", Wrap(cause, Unavailable, "the database doesn't answer"))
	if !strings.Contains(err.Error(), "10.0.0.7") {
		t.Errorf("the log text lacks the cause: %s", err)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause isn't in the chain")
	}
	body := string(From(err).Append(nil))
	if strings.Contains(body, "10.0.0.7") || !strings.Contains(body, `"detail":"the database doesn't answer"`) {
		t.Errorf("shown: %s", body)
	}
}

func TestForeignErrorsAreShownAsBareInternal(t *testing.T) {
	foreign := []error{
		errors.New("pq: duplicate key"),
		context.DeadlineExceeded,
		(*Error)(nil),
		&Error{Code: "no_such_code", Public: "who knows"},
		nil,
	}
	for _, err := range foreign {
		if got := From(err); !reflect.DeepEqual(got, New(Internal, "")) {
			t.Errorf("%#v: %+v", err, got)
		}
	}
}

func TestOutermostErrorDecidesWhatIsShown(t *testing.T) {
	err := Wrap(Errorf(NotFound, "no such row"), Conflict, "it is gone")
	if got := CodeOf(err); got != Conflict {
		t.Fatalf("got %s", got)
	}
	if CodeOf(nil) != "" {
		t.Fatal("nil has a code")
	}
	if err.Status() != 409 || (&Error{Code: "no_such_code"}).Status() != 500 {
		t.Fatal("wrong status")
	}
}

func TestInvalidTellsEveryViolation(t *testing.T) {
	if err := Invalid(); err != nil {
		t.Fatalf("no violations gave %v", err)
	}
	violations := []Violation{{Pointer: "/a", Code: ViolationRequired, Detail: "x"}, {Pointer: "/b", Code: ViolationTooLong, Detail: "y"}}
	err := Invalid(violations...)
	if p := From(err); p.Status != 400 || p.Detail != "2 fields are not valid" || !reflect.DeepEqual(p.Errors, violations) {
		t.Fatalf("got %+v", p)
	}
	if text := err.Error(); !strings.Contains(text, "/a: x (required)") || !strings.Contains(text, "/b: y (too_long)") {
		t.Fatalf("got %s", text)
	}
	if p := From(Invalid(violations[0])); p.Detail != "1 field is not valid" {
		t.Fatalf("got %+v", p)
	}
}

func TestStillReferencedListsTheReferrers(t *testing.T) {
	if err := StillReferenced(); err != nil {
		t.Fatalf("no referrers gave %v", err)
	}
	err := StillReferenced(Reference{Type: "route", ID: "rt_1"})
	if p := From(err); p.Status != 409 || p.Code != Referenced || len(p.Referrers) != 1 {
		t.Fatalf("got %+v", p)
	}
	if !strings.Contains(err.Error(), "route rt_1") {
		t.Fatalf("got %s", err)
	}
}

func TestPercentSignWithoutArgumentsIsOnlyThat(t *testing.T) {
	if got := Errorf(BadRequest, "100% wrong").Public; got != "100% wrong" {
		t.Errorf("got %q", got)
	}
	if got := Errorf(BadRequest, "%d wrong", 3).Public; got != "3 wrong" {
		t.Errorf("got %q", got)
	}
}
