package publish_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/password"
	"github.com/sallyport/sallyport/proto/problem"
)

// passwords are those that a node would be sent, by username.
func (r *replica) passwords() map[string]*directoryv1.Password {
	r.t.Helper()
	all := map[string]*directoryv1.Password{}
	_, err := r.db.Lanes(r.vault).DirectoryEntries(r.t.Context(), r.env, func(c *edgev1.EntryChange) error {
		var e directoryv1.Entry
		if err := proto.Unmarshal(c.GetEntry(), &e); err != nil {
			return err
		}
		if p := e.GetPassword(); p != nil {
			all[p.GetUsername()] = p
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// takes tells whether a node would take a username and password.
func (r *replica) takes(username, text string) bool {
	r.t.Helper()
	p := r.passwords()[username]
	if p == nil {
		return false
	}
	of, err := password.Of(p.GetDigest())
	if err != nil {
		r.t.Fatal(err)
	}
	return of.Fits(text)
}

func shownPassword(r publish.Result) *adminv1.Password {
	return r.Outcomes[0].Object.(*adminv1.Password)
}

func TestAPasswordIsKeptAsADigestAlone(t *testing.T) {
	r := start(t)
	r.must(create(directory.Consumers, `{"name":"shop"}`))
	made := r.must(create(directory.Passwords, `{"consumer":"shop","username":"shop@example.com","password":"correct horse","scopes":["read"]}`))
	if m := shownPassword(made); m.GetPassword() != "" || !strings.HasPrefix(m.GetName(), "password-") || !m.GetPasswordSetAt().IsValid() {
		t.Fatalf("answered %v", m)
	}
	if !r.takes("shop@example.com", "correct horse") || r.takes("shop@example.com", "another") {
		t.Error("the node compares with something else")
	}
	if p := r.passwords()["shop@example.com"]; p.GetDigest().GetMemoryKib() != 19456 || len(p.GetScopes()) != 1 {
		t.Errorf("the node has %v", p)
	}
	for _, table := range []string{"directory_entries", "passwords", "audit_events"} {
		var all []byte
		if err := r.db.Pool().QueryRow(t.Context(), "SELECT string_agg(t::text, ' ')::bytea FROM "+table+" t").Scan(&all); err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 || bytes.Contains(all, []byte("correct horse")) || bytes.Contains(all, fmt.Appendf(nil, "%x", "correct horse")) {
			t.Errorf("%s is empty, or has the password", table)
		}
	}
}

func TestAPasswordThatTheServerMakesIsShownOnce(t *testing.T) {
	r := start(t)
	r.must(create(directory.Consumers, `{"name":"shop"}`))
	made := shownPassword(r.must(create(directory.Passwords, `{"name":"p","consumer":"shop","username":"shop"}`)))
	if len(made.GetPassword()) < 20 || !r.takes("shop", made.GetPassword()) {
		t.Fatal("the password that was shown isn't taken")
	}
	found, err := r.directory.Get(t.Context(), r.env, directory.Passwords, "p")
	if err != nil || found.Message.(*adminv1.Password).GetPassword() != "" {
		t.Errorf("read again: %v, %v", found.Message, err)
	}
	plan, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, DryRun: true, Operations: []publish.Operation{create(directory.Passwords, `{"consumer":"shop","username":"other"}`)}})
	if err != nil || shownPassword(plan).GetPassword() != "" {
		t.Errorf("a dry run shows a password: %v", err)
	}
}

func TestANewPasswordEndsTheOneBeforeAndIsProven(t *testing.T) {
	r := start(t)
	r.must(create(directory.Consumers, `{"name":"shop"}`))
	before := r.must(create(directory.Passwords, `{"name":"p","consumer":"shop","username":"shop","password":"first one"}`))
	patched := r.must(publish.Operation{Verb: publish.Patch, Collection: directory.Passwords, Key: "p", Body: []byte(`{"scopes":["read"]}`)})
	if !r.takes("shop", "first one") {
		t.Fatal("a change of scopes changes the password")
	}
	after := r.must(publish.Operation{Verb: publish.Patch, Collection: directory.Passwords, Key: "p", Body: []byte(`{"password":"second one"}`)})
	if r.takes("shop", "first one") || !r.takes("shop", "second one") || after.Outcomes[0].ETag == patched.Outcomes[0].ETag || before.Outcomes[0].ETag == patched.Outcomes[0].ETag {
		t.Error("the first one is still taken, or the second isn't, or the tag stays")
	}
	if got := strings.Join(after.Changes[0].Fields, " "); got != "/password_set_at /password" {
		t.Errorf("the change is said to be of %s", got)
	}
	cause := func() (cause string) {
		if err := r.db.Pool().QueryRow(t.Context(), "SELECT cause FROM denials WHERE collection = 'passwords' ORDER BY sequence DESC LIMIT 1").Scan(&cause); err != nil {
			t.Fatal(err)
		}
		return cause
	}
	if got := cause(); got != "rotated" {
		t.Errorf("denied as %s", got)
	}
	r.must(publish.Operation{Verb: publish.Patch, Collection: directory.Passwords, Key: "p", Body: []byte(`{"expires_at":"2026-01-01T00:00:00Z"}`)})
	if got := cause(); got != "expiry" {
		t.Errorf("denied as %s", got)
	}
	r.must(publish.Operation{Verb: publish.Delete, Collection: directory.Passwords, Key: "p"})
	if got := cause(); got != "deleted" || len(r.passwords()) != 0 {
		t.Errorf("denied as %s, %d passwords left", got, len(r.passwords()))
	}
	r.must(create(directory.Passwords, `{"name":"p","consumer":"shop","username":"shop","password":"third one"}`))
	if !r.takes("shop", "third one") {
		t.Error("a username that is free again can't be taken")
	}
}

func TestWhatIsWrongWithAPasswordIsSaid(t *testing.T) {
	r := start(t)
	r.must(create(directory.Consumers, `{"name":"shop"}`))
	r.must(create(directory.Consumers, `{"name":"other"}`))
	r.must(create(directory.Passwords, `{"name":"p","consumer":"shop","username":"taken","password":"password"}`))
	for name, test := range map[string]struct {
		ops     []publish.Operation
		pointer string
		code    problem.Code
	}{
		"short":             {[]publish.Operation{create(directory.Passwords, `{"consumer":"shop","username":"a","password":"1234567"}`)}, "/password", problem.InvalidRequest},
		"long":              {[]publish.Operation{create(directory.Passwords, `{"consumer":"shop","username":"a","password":"`+strings.Repeat("x", 513)+`"}`)}, "/password", problem.InvalidRequest},
		"control":           {[]publish.Operation{create(directory.Passwords, `{"consumer":"shop","username":"a","password":"1234567\u0007"}`)}, "/password", problem.InvalidRequest},
		"colon":             {[]publish.Operation{create(directory.Passwords, `{"consumer":"shop","username":"a:b","password":"password"}`)}, "/username", problem.InvalidRequest},
		"no username":       {[]publish.Operation{create(directory.Passwords, `{"consumer":"shop","password":"password"}`)}, "/username", problem.InvalidRequest},
		"no consumer":       {[]publish.Operation{create(directory.Passwords, `{"consumer":"nobody","username":"a","password":"password"}`)}, "/consumer", problem.InvalidRequest},
		"taken":             {[]publish.Operation{create(directory.Passwords, `{"consumer":"other","username":"taken","password":"password"}`)}, "/username", problem.NameTaken},
		"another username":  {[]publish.Operation{put(directory.Passwords, "p", `{"consumer":"shop","username":"new"}`)}, "/username", problem.InvalidRequest},
		"another consumer":  {[]publish.Operation{put(directory.Passwords, "p", `{"consumer":"other","username":"taken"}`)}, "/consumer", problem.InvalidRequest},
		"two of one batch":  {[]publish.Operation{create(directory.Passwords, `{"consumer":"shop","username":"b"}`), create(directory.Passwords, `{"consumer":"shop","username":"b"}`)}, "/username", problem.NameTaken},
		"no password's set": {[]publish.Operation{create(directory.Passwords, `{"consumer":"shop","username":"c","password_set_at":"2026-01-01T00:00:00Z"}`)}, "/password_set_at", problem.InvalidRequest},
	} {
		refused := r.refused(test.ops...)
		if refused.Code != test.code || len(refused.Errors) == 0 || !strings.HasSuffix(refused.Errors[0].Pointer, test.pointer) {
			t.Errorf("%s: %s %v", name, refused.Code, refused.Errors)
		}
		if strings.Contains(fmt.Sprintf("%+v", refused), "1234567") {
			t.Errorf("%s: the refusal has the password", name)
		}
	}
	if refused := r.refused(publish.Operation{Verb: publish.Delete, Collection: directory.Consumers, Key: "shop"}); refused.Code != problem.Referenced {
		t.Errorf("a consumer with a password is deleted: %v", refused)
	}
	many := make([]publish.Operation, 101)
	for i := range many {
		many[i] = create(directory.Passwords, fmt.Sprintf(`{"consumer":"shop","username":"u%d"}`, i))
	}
	if refused := r.refused(many...); refused.Code != problem.TooLarge {
		t.Errorf("101 passwords at once: %v", refused)
	}
}

func TestOfTwoThatClaimAUsernameAtOnceOneHasIt(t *testing.T) {
	r := start(t)
	other := r.another()
	r.must(create(directory.Consumers, `{"name":"shop"}`))
	var all sync.WaitGroup
	results := make([]error, 6)
	for i := range results {
		by := r
		if i%2 == 1 {
			by = other
		}
		all.Go(func() {
			_, results[i] = by.apply(create(directory.Passwords, `{"consumer":"shop","username":"one","password":"password"}`))
		})
	}
	all.Wait()
	made := 0
	for _, err := range results {
		if err == nil {
			made++
			continue
		}
		if p := asProblem(t, err); p.Code != problem.NameTaken && p.Code != problem.Conflict {
			t.Errorf("refused with %v", p)
		}
	}
	if made != 1 || len(r.passwords()) != 1 {
		t.Errorf("%d have it", made)
	}
}

func TestALostRootKeyLeavesPasswordsToBeSetAnew(t *testing.T) {
	r := start(t)
	r.must(create(directory.Consumers, `{"name":"shop"}`))
	r.must(create(directory.Passwords, `{"name":"p","consumer":"shop","username":"shop","password":"first one"}`))
	if err := r.publisher.ForgetSealed(t.Context(), r.env); err != nil {
		t.Fatal(err)
	}
	if len(r.passwords()) != 0 {
		t.Fatal("what can't be opened is sent")
	}
	if refused := r.refused(publish.Operation{Verb: publish.Patch, Collection: directory.Passwords, Key: "p", Body: []byte(`{"description":"x"}`)}); !strings.HasSuffix(refused.Errors[0].Pointer, "/password") {
		t.Errorf("%v", refused.Errors)
	}
	r.must(publish.Operation{Verb: publish.Patch, Collection: directory.Passwords, Key: "p", Body: []byte(`{"password":"second one"}`)})
	if !r.takes("shop", "second one") {
		t.Error("a new password isn't taken")
	}
}
