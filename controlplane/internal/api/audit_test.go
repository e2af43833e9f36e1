package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/jackc/pgx/v5"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
	"github.com/sallyport/sallyport/proto/problem"
)

// step is one successful write; {…} in path and body stands for what a step before it has made, by its label.
type step struct {
	operation, method, path, body string
	label, member                 string // what to remember of the answer
	environment                   bool   // the event is in the environment's chain
	second                        bool   // by another person than the first
	signedIn                      bool   // by one who has signed in
}

// writingSteps are a successful call of each operation that writes, in an order in which all succeed.
func writingSteps(t *testing.T) []step {
	t.Helper()
	leaf := certificatetest.NewAuthority(t).Issue(t, "api.test")
	quoted := func(text string) string { return strings.ReplaceAll(text, "\n", `\n`) }
	certificate := `"chain":"` + quoted(leaf.Chain) + `","private_key":"api-tls","hosts":["api.test"]}`
	description := `"document":"{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"shop\",\"version\":\"1\"},\"paths\":{}}"}`
	issuer := `"issuer":"https://login.test","audiences":["api"],"consumer":{"name_claim":"client_id"},` +
		`"jwks":"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"}`
	exclusion := `"route":"orders","rule":942100,"target":"argument:note","owner":"ann","expires_at":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`
	in := func(operation, method, path, body string) step {
		return step{operation: operation, method: method, path: at(path), body: body, environment: true}
	}
	global := func(operation, method, path, body string) step {
		return step{operation: operation, method: method, path: "/api/v1/" + path, body: body}
	}
	keep := func(s step, label, member string) step {
		s.label, s.member = label, member
		return s
	}
	second := func(s step) step {
		s.second = true
		return s
	}
	mine := func(operation, method, path, body string) step {
		return step{operation: operation, method: method, path: "/api/v1/" + path, body: body, signedIn: true}
	}
	const post, put, patch, remove = http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	return []step{
		{operation: "createEnvironment", method: post, path: "/api/v1/environments", body: `{"name":"staging"}`},
		keep(step{operation: "createAccessToken", method: post, path: "/api/v1/access-tokens", body: `{"name":"ci"}`}, "token", "token"),
		{operation: "deleteAccessToken", method: remove, path: "/api/v1/access-tokens/ci"},
		global("createUser", post, "users", `{"name":"ada"}`),
		global("putUser", put, "users/ada", `{"name":"ada","email":"ada@example.com"}`),
		global("patchUser", patch, "users/ada", `{"description":"the countess"}`),
		global("createRole", post, "roles", `{"name":"looker","permissions":["usage.read"]}`),
		global("putRole", put, "roles/looker", `{"name":"looker","permissions":["configuration.read"]}`),
		global("patchRole", patch, "roles/looker", `{"description":"looks"}`),
		global("createRoleBinding", post, "role-bindings", `{"name":"ada-looks","user":"ada","role":"looker"}`),
		global("putRoleBinding", put, "role-bindings/ada-looks", `{"name":"ada-looks","user":"ada","role":"viewer"}`),
		global("patchRoleBinding", patch, "role-bindings/ada-looks", `{"description":"for now"}`),
		global("deleteRoleBinding", remove, "role-bindings/ada-looks", ""),
		global("deleteRole", remove, "roles/looker", ""),
		global("deleteUser", remove, "users/ada", ""),
		in("createTeam", post, "teams", `{"name":"blue"}`),
		in("putTeam", put, "teams/blue", `{"name":"blue","description":"the blue ones"}`),
		in("patchTeam", patch, "teams/blue", `{"description":"the other ones"}`),
		in("deleteTeam", remove, "teams/blue", ""),
		in("createService", post, "services", ordersService),
		in("putService", put, "services/orders", ordersService),
		in("patchService", patch, "services/orders", `{"description":"orders"}`),
		in("createRoute", post, "routes", ordersRoute),
		in("putRoute", put, "routes/orders", ordersRoute),
		in("patchRoute", patch, "routes/orders", `{"description":"orders"}`),
		in("createPolicy", post, "policies", apiKeyPolicy),
		in("putPolicy", put, "policies/keys", apiKeyPolicy),
		in("patchPolicy", patch, "policies/keys", `{"description":"keys"}`),
		in("createGuardrail", post, "guardrails", `{"name":"described","applies_to":"routes","rule":"object.description != ''","message":"{name} has no description"}`),
		in("putGuardrail", put, "guardrails/described", `{"applies_to":"routes","rule":"object.description != ''","message":"describe {name}"}`),
		in("patchGuardrail", patch, "guardrails/described", `{"action":"warn"}`),
		in("deleteGuardrail", remove, "guardrails/described", ""),
		in("createWafExclusion", post, "waf-exclusions", `{"name":"note",`+exclusion),
		in("putWafExclusion", put, "waf-exclusions/note", `{"description":"a note",`+exclusion),
		in("patchWafExclusion", patch, "waf-exclusions/note", `{"mode":"enforce"}`),
		in("deleteWafExclusion", remove, "waf-exclusions/note", ""),
		in("createSecret", post, "secrets", `{"name":"api-tls","value":"`+quoted(leaf.Key)+`"}`),
		in("createCertificate", post, "certificates", `{"name":"api",`+certificate),
		in("putCertificate", put, "certificates/api", `{"description":"the API",`+certificate),
		in("patchCertificate", patch, "certificates/api", `{"description":"of the API"}`),
		in("deleteCertificate", remove, "certificates/api", ""),
		in("createIssuer", post, "issuers", `{"name":"login",`+issuer),
		in("putIssuer", put, "issuers/login", `{"description":"sign-in",`+issuer),
		in("patchIssuer", patch, "issuers/login", `{"description":"signs in"}`),
		in("refreshIssuerKeys", post, "issuers/login/refresh", ""),
		in("deleteIssuer", remove, "issuers/login", ""),
		in("createApiDescription", post, "api-descriptions", `{"name":"shop",`+description),
		in("putApiDescription", put, "api-descriptions/shop", `{"description":"the shop",`+description),
		in("patchApiDescription", patch, "api-descriptions/shop", `{"description":"of the shop"}`),
		in("deleteApiDescription", remove, "api-descriptions/shop", ""),
		in("putSettings", put, "settings", `{}`),
		in("patchSettings", patch, "settings", `{"removal_percent":50}`),
		in("rollbackRevision", post, "revisions/6/rollback", `{"message":"back"}`),
		in("createConsumer", post, "consumers", shopConsumer),
		in("putConsumer", put, "consumers/shop", shopConsumer),
		in("patchConsumer", patch, "consumers/shop", `{"description":"the shop"}`),
		keep(in("createApiKey", post, "api-keys", `{"name":"web","consumer":"shop"}`), "key", "key"),
		keep(in("rotateApiKey", post, "api-keys/web/rotate", `{"name":"web-2"}`), "rotated", "key"),
		in("patchApiKey", patch, "api-keys/web-2", `{"description":"web"}`),
		keep(in("putApiKey", put, "api-keys/web-3", `{"consumer":"shop"}`), "put", "key"),
		in("deleteApiKey", remove, "api-keys/web-2", ""),
		in("importApiKeys", post, "api-keys/import", `{"items":[{"name":"theirs","consumer":"shop","value":"`+theirKey+`"}]}`),
		in("reportLeakedApiKeys", post, "api-keys/leaked", `{"keys":["`+theirKey+`"],"source":"scanner"}`),
		in("revokeApiKeys", post, "api-keys/revoke", `{"consumer":"shop","prefix":"spk_"}`),
		keep(in("createPassword", post, "passwords", `{"name":"pw","consumer":"shop","username":"shop@example.com"}`), "password", "password"),
		in("putPassword", put, "passwords/pw", `{"consumer":"shop","username":"shop@example.com","password":"a-horse-of-the-battery"}`),
		in("patchPassword", patch, "passwords/pw", `{"password":"a-battery-of-the-horse"}`),
		in("deletePassword", remove, "passwords/pw", ""),
		in("createSecret", post, "secrets", `{"name":"s","value":"correct-horse-battery"}`),
		in("putSecret", put, "secrets/s", `{"value":"staple-of-the-battery"}`),
		in("patchSecret", patch, "secrets/s", `{"value":"another-horse-of-the-battery"}`),
		in("deleteSecret", remove, "secrets/s", ""),
		keep(in("createBlock", post, "blocks", `{"consumer":"shop","description":"late"}`), "block", "id"),
		in("patchBlock", patch, "blocks/{block}", `{"description":"very late"}`),
		in("putBlock", put, "blocks/{block}", `{"name":"late","consumer":"shop","description":"still late"}`),
		in("deleteBlock", remove, "blocks/{block}", ""),
		in("applyChanges", post, "changes", `{"message":"all of it","operations":[{"action":"create","collection":"consumers","body":{"name":"two"}}]}`),
		in("deleteConsumer", remove, "consumers/two", ""),
		in("createNodeGroup", post, "node-groups", `{"name":"eu"}`),
		in("patchNodeGroup", patch, "node-groups/eu", `{"description":"Europe"}`),
		keep(in("createJoinToken", post, "join-tokens", `{"name":"join","expires_at":"2099-01-01T00:00:00Z"}`), "join", "token"),
		in("deleteJoinToken", remove, "join-tokens/join", ""),
		in("patchNode", patch, "nodes/{node}", `{"labels":{"zone":"a"}}`),
		in("disableNode", post, "nodes/{node}/disable", ""),
		in("enableNode", post, "nodes/{node}/enable", ""),
		in("deleteNodeGroup", remove, "node-groups/eu", ""),
		keep(in("createProposal", post, "proposals", proposedConsumer), "proposal", "id"),
		in("refreshProposal", post, "proposals/{proposal}/refresh", ""),
		second(in("approveProposal", post, "proposals/{proposal}/approve", `{"round":2}`)),
		second(in("publishProposal", post, "proposals/{proposal}/publish", "")),
		keep(in("createProposal", post, "proposals", proposedConsumer), "proposal", "id"),
		second(in("rejectProposal", post, "proposals/{proposal}/reject", `{"comment":"no"}`)),
		keep(in("createProposal", post, "proposals", proposedConsumer), "proposal", "id"),
		in("withdrawProposal", post, "proposals/{proposal}/withdraw", ""),
		in("createWebhook", post, "webhooks", `{"name":"hook","url":"https://hooks.example.com/"}`),
		in("patchWebhook", patch, "webhooks/hook", `{"description":"for the pager"}`),
		in("rotateWebhookSecret", post, "webhooks/hook/rotate", ""),
		keep(in("testWebhook", post, "webhooks/hook/test", ""), "event", "number"),
		in("retryWebhookDelivery", post, "webhooks/hook/deliveries/{event}/retry", ""),
		in("deleteWebhook", remove, "webhooks/hook", ""),
		global("putSignInSettings", put, "sign-in/settings", `{"idle_timeout":"30m"}`),
		global("createSignInProvider", post, "sign-in-providers", corporateProvider),
		global("putSignInProvider", put, "sign-in-providers/corporate", corporateProvider),
		global("patchSignInProvider", patch, "sign-in-providers/corporate", `{"title":"Corporate"}`),
		global("deleteSignInProvider", remove, "sign-in-providers/corporate", ""),
		mine("changeMyPassword", post, "me/password", `{"old_password":"`+goodPassword+`","new_password":"`+goodPassword+`!"}`),
		keep(mine("enrolMySecondFactor", post, "me/second-factor", `{"password":"`+goodPassword+`!"}`), "app", "secret"),
		mine("confirmMySecondFactor", post, "me/second-factor/confirm", `{"code":"{code}"}`),
		mine("renewMyRecoveryCodes", post, "me/recovery-codes", `{"code":"{code}"}`),
		mine("removeMySecondFactor", post, "me/second-factor/remove", `{"code":"{code}"}`),
		keep(mine("enrolMySecondFactor", post, "me/second-factor", `{"password":"`+goodPassword+`!"}`), "app", "secret"),
		mine("confirmMySecondFactor", post, "me/second-factor/confirm", `{"code":"{code}"}`),
		mine("endMySession", remove, "me/sessions/{session}", ""),
		mine("signOut", post, "sign-out", ""),
		keep(global("inviteUser", post, "users/grace/invitation", ""), "invitation", "token"),
		global("endUserSessions", remove, "users/grace/sessions", ""),
		global("resetUserSecondFactor", remove, "users/grace/second-factor", ""),
		in("deletePolicy", remove, "policies/keys", ""),
		in("deleteRoute", remove, "routes/orders", ""),
		in("deleteService", remove, "services/orders", ""),
	}
}

