package proxy

import (
	"bytes"
	"io"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/identitykey"
)

// keysAt asks for a path and returns the answer.
func (e *edge) keysAt(t *testing.T, method, path string) (status int, body []byte, header map[string]string) {
	t.Helper()
	ex := e.proxy.Acquire()
	asked := e.Exchange(edgetest.Get(path))
	ex.Request, ex.Client = asked.Request, asked.Client
	ex.Request.Method = method
	e.proxy.Serve(ex)
	header = map[string]string{}
	for _, f := range ex.Response.Header.Fields() {
		header[f.Name] = f.Value
	}
	if ex.Response.Body != nil {
		var err error
		if body, err = io.ReadAll(ex.Response.Body); err != nil {
			t.Fatal(err)
		}
	}
	status = ex.Response.Status
	e.proxy.Finish(ex)
	return status, body, header
}

func TestTheIdentityKeysAreReadWhereTheSettingsSayAndNowhereElse(t *testing.T) {
	const path = "/.well-known/identity-keys"
	e, upstream := secured(t, `"identity_keys_path": "`+path+`"`)
	if status, body, header := e.keysAt(t, "GET", path); status != 200 || string(body) != `{"keys":[]}` || header["Cache-Control"] != "no-store" {
		t.Errorf("without keys: %d %s %v", status, body, header)
	}
	key, err := identitykey.New(1, edgetest.Epoch, edgetest.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	e.IdentityKeys(t, []*directoryv1.IdentityKey{key}...)
	status, body, header := e.keysAt(t, "GET", path)
	if status != 200 || !bytes.Equal(body, e.Directory.IdentityKeys().Set()) || header["Content-Type"] != keySet || header["Cache-Control"] != "public, max-age=300" {
		t.Errorf("%d %s %v", status, body, header)
	}
	if bytes.Contains(body, []byte(`"d"`)) {
		t.Error("a private key is shown")
	}
	if status, _, header := e.keysAt(t, "POST", path); status != 405 || header["Allow"] != "GET, HEAD" {
		t.Errorf("POST: %d %v", status, header)
	}
	if upstream.asked != 0 {
		t.Error("the service was asked")
	}
	if status, body, _ := e.keysAt(t, "GET", path+"/"); status == 200 && bytes.Contains(body, []byte("keys")) {
		t.Error("they are read elsewhere too")
	}
	silent, _ := secured(t, `"description": "no path"`)
	silent.IdentityKeys(t, key)
	if status, body, _ := silent.keysAt(t, "GET", path); bytes.Contains(body, []byte("keys")) {
		t.Errorf("they are read without a path: %d %s", status, body)
	}
}
