package resource

import (
	"strings"
	"testing"
)

func TestAnAPIDescriptionIsCompiledWhenItIsWritten(t *testing.T) {
	t.Parallel()
	const document = `{"name":"shop","document":"{\"openapi\":\"3.1.0\",\"info\":{},\"paths\":{\"/a\":{%}}}"}`
	validated(t, "api-descriptions", strings.Replace(document, "%", "", 1))
	validated(t, "api-descriptions", strings.Replace(document, "%", `\"get\":{\"parametres\":[]},\"fetch\":{}`, 1),
		"/document invalid_format", "/document invalid_format")
	validated(t, "api-descriptions", `{"name":"shop"}`, "/document too_short")
}

func TestWhatListsLeaveOutIsThereInTheObjectItself(t *testing.T) {
	t.Parallel()
	kind := typeOf(t, "api-descriptions")
	m := kind.New()
	decoded(t, `{"name":"shop","document":"openapi: 3.1.0"}`, m)
	brief := kind.InList(m)
	if text := string(written(t, brief)); strings.Contains(text, "document") || !strings.Contains(text, "shop") {
		t.Errorf("a list has %s", text)
	}
	if text := string(written(t, m)); !strings.Contains(text, "openapi: 3.1.0") {
		t.Errorf("the object has lost its document: %s", text)
	}
	if services := typeOf(t, "services").New(); typeOf(t, "services").InList(services) != services {
		t.Error("a list has copies of services")
	}
}

func written(t *testing.T, m Message) []byte {
	t.Helper()
	text, err := Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
