package proposals_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/controlplane/internal/audit"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/controlplane/internal/proposals"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestAProposalIsPublishedBySomebodyElseThanItsAuthorOnceSomebodyElseApproved(t *testing.T) {
	w := newWorld(t)
	p := w.file(step(t, "create", "services", "", service("orders")))
	if p.GetState() != "open" || p.GetRound() != 1 || len(p.GetPlan().GetChanges()) != 1 || !p.GetPlan().GetDryRun() {
		t.Fatalf("filed: %v", p)
	}
	if w.there("services", "orders") {
		t.Fatal("filing it wrote")
	}
	refused(t, problem.ProposalNotApproved, w.publish(p, grace))
	_, err := w.proposals.Approve(t.Context(), w.env, p.GetId(), ada, &adminv1.ApprovalRequest{Round: 1})
	refused(t, problem.ProposalOwn, err)
	if got := w.approve(p, grace); got.GetState() != "approved" || got.GetReviews()[0].GetReviewer() != "Grace" {
		t.Fatalf("approved: %v", got)
	}
	refused(t, problem.ProposalOwn, w.publish(p, ada))
	if w.there("services", "orders") {
		t.Fatal("a refused publication wrote")
	}
	published, result, err := w.proposals.Publish(t.Context(), w.env, p.GetId(), grace)
	if err != nil {
		t.Fatal(err)
	}
	if !w.there("services", "orders") || result.Revision != 1 || published.GetState() != "published" || published.GetRevision() != 1 || published.GetClosedBy() != "Grace" {
		t.Errorf("published: %v, revision %d", published, result.Revision)
	}
	revision, err := w.catalog.Revision(t.Context(), w.env, 1)
	if err != nil || revision.GetAuthor() != "Ada" || revision.GetMessage() != "a change" {
		t.Errorf("the revision is %v, %v: want its author's name and the title", revision, err)
	}
	refused(t, problem.Conflict, w.publish(p, linus))
	if again := w.get(p); again.GetState() != "published" || again.GetClosedById() != grace.ID || again.GetNow() != nil {
		t.Errorf("read again: %v", again)
	}
}

func TestWhoIsNobodyInParticularNeitherApprovesNorPublishes(t *testing.T) {
	w := newWorld(t)
	p := w.file(step(t, "create", "services", "", service("orders")))
	_, err := w.proposals.Approve(t.Context(), w.env, p.GetId(), access.Actor{Name: "nobody"}, &adminv1.ApprovalRequest{Round: 1})
	refused(t, problem.ProposalOwn, err)
	w.approve(p, grace)
	refused(t, problem.ProposalOwn, w.publish(p, access.Actor{Name: "nobody"}))
}

func TestAProposalIsStaleOnceSomethingThatItTouchesOrRefersToMovedOn(t *testing.T) {
	for name, tt := range map[string]struct {
		step  *adminv1.Operation
		moves func(*world)
		moved string
	}{
		"the object that it changes": {
			step(t, "patch", "services", "orders", map[string]any{"description": "new"}),
			func(w *world) { w.write(publish.Patch, "services", "orders", `{"description":"other"}`) }, "/services/orders",
		},
		"the object that it deletes": {
			step(t, "delete", "services", "orders", nil),
			func(w *world) { w.write(publish.Patch, "services", "orders", `{"description":"other"}`) }, "/services/orders",
		},
		"the service that its route leads to": {
			step(t, "create", "routes", "", map[string]any{"name": "r", "service": "orders", "public": true, "paths": []any{map[string]any{"prefix": "/"}}}),
			func(w *world) { w.write(publish.Patch, "services", "orders", `{"description":"other"}`) }, "/services/orders",
		},
		"a name that was free": {
			step(t, "put", "services", "fresh", service("fresh")),
			func(w *world) {
				w.write(publish.Create, "services", "", strings.Replace(serviceJSON, "orders", "fresh", 1))
			}, "/services/fresh",
		},
		"a consumer": {
			step(t, "patch", "consumers", "shop", map[string]any{"suspended": true}),
			func(w *world) { w.write(publish.Patch, "consumers", "shop", `{"description":"other"}`) }, "/consumers/shop",
		},
		"a consumer whose name was free": {
			step(t, "put", "consumers", "fresh", map[string]any{"name": "fresh"}),
			func(w *world) { w.write(publish.Create, "consumers", "", `{"name":"fresh"}`) }, "/consumers/fresh",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.write(publish.Create, "services", "", serviceJSON)
			w.write(publish.Create, "consumers", "", `{"name":"shop"}`)
			p := w.file(tt.step)
			w.approve(p, grace)
			w.write(publish.Create, "services", "", strings.Replace(serviceJSON, "orders", "unrelated", 1))
			if seen := w.get(p); seen.GetState() != "approved" || len(seen.GetNow().GetMoved()) > 0 || seen.GetNow().GetPlan() == nil {
				t.Fatalf("before it moved: %v", seen)
			}
			tt.moves(w)
			seen := w.get(p)
			if seen.GetState() != "stale" || len(seen.GetNow().GetMoved()) != 1 {
				t.Fatalf("once it moved: %s, %v", seen.GetState(), seen.GetNow())
			}
			before := w.head()
			stale := refusal(t, problem.ProposalStale, w.publish(p, grace))
			if len(stale.Errors) != 1 || stale.Errors[0].Pointer != tt.moved {
				t.Errorf("it names %v, want %s", stale.Errors, tt.moved)
			}
			if after := w.head(); after != before {
				t.Errorf("the refused publication moved the environment from %s to %s", before, after)
			}
			refused(t, problem.ProposalStale, w.publish(p, grace)) // and is remembered
		})
	}
}

