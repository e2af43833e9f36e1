package console

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

const script = "/assets/main-1a2b.js"

func built() fstest.MapFS {
	return fstest.MapFS{
		"index.html":            {Data: []byte(`<meta name="csp-nonce" content="` + noncePlace + `"><script src="` + script + `">`)},
		"assets/main-1a2b.js":   {Data: []byte(strings.Repeat("run();", 1000))},
		"assets/dot-3c4d.woff2": {Data: []byte{1, 2, 3}},
	}
}

func serving(t *testing.T, files fs.FS) *Server {
	t.Helper()
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "API "+r.URL.Path) })
	s, err := New(Config{Files: files, API: api})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(s *Server, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, answer *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestThePageIsHeldToAPolicyWithANonceOfItsOwn(t *testing.T) {
	s := serving(t, built())
	seen := map[string]bool{}
	for range 3 {
		answer := ask(s, http.MethodGet, "/environments/demo/routes", "Sec-Fetch-Mode", "navigate")
		page, policy := text(t, answer), answer.Header.Get("Content-Security-Policy")
		_, after, _ := strings.Cut(page, `content="`)
		nonce, _, _ := strings.Cut(after, `"`)
		if len(nonce) < 22 || seen[nonce] || !strings.Contains(policy, "style-src 'self' 'nonce-"+nonce+"'") {
			t.Errorf("nonce %q in %q", nonce, policy)
		}
		seen[nonce] = true
		for _, part := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%q lacks %s", policy, part)
			}
		}
		if strings.Contains(policy, "unsafe") || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q, cached %q", policy, answer.Header.Get("Cache-Control"))
		}
	}
}

func TestOnlyANavigationIsGivenThePageForAPathOfIts(t *testing.T) {
	s := serving(t, built())
	tests := []struct {
		method, path string
		header       []string
		status       int
	}{
		{"GET", "/anything", []string{"Sec-Fetch-Mode", "navigate"}, 200},
		{"HEAD", "/", []string{"Accept", "text/html,*/*"}, 200},
		{"GET", "/anything", []string{"Sec-Fetch-Mode", "cors", "Accept", "text/html"}, 404},
		{"GET", "/anything", nil, 404},
		{"GET", "/assets/gone.js", []string{"Sec-Fetch-Mode", "navigate"}, 404},
		{"GET", "/assets/../index.html", nil, 404},
		{"GET", "/index.html", nil, 404},
		{"POST", "/", nil, 405},
		{"GET", script, nil, 200},
	}
	for _, tt := range tests {
		answer := ask(s, tt.method, tt.path, tt.header...)
		if answer.StatusCode != tt.status {
			t.Errorf("%s %s %v is answered %d, want %d", tt.method, tt.path, tt.header, answer.StatusCode, tt.status)
		}
		for _, name := range []string{"Content-Security-Policy", "Referrer-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy", "Permissions-Policy", "X-Content-Type-Options"} {
			if answer.Header.Get(name) == "" {
				t.Errorf("%s %s: no %s", tt.method, tt.path, name)
			}
		}
	}
}

func TestBuiltFilesAreKeptForEverAndSentSmall(t *testing.T) {
	s := serving(t, built())
	answer := ask(s, http.MethodGet, script, "Accept-Encoding", "br, gzip")
	if answer.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || answer.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("%v", answer.Header)
	}
	small, err := gzip.NewReader(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if whole, err := io.ReadAll(small); err != nil || string(whole) != strings.Repeat("run();", 1000) {
		t.Errorf("%d bytes, %v", len(whole), err)
	}
	if plain := ask(s, http.MethodGet, script); plain.Header.Get("Content-Encoding") != "" || len(text(t, plain)) != 6000 {
		t.Error("who takes no gzip is sent it")
	}
	if font := ask(s, http.MethodGet, "/assets/dot-3c4d.woff2", "Accept-Encoding", "gzip"); font.Header.Get("Content-Encoding") != "" || font.Header.Get("Content-Type") != "font/woff2" {
		t.Errorf("%v", font.Header)
	}
}

func TestTheAPIIsBesideThePageForItsOwnOriginAlone(t *testing.T) {
	s := serving(t, built())
	if got := text(t, ask(s, http.MethodGet, "/api/v1/environments")); got != "API /api/v1/environments" {
		t.Errorf("the API answers %q", got)
	}
	tests := []struct {
		site   string
		status int
	}{{"same-origin", 200}, {"none", 200}, {"cross-site", 403}, {"same-site", 403}}
	for _, tt := range tests {
		if got := ask(s, http.MethodPost, "/api/v1/environments", "Sec-Fetch-Site", tt.site).StatusCode; got != tt.status {
			t.Errorf("a write from %s is answered %d", tt.site, got)
		}
	}
	if got := ask(s, http.MethodPost, "/api/v1/environments", "Origin", "https://elsewhere.example").StatusCode; got != http.StatusForbidden {
		t.Errorf("a write from another origin is answered %d", got)
	}
	for _, path := range []string{"/healthz", "/api/v2/x", "/metrics"} {
		if got := ask(s, http.MethodGet, path).StatusCode; got != http.StatusNotFound {
			t.Errorf("%s is answered %d", path, got)
		}
	}
}

func TestAConsoleThatIsNotBuiltSaysWhatToRun(t *testing.T) {
	s := serving(t, nil)
	answer := ask(s, http.MethodGet, "/", "Sec-Fetch-Mode", "navigate")
	if said := text(t, answer); answer.StatusCode != http.StatusServiceUnavailable || !strings.Contains(said, "make web") {
		t.Errorf("%d %s", answer.StatusCode, said)
	}
	if got := text(t, ask(s, http.MethodGet, "/api/v1/environments")); !strings.HasPrefix(got, "API") {
		t.Errorf("the API answers %q", got)
	}
}

func TestAPageWithoutAPlaceForItsNonceIsRefused(t *testing.T) {
	files := built()
	files["index.html"] = &fstest.MapFile{Data: []byte("<p>")}
	if _, err := New(Config{Files: files, API: http.NotFoundHandler()}); err == nil {
		t.Error("it is served")
	}
	delete(files, "index.html")
	if _, err := New(Config{Files: files, API: http.NotFoundHandler()}); err == nil {
		t.Error("no page is served")
	}
}
