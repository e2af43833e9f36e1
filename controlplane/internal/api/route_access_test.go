package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestARouteSaysWhoCanCallItAndHow(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), `{"name":"s","upstream":{"targets":[{"address":"127.0.0.1:1"}]}}`)
	w.make(http.MethodPost, at("routes"), `{"name":"r","service":"s","paths":[{"template":"/orders/{id}"}],"methods":["GET","POST"],"public":true}`)
	w.make(http.MethodPost, at("policies"), `{"name":"keys","kind":"api-key","config":{"required_scopes":["read"]},"attached_to":[{"environment":true}]}`)
	key := func(name, consumer, scopes, more string) {
		w.make(http.MethodPost, at("api-keys"), `{"name":"`+name+`","consumer":"`+consumer+`","scopes":[`+scopes+`]`+more+`}`)
	}
	for consumer, labels := range map[string]string{"gold": `{"tier":"gold"}`, "plain": `{}`, "blocked": `{}`, "suspended": `{}`, "keyless": `{}`, "late": `{}`, "own": `{}`} {
		w.make(http.MethodPost, at("consumers"), `{"name":"`+consumer+`","labels":`+labels+`,"suspended":`+fmt.Sprint(consumer == "suspended")+`}`)
		switch consumer {
		case "keyless":
		case "late":
			key("late", "late", `"read"`, `,"expires_at":"`+time.Now().Add(time.Hour).UTC().Format(time.RFC3339)+`"`)
		default:
			key(consumer, consumer, `"read"`, "")
		}
	}
	key("late-2", "keyless", `"read"`, "")
	w.make(http.MethodPost, at("blocks"), `{"name":"one","consumer":"blocked"}`)
	w.make(http.MethodPost, at("blocks"), `{"name":"other","api_key":"late-2"}`)
	w.make(http.MethodPost, at("policies"), `{"name":"rules","kind":"acl","config":{"allow":[
		{"every_consumer":true,"methods":["GET"]},{"labels":[{"key":"tier","values":["gold"]}],"methods":["POST"]}],"deny":[{"consumers":["plain"],"paths":["/orders/{id}"]}]},"attached_to":[{"route":"r"}]}`)
	w.make(http.MethodPost, at("policies"), `{"name":"off-limits","kind":"acl","config":{},"attached_to":[{"consumer":"own"}]}`)

	answer := w.do(http.MethodGet, at("routes", "r", "access"), "").want(t, http.StatusOK).object(t)
	var said []string
	for _, sentence := range answer["sentences"].([]any) {
		said = append(said, sentence.(string))
	}
	want := []string{
		`The route "r" takes GET and POST requests for /orders/{id}, and belongs to the service "s".`,
		`Callers prove who they are.`,
		`An API key is taken from the header "X-Api-Key". [keys]`,
		`The key needs the scope "read". [keys]`,
		`Requests for "/orders/{id}" are refused to consumers who are "plain". [rules]`,
		`GET requests pass for every consumer. [rules]`,
		`POST requests pass for consumers whose label "tier" is "gold". [rules]`,
		`What no rule allows is refused. [rules]`,
		`For the consumer "own": No request passes, since no rule allows one. [off-limits]`,
		`Of 7 consumers 2 pass with an API key that they have, from where and as often as is said above; for 1 it depends on the request, and 4 can't call it.`,
	}
	if got := strings.Join(said, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("said\n%s", got)
	}
	var who []string
	for _, c := range answer["consumers"].(map[string]any)["data"].([]any) {
		c := c.(map[string]any)
		who = append(who, fmt.Sprint(c["name"], " ", c["verdict"], " ", c["methods"], " ", c["depending"]))
	}
	if got := strings.Join(who, "; "); got != "gold admits [GET POST] <nil>; late admits [GET] <nil>; plain depends <nil> [GET]" {
		t.Errorf("consumers: %s", got)
	}
	if policies := answer.list("policies"); len(policies) != 2 || policies[0].text("name") != "keys" || policies[0].list("statements")[0].text("part") != "way" {
		t.Errorf("policies: %v", policies)
	}

	reader := w.grantee("reader", place{environment: "production"}, access.ReadConfiguration)
	answer = w.do(http.MethodGet, at("routes", "r", "access"), "", as(reader)).want(t, http.StatusOK).object(t)
	if text := fmt.Sprint(answer); strings.Contains(text, "plain") || answer["consumers"] != nil {
		t.Errorf("who may not read consumers is told of them: %s", text)
	}
	w.do(http.MethodGet, at("routes", "none", "access"), "").wantProblem(t, problem.NotFound)
}

// Of several proofs each is told, guests are counted as who they are, and a key that is bound elsewhere lets nobody in here.
func TestARouteWithSeveralProofsCountsKeysThatAreForItAndGuests(t *testing.T) {
	w := newWorld(t)
	service := w.make(http.MethodPost, at("services"), `{"name":"s","upstream":{"targets":[{"address":"127.0.0.1:1"}]}}`).text("id")
	other := w.make(http.MethodPost, at("services"), `{"name":"t","upstream":{"targets":[{"address":"127.0.0.1:1"}]}}`).text("id")
	route := w.make(http.MethodPost, at("routes"), `{"name":"r","service":"s","paths":[{"prefix":"/"}],"methods":["GET"],"public":true}`).text("id")
	for consumer, routes := range map[string]string{"any": ``, "by-route": `"` + route + `"`, "by-service": `"` + other + `","` + service + `"`, "elsewhere": `"` + other + `"`} {
		w.make(http.MethodPost, at("consumers"), `{"name":"`+consumer+`"}`)
		w.make(http.MethodPost, at("api-keys"), `{"name":"`+consumer+`","consumer":"`+consumer+`","routes":[`+routes+`]}`)
	}
	w.make(http.MethodPost, at("consumers"), `{"name":"guest"}`)
	w.make(http.MethodPost, at("policies"), `{"name":"keys","kind":"api-key","config":{},"attached_to":[{"environment":true}]}`)
	told := func() (string, string) {
		answer := w.do(http.MethodGet, at("routes", "r", "access"), "").want(t, http.StatusOK).object(t)
		var who []string
		for _, c := range object(answer["consumers"].(map[string]any)).list("data") {
			who = append(who, c.text("name")+" "+c.text("verdict"))
		}
		return strings.Join(who, ", "), fmt.Sprint(answer["sentences"])
	}
	if who, _ := told(); who != "any admits, by-route admits, by-service admits" {
		t.Errorf("with keys: %s", who)
	}
	w.make(http.MethodPost, at("policies"), `{"name":"anybody","kind":"anonymous","config":{"consumer":"guest"},"attached_to":[{"environment":true}]}`)
	who, said := told()
	if who != "any admits, by-route admits, by-service admits, guest admits" || !strings.Contains(said, `Who shows no credential calls as "guest". [anybody]`) {
		t.Errorf("with guests: %s: %s", who, said)
	}
	w.make(http.MethodPost, at("policies"), `{"name":"passwords","kind":"basic","config":{},"attached_to":[{"environment":true}]}`)
	who, said = told()
	if who != "any admits, by-route admits, by-service admits, elsewhere depends, guest admits" || !strings.Contains(said, `A username and password are taken (HTTP Basic, realm "api"). [passwords]`) {
		t.Errorf("with passwords: %s: %s", who, said)
	}
}