func (w *world) head() string {
	w.t.Helper()
	env, err := w.db.Environment(w.t.Context(), w.env)
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("revision %d, sequence %d", env.GetRevision(), env.GetSequence())
}

func TestAStaleProposalIsRefreshedByItsAuthorWhichVoidsApprovals(t *testing.T) {
	w := newWorld(t)
	w.write(publish.Create, "services", "", serviceJSON)
	p := w.file(step(t, "patch", "services", "orders", map[string]any{"description": "new"}))
	w.approve(p, grace)
	w.write(publish.Patch, "services", "orders", `{"labels":{"tier":"1"}}`)
	_, err := w.proposals.Approve(t.Context(), w.env, p.GetId(), linus, &adminv1.ApprovalRequest{Round: 1})
	refused(t, problem.ProposalStale, err)
	_, err = w.proposals.Refresh(t.Context(), w.env, p.GetId(), grace)
	refused(t, problem.Forbidden, err)
	fresh, err := w.proposals.Refresh(t.Context(), w.env, p.GetId(), ada)
	if err != nil || fresh.GetState() != "open" || fresh.GetRound() != 2 || fresh.GetBaseRevision() != 2 {
		t.Fatalf("refreshed: %v, %v", fresh, err)
	}
	refused(t, problem.ProposalNotApproved, w.publish(p, grace))
	_, err = w.proposals.Approve(t.Context(), w.env, p.GetId(), grace, &adminv1.ApprovalRequest{Round: 1})
	refused(t, problem.Conflict, err) // what was refreshed isn't approved unseen
	w.approve(fresh, grace)
	if err := w.publish(p, linus); err != nil {
		t.Fatal(err)
	}
}

func TestARollbackIsProposedAndGoesStaleWithAnyRevision(t *testing.T) {
	w := newWorld(t)
	w.write(publish.Create, "services", "", serviceJSON)
	zero := uint64(0)
	p := w.fileRequest(&adminv1.ProposalRequest{Title: "back", RollbackTo: &zero})
	w.approve(p, grace)
	w.write(publish.Create, "services", "", strings.Replace(serviceJSON, "orders", "later", 1))
	refused(t, problem.ProposalStale, w.publish(p, grace))
	fresh, err := w.proposals.Refresh(t.Context(), w.env, p.GetId(), ada)
	if err != nil {
		t.Fatal(err)
	}
	w.approve(fresh, grace)
	if err := w.publish(p, grace); err != nil {
		t.Fatal(err)
	}
	if w.there("services", "orders") || w.there("services", "later") {
		t.Error("it isn't rolled back")
	}
}

