package jwt_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/policies"
	"github.com/sallyport/sallyport/proto/jwk"
)

const (
	everywhere = `"locations": [{"header": "Authorization"}, {"header": "X-Token"}, {"cookie": "token"}, {"query": "access_token"}]`
	byToken    = `jwt {"issuers": ["login"], ` + everywhere + `}`
	forwarding = `jwt {"issuers": ["login"], "forward_token": true, ` + everywhere + `}`
	byKey      = `api-key {"locations": [{"header": "X-Api-Key"}, {"header": "Authorization"}]}`
	byPassword = `basic {"realm": "people"}`
	byNothing  = `anonymous {"consumer": "guest"}`
)

// door is an edge with one route on which several policies authenticate: tokens are the consumer app's, keys kim's, passwords alice's.
type door struct {
	*world
	token, forged, apiKey, spoofed string // spoofed has the form of a key
}

func newDoor(t *testing.T, all ...string) *door {
	t.Helper()
	d := &door{world: &world{edgetest.New(t, policies.All()...), newSigner(t, "k1")}}
	d.Consumer(t, "app", false)
	d.Consumer(t, "guest", false)
	var list []string
	for i, p := range all {
		kind, config, _ := strings.Cut(p, " ")
		list = append(list, fmt.Sprintf(`{"name": "p%d", "kind": %q, "position": %d, "config": %s, "attached_to": [{"environment": true}]}`, i, kind, i, config))
	}
	d.Configure(t, `{`+service+`,
		"issuers": [{"name": "login", "issuer": "`+issuerName+`", "jwks_url": "https://login.example.com/jwks", "audiences": ["`+audience+`"], "consumer": {"name_claim": "client_id"}}],
		"routes": [{"name": "all", "service": "orders", "paths": [{"prefix": "/"}]}],
		"policies": [`+strings.Join(list, ",")+`]}`)
	d.Keys(t, "login", []jwk.Key{d.key.public(t)})
	d.token, d.forged = d.key.token(t, claims()), d.world.forged(t, 0)
	d.apiKey = d.Key(t, "kim", edgetest.Key{})
	d.spoofed = edgetest.New(t, policies.All()...).Key(t, "mallory", edgetest.Key{})
	d.Password(t, "alice", edgetest.Password{Username: "alice", Text: "password"})
	return d
}

func password(text string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+text))
}

// enters sends a request with these fields, and returns what became of it: the verdict, who it is, and what the service gets of credentials.
func (d *door) enters(t *testing.T, query string, fields ...string) (*pipeline.Exchange, string) {
	t.Helper()
	ex := d.Do(edgetest.Get("/"+query, fields...))
	said := string(ex.Verdict)
	if ex.Verdict != pipeline.Allowed {
		return ex, said
	}
	said += " " + ex.Identity.Consumer.Name
	for _, name := range []string{"Authorization", "X-Token", "X-Api-Key", "Cookie"} {
		for _, f := range ex.Request.Header.Fields() {
			if f.Name == name {
				said += ", " + name
			}
		}
	}
	if ex.Request.Query != "" {
		said += ", ?" + ex.Request.Query
	}
	return ex, said
}

func challenges(ex *pipeline.Exchange) []string {
	var all []string
	for _, f := range ex.Response.Header.Fields() {
		if f.Name == "WWW-Authenticate" {
			all = append(all, f.Value)
		}
	}
	slices.Sort(all)
	return all
}

func TestOfATokenAndAKeyTheFirstPolicysDecidesAndTheOtherVanishes(t *testing.T) {
	for _, tokensFirst := range []bool{true, false} {
		order := []string{byToken, byKey}
		if !tokensFirst {
			slices.Reverse(order)
		}
		pick := func(ifTokens, ifKeys string) string {
			if tokensFirst {
				return ifTokens
			}
			return ifKeys
		}
		d := newDoor(t, order...)
		inAuthorization := func(token string) string { return "Authorization: Bearer " + token }
		for name, test := range map[string]struct {
			query  string
			fields []string
			want   string
		}{
			"a token":                       {"", []string{inAuthorization(d.token)}, "allowed app"},
			"a key":                         {"", []string{"X-Api-Key: " + d.apiKey}, "allowed kim"},
			"a key as a bearer's":           {"", []string{inAuthorization(d.apiKey)}, "allowed kim"},
			"both":                          {"", []string{inAuthorization(d.token), "X-Api-Key: " + d.apiKey}, pick("allowed app", "allowed kim")},
			"both, the key a bearer's":      {"", []string{"X-Token: " + d.token, inAuthorization(d.apiKey)}, pick("allowed app", "allowed kim")},
			"a token beside a spoofed key":  {"", []string{inAuthorization(d.token), "X-Api-Key: " + d.spoofed}, pick("allowed app", "credential_invalid")},
			"a key beside a forged token":   {"", []string{inAuthorization(d.forged), "X-Api-Key: " + d.apiKey}, pick("credential_invalid", "allowed kim")},
			"a key beside forged tokens":    {"?access_token=" + d.forged, []string{"X-Token: " + d.forged, "Cookie: token=" + d.forged, "X-Api-Key: " + d.apiKey}, pick("credential_invalid", "allowed kim")},
			"a key, and nothing of tokens'": {"?a=1", []string{"Cookie: a=b", "X-Api-Key: " + d.apiKey}, "allowed kim, Cookie, ?a=1"},
			"both wrong":                    {"", []string{inAuthorization(d.forged), "X-Api-Key: " + d.spoofed}, "credential_invalid"},
			"two bearers":                   {"", []string{inAuthorization(d.token), inAuthorization(d.apiKey)}, "credential_invalid"},
			"none":                          {"", nil, "credential_missing"},
		} {
			if _, got := d.enters(t, test.query, test.fields...); got != test.want {
				t.Errorf("tokens first: %v: %s: %s, want %s", tokensFirst, name, got, test.want)
			}
		}
		ex, _ := d.enters(t, "")
		if got := challenges(ex); ex.Response.Status != 401 || !slices.Equal(got, []string{`ApiKey realm="api", in="header", name="X-Api-Key", Bearer realm="api"`, `Bearer realm="api"`}) {
			t.Errorf("%d, challenges %q", ex.Response.Status, got)
		}
	}
}

