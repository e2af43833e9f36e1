package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/sallyport/sallyport/proto/problem"
)

// mediaPlan is the media type of a dry run's plan.
const mediaPlan = "application/vnd.sallyport.plan+json"

// contract is the document, loaded once by a validator that isn't ours.
var contract = sync.OnceValues(func() (*contracted, error) {
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		return nil, err
	}
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(text)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(loader.Context); err != nil {
		return nil, err
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		return nil, err
	}
	openapi3filter.RegisterBodyDecoder(mediaPlan, openapi3filter.JSONBodyDecoder)
	openapi3filter.RegisterBodyDecoder(problem.ContentType, openapi3filter.JSONBodyDecoder)
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.FileBodyDecoder)
	return &contracted{doc: doc, router: router}, nil
})

type contracted struct {
	doc    *openapi3.T
	router routers.Router
}

func theContract(t *testing.T) *contracted {
	t.Helper()
	c, err := contract()
	if err != nil {
		t.Fatalf("the document: %v", err)
	}
	return c
}

// answer is a response that held to the document.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// serve sends a request and holds the response to the document.
func serve(t *testing.T, handler http.Handler, request *http.Request) answer {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	response := recorder.Result()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := answer{status: response.StatusCode, header: response.Header, body: body}
	if err := theContract(t).check(request, got); err != nil {
		t.Fatalf("%s %s: the answer breaks the document: %v\n%d %s", request.Method, request.URL, err, got.status, body)
	}
	return got
}

// check holds a response to what the document says of its operation.
func (c *contracted) check(request *http.Request, got answer) error {
	if err := checkFrame(got); err != nil {
		return err
	}
	route, parameters, err := c.router.FindRoute(request)
	if err != nil {
		if got.status != http.StatusNotFound && got.status != http.StatusMethodNotAllowed {
			return fmt.Errorf("the document has no such operation: %w", err)
		}
		return c.checkProblem(got)
	}
	if got.status >= http.StatusBadRequest {
		if err := c.checkProblem(got); err != nil {
			return err
		}
	}
	return openapi3filter.ValidateResponse(request.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, PathParams: parameters, Route: route},
		Status:                 got.status,
		Header:                 got.header,
		Body:                   io.NopCloser(bytes.NewReader(got.body)),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
}

// checkFrame checks what every answer has, whatever it says.
func checkFrame(got answer) error {
	kept := "no-store"
	if got.header.Get("Content-Type") == "application/jwk-set+json" && !bytes.Equal(got.body, []byte(`{"keys":[]}`)) {
		kept = "public, max-age=300" // the one thing that is meant for everybody, and for a while
	}
	for name, want := range map[string]string{"Cache-Control": kept, "X-Content-Type-Options": "nosniff"} {
		if got.header.Get(name) != want {
			return fmt.Errorf("%s is %q", name, got.header.Get(name))
		}
	}
	if !strings.HasPrefix(got.header.Get("X-Request-Id"), "req_") {
		return fmt.Errorf("the request id is %q", got.header.Get("X-Request-Id"))
	}
	if got.status == http.StatusNoContent && len(got.body) > 0 {
		return fmt.Errorf("204 with a body")
	}
	return nil
}

func (c *contracted) checkProblem(got answer) error {
	if got.header.Get("Content-Type") != problem.ContentType {
		return fmt.Errorf("the content type of an error is %q", got.header.Get("Content-Type"))
	}
	var value any
	if err := json.Unmarshal(got.body, &value); err != nil {
		return err
	}
	schema := c.doc.Components.Schemas["Problem"].Value
	if err := schema.VisitJSON(value, openapi3.EnableJSONSchema2020(), openapi3.MultiErrors()); err != nil {
		return err
	}
	var shown problem.Problem
	if err := json.Unmarshal(got.body, &shown); err != nil {
		return err
	}
	if _, defined := problem.Lookup(shown.Code); !defined || shown.Status != got.status {
		return fmt.Errorf("code %q with status %d, answered with %d", shown.Code, shown.Status, got.status)
	}
	if shown.RequestID != got.header.Get("X-Request-Id") {
		return fmt.Errorf("the problem has another request id than the header")
	}
	return nil
}

// operations calls f for every operation of the document.
func (c *contracted) operations(f func(method, path string, operation *openapi3.Operation)) {
	for path, item := range c.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			f(method, path, operation)
		}
	}
}