func TestWhatIsRefusedAsAPlanIsRefusedAsAProposal(t *testing.T) {
	w := newWorld(t)
	w.write(publish.Create, "consumers", "", `{"name":"shop"}`)
	for name, tt := range map[string]struct {
		wanted *adminv1.ProposalRequest
		code   problem.Code
	}{
		"what isn't there":      {&adminv1.ProposalRequest{Operations: []*adminv1.Operation{step(t, "delete", "services", "nothing", nil)}}, problem.NotFound},
		"a revision to come":    {&adminv1.ProposalRequest{RollbackTo: new(uint64(7))}, problem.NotFound},
		"nothing":               {&adminv1.ProposalRequest{}, problem.InvalidRequest},
		"steps and a rollback":  {&adminv1.ProposalRequest{RollbackTo: new(uint64), Operations: []*adminv1.Operation{step(t, "delete", "consumers", "shop", nil)}}, problem.InvalidRequest},
		"a key, created":        {&adminv1.ProposalRequest{Operations: []*adminv1.Operation{step(t, "create", "api-keys", "", map[string]any{"consumer": "shop"})}}, problem.InvalidRequest},
		"a key, put by a name":  {&adminv1.ProposalRequest{Operations: []*adminv1.Operation{step(t, "put", "api-keys", "k", map[string]any{"consumer": "shop"})}}, problem.InvalidRequest},
		"a body that is broken": {&adminv1.ProposalRequest{Operations: []*adminv1.Operation{step(t, "create", "services", "", map[string]any{"unknown": "x"})}}, problem.InvalidRequest},
	} {
		_, err := w.proposals.File(t.Context(), w.env, ada, tt.wanted, false)
		if problem.CodeOf(err) != tt.code {
			t.Errorf("%s: got %v, want %s", name, err, tt.code)
		}
	}
	if page, err := w.proposals.List(t.Context(), w.env, listing.Query{}); err != nil || len(page.Items) != 0 {
		t.Errorf("kept: %v, %v", page.Items, err)
	}
}

func TestAnEnvironmentThatDemandsFourEyesTakesNoDirectWriteOfConfiguration(t *testing.T) {
	w := newWorld(t)
	w.demand()
	refused(t, problem.ProposalRequired, w.try(publish.Create, "services", "", serviceJSON))
	refused(t, problem.ProposalRequired, w.try(publish.Patch, "settings", "settings", `{"four_eyes":false}`))
	_, err := w.publisher.Rollback(t.Context(), publish.Batch{Environment: w.env, Author: ada, RollbackTo: 0})
	refused(t, problem.ProposalRequired, err)
	_, err = w.publisher.Apply(t.Context(), publish.Batch{Environment: w.env, Author: ada, Force: true, Operations: []publish.Operation{
		{Verb: publish.Create, Collection: "consumers", Body: []byte(`{"name":"mixed"}`)}, {Verb: publish.Create, Collection: "services", Body: []byte(serviceJSON)},
	}})
	refused(t, problem.ProposalRequired, err) // force alone doesn't let it pass
	w.write(publish.Create, "consumers", "", `{"name":"shop"}`)
	w.write(publish.Create, "blocks", "", `{"name":"b","consumer":"shop"}`)

	plan, err := w.publisher.Apply(t.Context(), publish.Batch{Environment: w.env, Author: ada, DryRun: true, Operations: []publish.Operation{
		{Verb: publish.Create, Collection: "services", Body: []byte(serviceJSON)},
	}})
	if err != nil || !strings.Contains(strings.Join(plan.Warnings, " "), "four eyes") {
		t.Errorf("planned: %v, %v", plan.Warnings, err)
	}
	made, err := w.publisher.Apply(t.Context(), publish.Batch{Environment: w.env, Author: ada, Force: true, Override: true, Operations: []publish.Operation{
		{Verb: publish.Create, Collection: "services", Body: []byte(serviceJSON)},
	}})
	if err != nil || !strings.Contains(strings.Join(made.Warnings, " "), "without a proposal") {
		t.Errorf("overridden: %v, %v", made.Warnings, err)
	}
	p := w.file(step(t, "patch", "settings", "settings", map[string]any{"four_eyes": false}))
	w.approve(p, grace)
	if err := w.publish(p, grace); err != nil {
		t.Fatal(err)
	}
	w.write(publish.Delete, "services", "orders", "")
}

func TestOfTwoReplicasThatPublishTheSameOneDoes(t *testing.T) {
	w := newWorld(t)
	other := w.replica()
	for i := range 5 {
		p := w.file(step(t, "create", "services", "", service(fmt.Sprintf("s%d", i))))
		w.approve(p, grace)
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for j, replica := range []*world{w, other} {
			wg.Go(func() { errs[j] = replica.publish(p, []access.Actor{grace, linus}[j]) })
		}
		wg.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Fatalf("%v, %v: want one", errs[0], errs[1])
		}
		for _, err := range errs {
			if err != nil {
				refused(t, problem.Conflict, err)
			}
		}
		if now := w.get(p); now.GetRevision() != uint64(i+1) {
			t.Fatalf("it says revision %d, want %d", now.GetRevision(), i+1)
		}
	}
}

func TestAnApprovalThatCrossesARefreshIsRefused(t *testing.T) {
	w := newWorld(t)
	p := w.file(step(t, "create", "services", "", service("orders")))
	record, err := w.db.Proposals().Get(t.Context(), w.env, p.GetId())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.proposals.Refresh(t.Context(), w.env, p.GetId(), ada); err != nil {
		t.Fatal(err)
	}
	record.State = proposals.Approved
	refused(t, problem.Conflict, w.db.Proposals().Update(t.Context(), record))
}

