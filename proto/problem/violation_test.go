package problem

import (
	"encoding/json"
	"testing"
)

func TestPointerEscapesEachToken(t *testing.T) {
	tests := []struct {
		tokens []any
		want   string
	}{
		{nil, ""},
		{[]any{""}, "/"},
		{[]any{"upstream", "targets", 0, "address"}, "/upstream/targets/0/address"},
		{[]any{"labels", "a/b~c"}, "/labels/a~1b~0c"},
		{[]any{"~1"}, "/~01"},
		{[]any{uint32(7)}, "/7"},
	}
	for _, tt := range tests {
		if got := Pointer(tt.tokens...); got != tt.want {
			t.Errorf("Pointer(%v) = %q, want %q", tt.tokens, got, tt.want)
		}
	}
}

func TestPrefixMovesACopy(t *testing.T) {
	inner := []Violation{{Pointer: "/limit"}, {Pointer: ""}}
	outer := Prefix(inner, Pointer("policies", 2, "config"))
	if outer[0].Pointer != "/policies/2/config/limit" || outer[1].Pointer != "/policies/2/config" {
		t.Fatalf("got %v", outer)
	}
	if inner[0].Pointer != "/limit" {
		t.Fatal("the given violations were changed")
	}
	if Prefix(nil, "/a") != nil {
		t.Fatal("no violations became some")
	}
}

func TestViolationAloneIsWrittenAsInAProblem(t *testing.T) {
	body, err := json.Marshal(Violation{Pointer: "/a", Code: ViolationRequired, Detail: "must be given"})
	if err != nil || string(body) != `{"pointer":"/a","code":"required","detail":"must be given"}` {
		t.Fatalf("got %s, %v", body, err)
	}
}
