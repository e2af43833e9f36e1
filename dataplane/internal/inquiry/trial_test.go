package inquiry

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

func TestATrialIsAnsweredRefusedInWordsAndItsPanicCostsTheAnswerAlone(t *testing.T) {
	question := &edgev1.Question{Id: 7, Question: &edgev1.Question_TryExclusion{TryExclusion: &edgev1.TryExclusionQuestion{}}}
	var logged bytes.Buffer
	answer := func(try func(context.Context, *edgev1.TryExclusionQuestion) (*edgev1.ExclusionTrial, error)) *edgev1.Answer {
		return New(Config{Logger: slog.New(slog.NewTextHandler(&logged, nil)), TryExclusion: try}).answer(t.Context(), question)
	}
	if m := answer(func(context.Context, *edgev1.TryExclusionQuestion) (*edgev1.ExclusionTrial, error) {
		return &edgev1.ExclusionTrial{Attacks: 3}, nil
	}); m.GetId() != 7 || m.GetExclusionTrial().GetAttacks() != 3 {
		t.Errorf("answered with %v", m)
	}
	if m := answer(func(context.Context, *edgev1.TryExclusionQuestion) (*edgev1.ExclusionTrial, error) {
		return nil, errors.New("no such route")
	}); m.GetRefusal().GetCode() != "not_tried" || m.GetRefusal().GetMessage() != "no such route" {
		t.Errorf("refused with %v", m)
	}
	if m := answer(nil); m.GetRefusal().GetCode() != "unknown_question" {
		t.Errorf("a node that tries none answers %v", m)
	}
	m := answer(func(context.Context, *edgev1.TryExclusionQuestion) (*edgev1.ExclusionTrial, error) {
		panic("text of a sample")
	})
	if text := logged.String() + m.String(); m.GetRefusal().GetCode() != "not_tried" || !strings.Contains(text, "panic") || strings.Contains(text, "text of a sample") {
		t.Errorf("answered with %v, logged is %s", m, logged.String())
	}
}
