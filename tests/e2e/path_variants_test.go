package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

// leastVariants is how many ways to ask for the protected path are tried at the least.
const leastVariants = 300

// Below /admin a key is needed, everything else of the same service is public: whatever a target is taken for by some
// server, nothing that any of them would take for /admin may reach the service without a key. Requests go as raw bytes.
func TestNoVariantOfAPathPassesAPolicyOnItsPrefix(t *testing.T) {
	t.Parallel()
	noVariantPasses(t, product.Story(t))
}

// Nor does one where the environment's settings have all sorts of paths normalised that there is a reading for.
func TestNoVariantOfAPathPassesAPolicyOnItsPrefixWherePathsAreNormalised(t *testing.T) {
	t.Parallel()
	s := product.OwnStory(t, 1, harness.Loopback)
	s.Settings(map[string]any{"path": map[string]any{
		"dot_segments": "normalise", "empty_segments": "normalise", "backslashes": "normalise", "encoded_slashes": "normalise", "parameters": "normalise",
	}})
	upstream := noVariantPasses(t, s)
	edge, before := s.Edges()[0], len(upstream.Requests())
	for target, want := range map[string]string{
		"/x/../open/./a": "/open/a", "//open///b/": "/open/b/", `/open\c`: "/open/c", "/open/d%2fe": "/open/d%2Fe", "/open;v=1/f;w": "/open/f", "/x/%2e%2e/open/%7Eg": "/open/~g",
	} {
		answer, err := edge.DoRaw(t.Context(), "GET "+target+" HTTP/1.1\r\nHost: "+s.Host+"\r\n\r\n")
		reached := upstream.Requests()[before:]
		before += len(reached)
		if err != nil || answer.Status != http.StatusOK || len(reached) != 1 || reached[0].Target != want {
			t.Errorf("%s: %s, %v; reached the service as %+v, want %s", target, answer, err, reached, want)
		}
	}
	for _, target := range []string{"/x/../admin/secret", "//admin/secret", `/admin\secret`, "/admin;x/secret", "/admin/sec%2fret"} {
		answer, err := edge.DoRaw(t.Context(), "GET "+target+" HTTP/1.1\r\nHost: "+s.Host+"\r\n\r\n")
		if err != nil || answer.Code() != "credential_missing" {
			t.Errorf("%s: %s, %v; want the policy on its one reading to ask for a key", target, answer, err)
		}
	}
	for _, target := range []string{"/../open", "/x/..;/open", "/open%2F..%2Fadmin", "/admin%2fsecret", "/a//../open", "/%252e", "/a%00", "/%c0%af"} {
		answer, err := edge.DoRaw(t.Context(), "GET "+target+" HTTP/1.1\r\nHost: "+s.Host+"\r\n\r\n")
		if err != nil || answer.Code() != "path_refused" {
			t.Errorf("%s: %s, %v; want path_refused", target, answer, err)
		}
	}
}

// noVariantPasses tries them all, and returns the service that none may have reached.
func noVariantPasses(t *testing.T, s *harness.Story) *harness.Upstream {
	t.Helper()
	upstream := harness.NewUpstream(t, nil)
	service := s.Service("service", upstream.Address)
	s.Route(sallyport.Route{Name: s.Name("rest"), Service: service.Name, Paths: harness.Below("/"), Public: true})
	admin := s.Route(sallyport.Route{Name: s.Name("admin"), Service: service.Name, Paths: harness.Below("/admin"), Public: true})
	s.Policy(harness.APIKeys(s.Name("keys"), sallyport.Attachment{Route: admin.Name}))
	key := s.Key(sallyport.APIKey{Consumer: s.Consumer("consumer").Name})
	edge := s.Edges()[0]

	// The story is set up as it says.
	s.Expect(edge, "/admin/secret", nil, http.StatusUnauthorized, "credential_missing")
	s.Expect(edge, "/other/secret", nil, http.StatusOK, "")
	s.Expect(edge, "/admin/secret", harness.WithKey(key.Key), http.StatusOK, "")
	before := len(upstream.Requests())

	requests := variants(s.Host)
	if len(requests) < leastVariants {
		t.Fatalf("only %d variants were made", len(requests))
	}
	passed := 0
	for _, request := range requests {
		answer, err := edge.DoRaw(t.Context(), request)
		if err != nil {
			continue // the connection was closed instead of an answer: refused as well, and the upstream tells
		}
		if answer.Status == http.StatusOK {
			passed++
		}
	}

	reached := upstream.Requests()[before:]
	for _, request := range reached {
		if reading, protected := protectedReading(request.Target); protected {
			t.Errorf("%s %q reached the service, and can be read as %q", request.Method, request.Target, reading)
		}
	}
	if len(reached) != passed {
		t.Errorf("%d requests reached the service, %d were answered 200", len(reached), passed)
	}
	t.Logf("%d variants, of which %d passed as something else", len(requests), passed)
	return upstream
}