// A token goes on where its policy says so and has decided; one that nobody checked never does.
func TestAForwardedTokenIsOneThatWasChecked(t *testing.T) {
	for want, policies := range map[string][]string{
		"allowed app, Authorization": {forwarding, byKey},
		"allowed kim":                {byKey, forwarding},
	} {
		d := newDoor(t, policies...)
		_, got := d.enters(t, "?access_token="+d.forged, "Authorization: Bearer "+d.token, "X-Token: "+d.forged, "Cookie: token="+d.forged, "X-Api-Key: "+d.apiKey)
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestWithTokensAndPasswordsWhoShowsNeitherIsAGuestAndWhoShowsAWrongOneIsNobody(t *testing.T) {
	for _, order := range [][]string{{byToken, byPassword, byNothing}, {byNothing, byPassword, byToken}} {
		d := newDoor(t, order...)
		first := "app"
		if order[0] == byNothing { // which runs last wherever it stands
			first = "alice"
		}
		onlyFor := func(who string) string {
			if who == first {
				return "allowed " + who
			}
			return "credential_invalid"
		}
		for name, test := range map[string]struct {
			fields []string
			want   string
		}{
			"a token":                           {[]string{"Authorization: Bearer " + d.token}, "allowed app"},
			"a password":                        {[]string{password("password")}, "allowed alice"},
			"neither":                           {nil, "allowed guest"},
			"both":                              {[]string{"X-Token: " + d.token, password("password")}, "allowed " + first},
			"a token beside a wrong password":   {[]string{"X-Token: " + d.token, password("wrong")}, onlyFor("app")},
			"a password beside a forged token":  {[]string{"X-Token: " + d.forged, password("password")}, onlyFor("alice")},
			"a forged token":                    {[]string{"Authorization: Bearer " + d.forged}, "credential_invalid"},
			"no token":                          {[]string{"Authorization: Bearer nonsense"}, "credential_invalid"},
			"a wrong password":                  {[]string{password("wrong")}, "credential_invalid"},
			"a scheme of nobody's":              {[]string{"Authorization: Digest username=alice"}, "credential_invalid"},
			"both in one name":                  {[]string{password("password"), "Authorization: Bearer " + d.token}, "credential_invalid"},
			"a guest with a header of its own":  {[]string{"X-Api-Key: " + d.apiKey}, "allowed guest, X-Api-Key"},
			"an API key that no policy asks of": {[]string{"Authorization: Bearer " + d.apiKey}, "credential_invalid"},
		} {
			if _, got := d.enters(t, "", test.fields...); got != test.want {
				t.Errorf("%s first: %s: %s, want %s", first, name, got, test.want)
			}
		}
	}
}

func TestThoseThatWerePassedOverSayTheirChallengesToo(t *testing.T) {
	const noToken, noPassword, badToken = `Bearer realm="api"`, `Basic realm="people", charset="UTF-8"`, `Bearer realm="api", error="invalid_token"`
	for name, test := range map[string]struct {
		policies []string
		forged   bool
		want     []string
	}{
		"nothing shown":                        {[]string{byToken, byPassword}, false, []string{noPassword, noToken}},
		"nothing shown, passwords first":       {[]string{byPassword, byToken}, false, []string{noPassword, noToken}},
		"a forged token behind passwords":      {[]string{byPassword, byToken}, true, []string{noPassword, badToken}},
		"a forged token, and nobody asked yet": {[]string{byToken, byPassword}, true, []string{badToken}},
		"a forged token, guests welcome":       {[]string{byPassword, byToken, byNothing}, true, []string{noPassword, badToken}},
	} {
		d := newDoor(t, test.policies...)
		var fields []string
		if test.forged {
			fields = []string{"Authorization: Bearer " + d.forged}
		}
		ex, _ := d.enters(t, "", fields...)
		if got := challenges(ex); ex.Response.Status != 401 || !slices.Equal(got, test.want) {
			t.Errorf("%s: %d, challenges %q, want %q", name, ex.Response.Status, got, test.want)
		}
	}
}
