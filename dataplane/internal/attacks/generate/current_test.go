package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"testing"

	"github.com/corazawaf/coraza-coreruleset/v4/tests"
)

func TestTheCommittedAttacksAreThoseOfTheRuleSetsVersion(t *testing.T) {
	t.Parallel()
	packed, err := os.ReadFile("../attacks.gz")
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	committed, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	generated, err := attacks(tests.FS)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, generated) {
		t.Errorf("attacks.gz has %d bytes, and %d are generated: run go generate ./dataplane/internal/attacks", len(committed), len(generated))
	}
}