func TestAProposalIsRejectedByOthersAndWithdrawnByItsAuthor(t *testing.T) {
	w := newWorld(t)
	p := w.file(step(t, "create", "services", "", service("orders")))
	_, err := w.proposals.Reject(t.Context(), w.env, p.GetId(), ada, &adminv1.RejectionRequest{Comment: "no"})
	refused(t, problem.ProposalOwn, err)
	_, err = w.proposals.Withdraw(t.Context(), w.env, p.GetId(), grace)
	refused(t, problem.Forbidden, err)
	gone, err := w.proposals.Reject(t.Context(), w.env, p.GetId(), grace, &adminv1.RejectionRequest{Comment: "too wide"})
	if err != nil || gone.GetState() != "rejected" || gone.GetReviews()[0].GetComment() != "too wide" {
		t.Fatalf("rejected: %v, %v", gone, err)
	}
	_, err = w.proposals.Approve(t.Context(), w.env, p.GetId(), grace, &adminv1.ApprovalRequest{Round: 1})
	refused(t, problem.Conflict, err)
	second := w.file(step(t, "create", "services", "", service("orders")))
	if gone, err = w.proposals.Withdraw(t.Context(), w.env, second.GetId(), ada); err != nil || gone.GetState() != "withdrawn" {
		t.Fatalf("withdrawn: %v, %v", gone, err)
	}
	refused(t, problem.Conflict, w.publish(second, grace))
	page, err := w.proposals.List(t.Context(), w.env, listing.Query{Filter: map[string]string{"state": "rejected"}})
	if err != nil || len(page.Items) != 1 || page.Items[0].GetId() != p.GetId() || page.Items[0].GetPlan() != nil {
		t.Errorf("listed: %v, %v", page.Items, err)
	}
}

func TestASecretInAProposalIsNeitherShownNorKeptInPlainAndForgottenWhenItCloses(t *testing.T) {
	const value = "correct-horse-battery"
	w := newWorld(t)
	p := w.file(step(t, "create", "secrets", "", map[string]any{"name": "s", "value": value}))
	if p.GetOperations()[0].GetBody().GetFields()["name"].GetStringValue() != "s" || strings.Contains(p.String(), value) || strings.Contains(w.get(p).String(), value) {
		t.Errorf("shown: %v", p)
	}
	record, err := w.db.Proposals().Get(t.Context(), w.env, p.GetId())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]byte{record.Summary, record.Details, record.Sealed} {
		if bytes.Contains(part, []byte(value)) {
			t.Error("the value lies in plain")
		}
	}
	w.approve(p, grace)
	if err := w.publish(p, grace); err != nil {
		t.Fatal(err)
	}
	if record, err = w.db.Proposals().Get(t.Context(), w.env, p.GetId()); err != nil || record.Sealed != nil {
		t.Errorf("it is kept after it was published: %v", err)
	}
}

func TestAProposalEndsByItself(t *testing.T) {
	w := newWorld(t)
	p := w.file(step(t, "create", "services", "", service("orders")))
	w.approve(p, grace)
	w.now = w.now.Add(proposals.Life)
	if got := w.get(p); got.GetState() != "expired" || got.GetClosedAt() == nil {
		t.Errorf("read: %v", got)
	}
	refused(t, problem.Conflict, w.publish(p, grace))
	if err := w.proposals.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	record, err := w.db.Proposals().Get(t.Context(), w.env, p.GetId())
	if err != nil || record.State != proposals.Expired || record.Sealed != nil {
		t.Errorf("swept: %v, %v", record, err)
	}
	w.now = w.now.Add(proposals.Retention + time.Second)
	if err := w.proposals.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = w.db.Proposals().Get(t.Context(), w.env, p.GetId())
	refused(t, problem.NotFound, err)
}

func TestWhatWasPublishedIsNotForgotten(t *testing.T) {
	w := newWorld(t)
	p := w.file(step(t, "create", "services", "", service("orders")))
	w.approve(p, grace)
	if err := w.publish(p, grace); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(10 * proposals.Retention)
	if err := w.proposals.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.get(p); got.GetState() != "published" || got.GetReviews()[0].GetReviewer() != "Grace" {
		t.Errorf("it reads %v", got)
	}
}