// proposedConsumer is a proposal's body.
const proposedConsumer = `{"title":"Another shop","operations":[{"action":"put","collection":"consumers","key":"proposed","body":{}}]}`

func TestEachWriteMakesExactlyOneEventOfItsOperation(t *testing.T) {
	w := newWorld(t)
	second := w.alteredToken("second", "description = 'another person'")
	made := map[string]string{"node": w.enrol("edge-1", "")}
	grace := w.personWithPassword("grace")
	steps := writingSteps(t)
	theContract(t).operations(func(method, _ string, operation *openapi3.Operation) {
		writes := method != http.MethodGet && !slices.Contains([]string{"explain", "planRoutes", "suggestWafExclusions"}, operation.OperationID) && operation.Extensions["x-permission"] != string(access.Public)
		if writes && !slices.ContainsFunc(steps, func(s step) bool { return s.operation == operation.OperationID }) {
			t.Errorf("%s writes, and no step of this test shows its event", operation.OperationID)
		}
	})
	for _, s := range steps {
		switch {
		case s.operation == "endMySession": // another one, which is the last by then
			made["session"] = w.signIn("grace", goodPassword+"!", w.code(made["app"])).session
		case strings.Contains(s.body, "{code}"):
			made["code"] = w.code(made["app"])
		}
		path, body := s.path, s.body
		for label, value := range made {
			path, body = strings.ReplaceAll(path, "{"+label+"}", value), strings.ReplaceAll(body, "{"+label+"}", value)
		}
		chain := "/api/v1/audit-events"
		if s.environment {
			chain = at("audit-events")
		}
		before := w.events(chain)
		var options []option
		if s.second {
			options = append(options, as(second))
		}
		if s.signedIn {
			options = append(options, grace.page())
		}
		answer := w.do(s.method, path, body, options...)
		if s.signedIn {
			grace.keep(answer)
		}
		if answer.status >= http.StatusBadRequest {
			t.Fatalf("%s: %d %s", s.operation, answer.status, answer.body)
		}
		if s.label != "" {
			made[s.label] = fmt.Sprint(answer.object(t)[s.member])
		}
		events := w.events(chain)
		if len(events) != len(before)+1 {
			t.Fatalf("%s made %d events", s.operation, len(events)-len(before))
		}
		checkEvent(t, s, events[0], answer)
	}
	w.wantNoSecrets(made, "token", "key", "rotated", "put", "join", "app", "invitation")
}