// variants returns requests that ask for /admin/secret in some reading, or nearly.
func variants(host string) []string {
	seen := map[string]bool{}
	var all []string
	add := func(request string) {
		if !seen[request] {
			seen[request] = true
			all = append(all, request)
		}
	}
	for _, target := range targets() {
		add("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
	}
	for _, method := range []string{"HEAD", "POST", "OPTIONS", "get", "DELETE", "FOO"} {
		for _, target := range []string{"/admin", "/admin/secret", "/./admin", "//admin", "/%61dmin", "/x/../admin"} {
			add(method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 0\r\n\r\n")
		}
	}
	for _, target := range []string{"/admin", "/admin/secret", "/%61dmin", "//admin", "/x/../admin", "/./admin", "?/admin", "/?/admin", ""} {
		for _, scheme := range []string{"http://", "HTTP://", "https://", "ftp://", "//"} {
			add("GET " + scheme + host + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
			add("GET " + scheme + host + target + " HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n")
			add("GET " + scheme + "user@" + host + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
		}
	}
	for _, line := range []string{"X-Original-Url", "X-Rewrite-Url", "X-Original-Uri", "X_Original_Url", "X-Forwarded-Uri", "X-Forwarded-Prefix"} {
		add("GET /admin/secret HTTP/1.1\r\nHost: " + host + "\r\n" + line + ": /other\r\n\r\n")
	}
	for _, odd := range []string{
		"GET /admin/secret HTTP/1.0\r\nHost: " + host + "\r\n\r\n",
		"GET /admin/secret HTTP/1.1\r\nHost: " + host + "\r\nHost: other.test\r\n\r\n",
		"GET /admin/secret HTTP/1.1\r\nHost: " + strings.ToUpper(host) + "\r\n\r\n",
		"GET /admin/secret HTTP/1.1\r\nHost: " + host + ".\r\n\r\n",
		"GET /admin/secret HTTP/1.1\r\nHost: " + host + ":80\r\n\r\n",
		"GET /other /admin/secret HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
		"GET /other\t/admin/secret HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
		"GET  /admin/secret HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
		"GET /admin/secret  HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
		"\r\nGET /admin/secret HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
		"POST /other HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /admin/secret HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
		"POST /other HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 0\r\nContent-Length: 60\r\n\r\nGET /admin/secret HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
		"POST /other HTTP/1.1\r\nHost: " + host + "\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\nGET /admin/secret HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
		"POST /other HTTP/1.1\r\nHost: " + host + "\r\nTransfer-Encoding : chunked\r\nContent-Length: 60\r\n\r\n0\r\n\r\nGET /admin/secret HTTP/1.1\r\nHost: " + host + "\r\n\r\n",
	} {
		add(odd)
	}
	return all
}

// targets returns ways to write /admin/secret: every way to lead to its first segment, with every way to spell that, and
// every way to spell it with every way to go on.
func targets() []string {
	leads := []string{
		"/", "//", "///", "/./", "/.//", "/%2e/", "/%2E/", "/x/../", "/x/%2e%2e/", "/x/.%2e/", "/x/%2E./", "/x/..%2f", "/x/..%2F", "/x/..%5c", "/x%2f..%2f",
		"/x/..;/", "/x;a=b/../", "/..;/", "/;/", "/;a/", "/%2f", "/%2F/", "/%5c", "/\\", "\\", "/x\\..\\", "/x/..\\", "/%252e/", "/x/%252e%252e/", "/x/%25%32%65%2e/",
		"/%00/", "/%20/", "/%09/", "/%0d%0a/", "/%c0%ae/", "/x/%c0%ae%c0%ae/", "/x/%e0%80%ae./", "/%ef%bc%8f", "/x/%ef%bc%8e%ef%bc%8e/", "/%u002e/", "/x/..%00/", "/x/...//", "/x/..%3b/", "/.../", "/x/../../",
		"/other/../", "/other/%2e%2e/", "/open/..;x/",
	}
	names := []string{
		"admin", "%61dmin", "adm%69n", "%61%64%6d%69%6e", "%61%64%6D%69%6E", "a%64min", "%2561dmin", "%25%36%31dmin", "adm%2569n", "%%361dmin", "%6%31dmin",
		"admin;x=1", "admin;", "admin%3b", "admin%3Bx", ";admin", "admin%00", "admin%20", "admin.", "admin%2e", "admin%09", "admin%0a", "admin%0d%0aX:1",
		"%ef%bd%81dmin", "%c1%a1dmin", "%e0%81%a1dmin", "adm\xc4\xb1n", "adm%c4%b1n", "ad%c2%admin", "ad\x00min", "ad min", "admin%", "admin%2", "admin%zz", "admin%u0000",
	}
	tails := []string{
		"", "/", "/secret", "//secret", "/./secret", "/../admin/secret", "/..", "/../", "/x/../secret", "%2fsecret", "%2Fsecret", "%5csecret", "\\secret", "%252fsecret", ";/secret",
		";x/secret", "?", "?x=/../..", "#", "#/secret", "/%2e", "/%2e%2e/admin", "/..;/admin", "%3fsecret", "%3Fsecret", "%23", "/secret%00.png", "/secret;.css", "/secret/", "/secret/.", "%20/secret", "/%20",
		".json", "/secret.json", ":80", "@x", "~", "*", "/*", ",", "&x", "=", "+", "!", "'", "(", "$",
	}
	var all []string
	for _, lead := range leads {
		for _, name := range names {
			all = append(all, lead+name+"/secret")
		}
	}
	for _, name := range names {
		for _, tail := range tails {
			all = append(all, "/"+name+tail)
		}
	}
	for _, lead := range leads {
		for _, tail := range tails {
			all = append(all, lead+"admin"+tail)
		}
	}
	return append(all, "*", "admin", "admin/secret", "./admin", "../admin", "?/admin", "%2fadmin", ";/admin")
}

// protectedReading returns a reading of a request target that is /admin or below it, if any server could have it: with
// escapes decoded any number of times, backslashes as slashes, parameters cut off, control characters dropped, slashes
// merged and dot segments resolved, in every combination.
func protectedReading(target string) (string, bool) {
	if _, rest, absolute := strings.Cut(target, "://"); absolute {
		target = rest[strings.IndexByte(rest+"/", '/'):]
	}
	target, _, _ = strings.Cut(target, "#")
	target, _, _ = strings.Cut(target, "?")
	readings := map[string]bool{target: true}
	steps := []func(string) string{
		decodeOnce,
		func(p string) string { return strings.ReplaceAll(p, `\`, "/") },
		func(p string) string { p, _, _ = strings.Cut(p, "\x00"); return p },
		cutParameters, mergeSlashes, resolveDots,
		func(p string) string { return strings.Map(visible, p) },
	}
	for range 8 {
		grown := false
		for reading := range readings {
			for _, step := range steps {
				if next := step(reading); !readings[next] {
					readings[next], grown = true, true
				}
			}
		}
		if !grown {
			break
		}
	}
	for reading := range readings {
		if rest, ok := strings.CutPrefix(reading, "/admin"); ok && (rest == "" || strings.ContainsAny(rest[:1], `/;\`)) {
			return reading, true
		}
	}
	return "", false
}

// decodeOnce decodes every valid escape, and leaves others as they are.
func decodeOnce(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] == '%' && i+2 < len(p) && hex(p[i+1]) >= 0 && hex(p[i+2]) >= 0 {
			b.WriteByte(byte(hex(p[i+1])<<4 | hex(p[i+2])))
			i += 2
			continue
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

func hex(c byte) int { return strings.IndexByte("0123456789abcdef", c|0x20) }

func cutParameters(p string) string {
	segments := strings.Split(p, "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	return strings.Join(segments, "/")
}

func mergeSlashes(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

func resolveDots(p string) string {
	var kept []string
	for _, segment := range strings.Split(p, "/") {
		switch segment {
		case ".":
		case "..":
			if len(kept) > 1 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, segment)
		}
	}
	return strings.Join(kept, "/")
}

// visible drops what some servers drop.
func visible(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

// What finds a breach must find one.
func TestReadingsOfAProtectedPathAreFound(t *testing.T) {
	for _, target := range []string{
		"/admin", "/admin/secret", "//admin", "/x/../admin", "/x/..%2fadmin", "/%61dmin", "/%2561dmin", `/x\..\admin`, "/admin;x/secret",
		"/x/..;/admin", "/.;/admin", "http://h/admin", "/%2e/admin", "/admin%2fsecret", "/admin%00", "/admin%09/x", "/ad%00min/../admin", "/admin?x", "/admin#x",
	} {
		if _, found := protectedReading(target); !found {
			t.Errorf("%q isn't seen as protected", target)
		}
	}
	for _, target := range []string{"/", "/other", "/administrator", "/other/admin", "/ADMIN", "/other?x=/admin", "/admin%20", "/admin%3Fx"} {
		if reading, found := protectedReading(target); found {
			t.Errorf("%q is seen as %q", target, reading)
		}
	}
}