func TestAnEnvironmentHasABoundedNumberOfOpenProposals(t *testing.T) {
	w := newWorld(t)
	p := w.file(step(t, "create", "services", "", service("orders")))
	record, err := w.db.Proposals().Get(t.Context(), w.env, p.GetId())
	if err != nil {
		t.Fatal(err)
	}
	record.ID += "x"
	refused(t, problem.LimitReached, w.db.Proposals().Insert(t.Context(), record, 1))
	if _, err := w.proposals.Withdraw(t.Context(), w.env, p.GetId(), ada); err != nil {
		t.Fatal(err)
	}
	if err := w.db.Proposals().Insert(context.Background(), record, 1); err != nil {
		t.Error(err)
	}
}

// A team's author has new objects put into the team; the publisher, who isn't bound, would make something else of the same steps.
func TestAProposalIsNotPlannedOrPublishedWithATeamsRights(t *testing.T) {
	w := newWorld(t)
	made, err := access.NewBooks(w.db, w.db.Shelf()).Teams.Create(access.WithActor(t.Context(), ada), w.env, []byte(`{"name":"a"}`))
	if err != nil {
		t.Fatal(err)
	}
	bound := access.Actor{ID: "usr_bound", Name: "Bound", Grants: access.Grants{
		{Environment: w.env, Permissions: access.SetOf("proposals.read", "proposals.write", "proposals.publish")},
		{Environment: w.env, Team: made.(*adminv1.Team).GetId(), Permissions: access.Everything()},
	}}
	wanted := &adminv1.ProposalRequest{Title: "t", Operations: []*adminv1.Operation{step(t, "create", "consumers", "", map[string]any{"name": "c"})}}
	if _, err := w.proposals.File(access.WithActor(t.Context(), bound), w.env, bound, wanted, false); problem.CodeOf(err) != problem.Forbidden {
		t.Errorf("a team's member files: %v", err)
	}
	filed, err := w.proposals.File(access.WithActor(t.Context(), ada), w.env, ada, wanted, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.proposals.Approve(t.Context(), w.env, filed.GetId(), grace, &adminv1.ApprovalRequest{Round: 1}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.proposals.Publish(access.WithActor(t.Context(), bound), w.env, filed.GetId(), bound); problem.CodeOf(err) != problem.Forbidden {
		t.Errorf("a team's member publishes: %v", err)
	}
	if _, _, err := w.proposals.Publish(t.Context(), w.env, filed.GetId(), grace); err != nil {
		t.Errorf("who may publishes: %v", err)
	}
}

// The event of a publication leads to the proposal, and that something moved on is recorded as the control plane's own doing.
func TestTheRecordSaysWhichProposalWasPublishedAndWhichBecameStale(t *testing.T) {
	w := newWorld(t)
	p := w.file(step(t, "create", "services", "", service("orders")))
	if _, err := w.proposals.Approve(t.Context(), w.env, p.GetId(), grace, &adminv1.ApprovalRequest{Round: 1}); err != nil {
		t.Fatal(err)
	}
	ctx := audit.WithDraft(t.Context(), audit.NewDraft(audit.Origin{Actor: audit.Actor{ID: grace.ID}, Operation: "publishProposal"}))
	if _, _, err := w.proposals.Publish(ctx, w.env, p.GetId(), grace); err != nil {
		t.Fatal(err)
	}
	e := w.newestEvent()
	if changes := e.GetChanges(); e.GetActor().GetId() != grace.ID || len(changes) != 2 || changes[0].GetCollection() != "proposals" || changes[0].GetId() != p.GetId() ||
		changes[0].GetAction() != "publish" || changes[1].GetCollection() != "services" {
		t.Errorf("the event of the publication is %v", e)
	}

	p = w.file(step(t, "patch", "services", "orders", map[string]any{"description": "x"}))
	w.write(publish.Patch, "services", "orders", `{"description":"y"}`)
	if _, err := w.proposals.Approve(t.Context(), w.env, p.GetId(), grace, &adminv1.ApprovalRequest{Round: 1}); problem.CodeOf(err) != problem.ProposalStale {
		t.Fatal(err)
	}
	e = w.newestEvent()
	if changes := e.GetChanges(); e.GetActor().GetId() != "system" || len(changes) != 1 || changes[0].GetId() != p.GetId() || changes[0].GetAction() != "mark-stale" {
		t.Errorf("the event of the stale one is %v", e)
	}
}

func (w *world) newestEvent() *adminv1.AuditEvent {
	w.t.Helper()
	events, err := w.db.Audit().Events(w.t.Context(), w.env, audit.Question{Limit: 1})
	if err != nil || len(events) != 1 {
		w.t.Fatalf("%d events, %v", len(events), err)
	}
	e, err := events[0].Event()
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}