func checkEvent(t *testing.T, s step, event object, answer answer) {
	t.Helper()
	if event.text("operation") != s.operation || event.text("outcome") != "done" || event.text("request_id") != answer.header.Get("X-Request-Id") {
		t.Errorf("%s: the event is %v", s.operation, event)
	}
	who := "bootstrap"
	switch {
	case s.second:
		who = "second"
	case s.signedIn:
		who = "grace"
	}
	if actor, _ := event["actor"].(map[string]any); actor["name"] != who || event.text("address") != "192.0.2.1" {
		t.Errorf("%s: it was %v at %q", s.operation, event["actor"], event.text("address"))
	}
	unchanged := s.operation == "putService" || s.operation == "putRoute" || s.operation == "putConsumer" || s.operation == "putSettings" || s.operation == "putPolicy"
	if n := len(event.list("changes")); n == 0 && !unchanged {
		t.Errorf("%s: the event has no change", s.operation)
	}
}

// events returns all events of a chain, the newest first.
func (w *world) events(path string, filters ...string) []object {
	w.t.Helper()
	var all []object
	for cursor := ""; ; {
		page := w.make(http.MethodGet, path+"?limit=500&"+strings.Join(append(filters, "cursor="+cursor), "&"), "")
		all = append(all, page.list("data")...)
		if cursor = page.text("next_cursor"); cursor == "" {
			return all
		}
	}
}

