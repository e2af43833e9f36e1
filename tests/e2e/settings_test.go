package e2e

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
)

// There always are settings: they are replaced, never created, and can't be deleted.
func TestAnEnvironmentAlwaysHasSettings(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 0)
	fresh, err := s.API.GetSettingsWithResponse(t.Context(), s.Environment.Name)
	s.Must(fresh, err)
	if fresh.JSON200.Name != "settings" || fresh.Headers200.ETag == "" {
		t.Errorf("the settings of a new environment are %+v, ETag %q", fresh.JSON200, fresh.Headers200.ETag)
	}

	put, err := s.API.PutSettingsWithResponse(t.Context(), s.Environment.Name, &sallyport.PutSettingsParams{IfMatch: &fresh.Headers200.ETag},
		sallyport.EnvironmentSettings{TrustedProxies: []string{"192.0.2.0/24"}})
	s.Must(put, err)
	if put.StatusCode() != http.StatusOK || put.HTTPResponse.Header.Get("Sallyport-Revision") != "1" {
		t.Errorf("the first settings were answered %d, revision %q; want 200 and 1", put.StatusCode(), put.HTTPResponse.Header.Get("Sallyport-Revision"))
	}
	stale, err := s.API.PutSettingsWithResponse(t.Context(), s.Environment.Name, &sallyport.PutSettingsParams{IfMatch: &fresh.Headers200.ETag},
		sallyport.EnvironmentSettings{})
	_ = refused(t, "precondition_failed", stale, err)
	patched, err := s.API.PatchSettingsWithApplicationMergePatchPlusJSONBodyWithResponse(t.Context(), s.Environment.Name, nil,
		map[string]any{"trusted_proxies": nil, "description": "cleared"})
	s.Must(patched, err)
	if len(patched.JSON200.TrustedProxies) != 0 || patched.JSON200.Description != "cleared" {
		t.Errorf("after the patch the settings are %+v", patched.JSON200)
	}
}
