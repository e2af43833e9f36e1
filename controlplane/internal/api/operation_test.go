package api

import (
	"log/slog"
	"strings"
	"testing"
)

// paths returns a document with these paths.
func paths(text string) []byte { return []byte(`{"openapi":"3.1.0","paths":` + text + `}`) }

func TestADocumentThatTheServerCannotRunByIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":             `{`,
		"no operationId":      `{"/a":{"get":{}}}`,
		"unknown parameter":   `{"/a":{"get":{"operationId":"a","parameters":[{"$ref":"#/components/parameters/none"}]}}}`,
		"two kinds of bodies": `{"/a":{"post":{"operationId":"a","requestBody":{"content":{"a/b":{},"c/d":{}}}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readOperations(paths(text)); err == nil {
				t.Fatal("it was taken")
			}
		})
	}
}

func TestAnOperationWithoutKnownPermissionOrHandlerCannotBeRegistered(t *testing.T) {
	for permission, want := range map[string]string{"": "no known permission", "environments.raed": "no known permission", "environments.read": ""} {
		operations, err := readOperations(paths(`{"/a":{"get":{"operationId":"getHealth","x-permission":"` + permission + `"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		err = s.register(operations, map[string]handler{"getHealth": s.getHealth})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("permission %q: %v", permission, err)
		}
		if err := s.register(operations, map[string]handler{}); err == nil {
			t.Error("an operation without a handler was registered")
		}
		if err := s.register(nil, map[string]handler{"getHealth": s.getHealth}); err == nil {
			t.Error("a handler without an operation was registered")
		}
	}
}