// wantNoSecrets looks for secrets in all that is stored of events.
func (w *world) wantNoSecrets(made map[string]string, labels ...string) {
	w.t.Helper()
	secrets := []string{"correct-horse-battery", "staple-of-the-battery", "another-horse-of-the-battery", "PRIVATE KEY", theirKey, w.token, goodPassword, "client-secret-of-ours"}
	for _, label := range labels {
		if made[label] == "" {
			w.t.Errorf("no secret %q was made", label)
		}
		secrets = append(secrets, made[label])
	}
	conn := w.connect()
	rows, err := conn.Query(w.t.Context(), "SELECT e.record, e::text FROM audit_events e")
	if err != nil {
		w.t.Fatal(err)
	}
	var record []byte
	var row string
	n := 0
	_, err = pgx.ForEachRow(rows, []any{&record, &row}, func() error {
		n++
		for _, secret := range secrets {
			if bytes.Contains(record, []byte(secret)) || strings.Contains(row, secret) {
				w.t.Errorf("an event holds the secret %q…", secret[:8])
			}
		}
		return nil
	})
	if err != nil || n < 40 {
		w.t.Fatalf("%d events, %v", n, err)
	}
}

func (w *world) connect() *pgx.Conn {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close(w.t.Context()) })
	return conn
}

