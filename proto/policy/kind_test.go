package policy

import (
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestDefineHandsOnTheMessageInItsOwnType(t *testing.T) {
	kind := Define(Contract[*durationpb.Duration]{
		Name: "test", Phases: []Phase{Guard, Limit},
		Phase:    func(d *durationpb.Duration) Phase { return Phase(d.GetSeconds()) },
		Validate: func(d *durationpb.Duration) []problem.Violation { return []problem.Violation{{Detail: d.String()}} },
	})
	if kind.Phase(&durationpb.Duration{Seconds: int64(Limit)}) != Limit {
		t.Error("the phase isn't the contract's")
	}
	if v := kind.Validate(&durationpb.Duration{Seconds: 1}); len(v) != 1 {
		t.Errorf("got %v", v)
	}
	if _, ok := kind.New().(*durationpb.Duration); !ok {
		t.Errorf("made a %T", kind.New())
	}
	if kind.TypeURL() != "type.googleapis.com/google.protobuf.Duration" {
		t.Errorf("got %s", kind.TypeURL())
	}
}

func TestAContractMayLeaveFunctionsOut(t *testing.T) {
	kind := Define(Contract[*durationpb.Duration]{Phases: []Phase{Inspect}})
	if kind.Effects(kind.New(), nil) != nil {
		t.Error("effects are said that no contract says")
	}
	if kind.Phase(kind.New()) != Inspect || kind.Validate(kind.New()) != nil {
		t.Fatal("the phase isn't the first, or something was found")
	}
}

func TestTheMessageOfAnotherKindPanics(t *testing.T) {
	kind := Define(Contract[*durationpb.Duration]{Validate: func(*durationpb.Duration) []problem.Violation { return nil }})
	defer func() {
		if recover() == nil {
			t.Fatal("passed")
		}
	}()
	kind.Validate(&timestamppb.Timestamp{})
}
