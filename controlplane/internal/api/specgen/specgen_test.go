package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestTheCommittedDocumentIsUpToDate(t *testing.T) {
	want, err := generate(os.DirFS("../spec"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../" + outputFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("openapi.json isn't what spec/ and the .proto files give: run make gen")
	}
}

func TestTheDocumentIsTheSameEachTime(t *testing.T) {
	first, err := generate(os.DirFS("../spec"))
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		again, err := generate(os.DirFS("../spec"))
		if err != nil || !bytes.Equal(again, first) {
			t.Fatalf("another document: %v", err)
		}
	}
}

func TestPartsThatContradictOneAnotherAreRefused(t *testing.T) {
	const frame = "openapi: 3.1.0\npaths: {}\n"
	for name, tt := range map[string]struct{ part, want string }{
		"a path twice":          {"paths:\n  /api/v1/environments/{environment}/services: {}\n", "defined twice"},
		"a schema twice":        {"components:\n  schemas:\n    ServiceList: {}\n", "defined twice"},
		"more than its section": {"info: {}\n", "only paths and components"},
		"no YAML":               {"paths: [\n", "part.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			template, err := os.ReadFile("../spec/" + templateFile)
			if err != nil {
				t.Fatal(err)
			}
			books, err := os.ReadFile("../spec/" + bookFile)
			if err != nil {
				t.Fatal(err)
			}
			_, err = generate(fstest.MapFS{
				frameFile:    {Data: []byte(frame)},
				templateFile: {Data: template},
				bookFile:     {Data: books},
				"part.yaml":  {Data: []byte(tt.part)},
			})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("the error is %v", err)
			}
		})
	}
}

func TestOperationsAreNamedInWordsThatCanBeRead(t *testing.T) {
	for words, want := range map[string]string{"route": "a", "address list": "an", "issuer": "an", "user": "a"} {
		if got := article(words); got != want {
			t.Errorf("%s %s", got, words)
		}
	}
	if got := camel("address-lists"); got != "AddressLists" {
		t.Errorf("got %s", got)
	}
}