func TestADryRunAndARefusedWriteMakeNoEvent(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	before := len(w.events(at("audit-events")))
	w.do(http.MethodPost, at("routes")+"?dry_run=true", ordersRoute).want(t, http.StatusOK)
	w.do(http.MethodPost, at("routes"), `{"name":"Bad Name"}`).want(t, http.StatusBadRequest)
	w.do(http.MethodPost, at("services"), ordersService).want(t, http.StatusConflict)
	if after := len(w.events(at("audit-events"))); after != before {
		t.Fatalf("%d events were made", after-before)
	}
}

func TestEachDeniedOperationIsOneEvent(t *testing.T) {
	w := newWorld(t)
	someone := w.grantee("someone", place{environment: "production"}, "policy-kinds.read")
	denied := map[string]bool{} // by request id: whether it is about the environment
	theContract(t).operations(func(method, path string, operation *openapi3.Operation) {
		switch operation.Extensions["x-permission"] {
		case string(access.Public), string(access.SignedIn), "policy-kinds.read":
			return
		}
		got := w.do(method, filled(path), "", as(someone)).want(t, http.StatusForbidden)
		denied[operation.OperationID+" "+got.header.Get("X-Request-Id")] = strings.Contains(path, "{environment}")
	})
	w.stop()
	for _, chain := range []string{"/api/v1/audit-events", at("audit-events")} {
		for _, e := range w.events(chain, "filter[outcome]=denied") {
			key := e.text("operation") + " " + e.text("request_id")
			inEnvironment, expected := denied[key]
			if !expected || inEnvironment != (chain != "/api/v1/audit-events") || e.text("code") != string(problem.Forbidden) {
				t.Errorf("in %s: %v", chain, e)
			}
			delete(denied, key)
		}
	}
	if len(denied) > 0 {
		t.Errorf("without an event: %v", denied)
	}
}

func TestBadTokensOfOneAddressAreToldTogether(t *testing.T) {
	w := newWorld(t)
	bad := w.token[:len(w.token)-3] + "000"
	for range 7 {
		w.do(http.MethodGet, at("routes"), "", as(bad)).want(t, http.StatusUnauthorized)
	}
	w.do(http.MethodGet, at("routes"), "", as("not-one-of-ours")).want(t, http.StatusUnauthorized)
	w.do(http.MethodGet, at("routes"), "", as("")).want(t, http.StatusUnauthorized)
	w.stop()
	attempts := 0.0
	events := w.make(http.MethodGet, "/api/v1/audit-events?filter[outcome]=denied&filter[code]=unauthenticated", "").list("data")
	for _, e := range events {
		n, _ := e["attempts"].(float64)
		attempts += n
	}
	if len(events) != 2 || attempts != 7 {
		t.Fatalf("%d events of %v attempts: %v", len(events), attempts, events)
	}
}

