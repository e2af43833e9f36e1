package resource

import (
	"encoding/json"
	"testing"

	rulesv1 "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
)

func TestNumbersOfWhichOneMustBeGivenAreListed(t *testing.T) {
	rules := &rulesv1.FieldRules{Type: &rulesv1.FieldRules_Uint32{Uint32: &rulesv1.UInt32Rules{In: []uint32{301, 302}}}}
	got, err := json.Marshal(limitNumber(map[string]any{"type": "integer"}, rules))
	if want := `{"enum":[301,302],"type":"integer"}`; err != nil || string(got) != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}