func TestEventsAreFoundByWhatTheyAreAbout(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	route := w.do(http.MethodPost, at("routes"), ordersRoute)
	id := route.object(t).text("id")
	w.make(http.MethodPost, at("consumers"), shopConsumer)
	for filter, want := range map[string][]string{
		"filter[collection]=routes":                                 {"createRoute"},
		"filter[object]=" + id:                                      {"createRoute"},
		"filter[collection]=services&filter[object]=orders":         {"createService"},
		"filter[operation]=createConsumer":                          {"createConsumer"},
		"filter[actor]=bootstrap":                                   {"createConsumer", "createRoute", "createService"},
		"filter[actor]=nobody":                                      {},
		"filter[address]=192.0.2.1&filter[collection]=consumers":    {"createConsumer"},
		"filter[request_id]=" + route.header.Get("X-Request-Id"):    {"createRoute"},
		"filter[outcome]=denied":                                    {},
		"to=2020-01-01T00:00:00Z":                                   {},
		"from=2020-01-01T00:00:00Z&filter[operation]=createService": {"createService"},
	} {
		got := []string{}
		for _, e := range w.make(http.MethodGet, at("audit-events")+"?"+filter, "").list("data") {
			got = append(got, e.text("operation"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", filter, got)
		}
	}
	first := w.make(http.MethodGet, at("audit-events")+"?limit=1", "")
	second := w.make(http.MethodGet, at("audit-events")+"?limit=1&cursor="+first.text("next_cursor"), "").list("data")[0]
	if second.text("operation") != "createRoute" {
		t.Errorf("the second page begins with %v", second)
	}
	one := w.make(http.MethodGet, at("audit-events", second.text("id")), "")
	if one.text("hash") != second.text("hash") || one.text("hash") == "" {
		t.Errorf("read alone it is %v", one)
	}
	w.do(http.MethodGet, "/api/v1/audit-events/"+second.text("id"), "").want(t, http.StatusNotFound) // it is in another chain
	w.do(http.MethodGet, at("audit-events")+"?filter[colour]=red", "").want(t, http.StatusBadRequest)
}

func TestAnExportIsEnoughToCheckTheChain(t *testing.T) {
	w := newWorld(t)
	for i := range 250 { // more than is read at once
		w.make(http.MethodPost, at("consumers"), fmt.Sprintf(`{"name":"c-%d"}`, i))
	}
	answer := w.do(http.MethodGet, at("audit-events", "export"), "").want(t, http.StatusOK)
	lines := strings.Split(strings.TrimSuffix(string(answer.body), "\n"), "\n")
	previous := make([]byte, sha256.Size)
	for i, line := range lines[:len(lines)-1] {
		var e object
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(slices.Concat([]byte("sallyport audit v1\x00"), previous, unbase64(t, e.text("record"))))
		if !bytes.Equal(unbase64(t, e.text("previous_hash")), previous) || !bytes.Equal(unbase64(t, e.text("hash")), sum[:]) {
			t.Fatalf("line %d isn't behind the one before", i)
		}
		previous = sum[:]
	}
	if want := `{"exported":250,"last":250}`; lines[len(lines)-1] != want {
		t.Errorf("the last line is %s, want %s", lines[len(lines)-1], want)
	}
	rest := w.do(http.MethodGet, at("audit-events", "export")+"?after=249", "").want(t, http.StatusOK)
	if n := strings.Count(string(rest.body), "\n"); n != 2 {
		t.Errorf("behind 249 there are %d lines", n)
	}
}

func unbase64(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestTheStatusSaysWhereTheChainEnds(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("consumers"), shopConsumer)
	status := w.make(http.MethodGet, at("audit-events", "status"), "")
	if status["intact"] != true || status["number"] != 1.0 && status["number"] != "1" {
		t.Errorf("it is %v", status)
	}
	if global := w.make(http.MethodGet, "/api/v1/audit-events/status", ""); global["intact"] != true {
		t.Errorf("it is %v", global)
	}
}

func TestWhatNobodyAskedForThroughTheAPIIsRecordedToo(t *testing.T) {
	w := newWorld(t)
	node := w.enrol("edge-1", "")
	enrolled := w.events(at("audit-events"), "filter[operation]=enrollNode")
	if len(enrolled) != 1 || enrolled[0]["actor"].(map[string]any)["id"] != node || enrolled[0]["actor"].(map[string]any)["role"] != "node" {
		t.Errorf("of the enrolment there is %v", enrolled)
	}
	global := w.events("/api/v1/audit-events")
	operations := []string{}
	for _, e := range slices.Backward(global) {
		operations = append(operations, e.text("operation"))
		if actor := e["actor"].(map[string]any); actor["id"] != "system" {
			t.Errorf("%s was done by %v", e.text("operation"), actor)
		}
	}
	if !slices.Equal(operations, []string{"bootstrap", "createEnvironment"}) {
		t.Errorf("the global chain has %v", operations)
	}
}

// Nobody hides what they aren't allowed behind another mistake, and who tries to be their own second pair of eyes is told of.
func TestWhatIsDeniedAmongOtherMistakesIsAnEventToo(t *testing.T) {
	w := newTeamWorld(t)
	mixed := `{"operations":[{"action":"create","collection":"policies","body":{"name":"p","kind":"rate-limit","attached_to":[{"environment":true}],
		"config":{"by":[{"address":true}],"windows":[{"requests":3,"window":"1m"}]}}},{"action":"delete","collection":"services","key":"nothing"}]}`
	want := map[string]string{
		w.do(http.MethodPost, at("changes"), mixed, w.a).want(t, http.StatusBadRequest).header.Get("X-Request-Id"): string(problem.InvalidRequest),
	}
	own := at("proposals", w.make(http.MethodPost, at("proposals"), ordersProposal).text("id"))
	want[w.do(http.MethodPost, own+"/approve", `{"round":1}`).want(t, http.StatusForbidden).header.Get("X-Request-Id")] = string(problem.ProposalOwn)
	w.stop()
	for _, e := range w.events(at("audit-events"), "filter[outcome]=denied") {
		if code, expected := want[e.text("request_id")]; !expected || e.text("code") != code {
			t.Errorf("got %v", e)
		}
		delete(want, e.text("request_id"))
	}
	if len(want) > 0 {
		t.Errorf("without an event: %v", want)
	}
}

// What can't be recorded isn't done, and its idempotency key can be used again.
func TestAWriteThatCannotBeRecordedIsNotDone(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	proposal := at("proposals", w.make(http.MethodPost, at("proposals"), `{"title":"t","operations":[{"action":"create","collection":"consumers","body":{"name":"later"}}]}`).text("id"))
	conn := w.connect()
	if _, err := conn.Exec(t.Context(), "ALTER TABLE audit_events ADD CONSTRAINT nothing CHECK (false) NOT VALID"); err != nil {
		t.Fatal(err)
	}
	writes := []struct{ method, path, body, read string }{
		{http.MethodPost, at("routes"), ordersRoute, at("routes", "orders")},
		{http.MethodPost, at("consumers"), shopConsumer, at("consumers", "shop")},
		{http.MethodPost, at("teams"), `{"name":"web"}`, at("teams", "web")},
		{http.MethodPost, "/api/v1/users", `{"name":"ada"}`, "/api/v1/users/ada"},
		{http.MethodPost, "/api/v1/roles", `{"name":"weak","permissions":["usage.read"]}`, "/api/v1/roles/weak"},
		{http.MethodPost, "/api/v1/access-tokens", `{"name":"ci","role":"viewer"}`, "/api/v1/access-tokens/ci"},
		{http.MethodPost, "/api/v1/environments", `{"name":"staging"}`, "/api/v1/environments/staging"},
		{http.MethodPost, at("join-tokens"), `{"name":"join","expires_at":"2099-01-01T00:00:00Z"}`, at("join-tokens", "join")},
		{http.MethodPost, at("node-groups"), `{"name":"north"}`, at("node-groups", "north")},
	}
	for _, write := range writes {
		w.do(write.method, write.path, write.body, under("k")).want(t, http.StatusInternalServerError)
		w.do(http.MethodGet, write.read, "").want(t, http.StatusNotFound)
	}
	w.do(http.MethodPost, proposal+"/withdraw", "").want(t, http.StatusInternalServerError)
	if state := w.make(http.MethodGet, proposal, "").text("state"); state != "open" {
		t.Errorf("the proposal is %s", state)
	}
	if _, err := conn.Exec(t.Context(), "ALTER TABLE audit_events DROP CONSTRAINT nothing"); err != nil {
		t.Fatal(err)
	}
	for _, write := range writes {
		w.make(write.method, write.path, write.body, under("k"))
		w.do(http.MethodGet, write.read, "").want(t, http.StatusOK)
	}
}
