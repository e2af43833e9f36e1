package epochs_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/controlplane/internal/limits"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/deploy/local/postgres/postgrestest"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

func (r *replica) block(body string) (id string) {
	return r.apply(publish.Create, directory.Blocks, "", body).ID
}

func (r *replica) blockOf(id string) *adminv1.Block {
	r.t.Helper()
	found, ok := r.get(directory.Blocks, id)
	if !ok {
		r.t.Fatalf("there is no block %s", id)
	}
	return found.(*adminv1.Block)
}

// rows counts what a query of one environment finds.
func (r *replica) rows(query string) (n int) {
	r.t.Helper()
	if err := r.db.Pool().QueryRow(r.t.Context(), query, r.env).Scan(&n); err != nil {
		r.t.Fatal(err)
	}
	return n
}

// counted makes sure that the numbers of objects that are kept are those that there are.
func (r *replica) counted() {
	r.t.Helper()
	for collection, table := range map[string]string{"consumers": "consumers", "api-keys": "api_keys", "blocks": "blocks"} {
		are := r.rows("SELECT count(*) FROM " + table + " WHERE environment = $1")
		if kept := r.rows("SELECT coalesce(sum(objects), 0) FROM directory_counts WHERE environment = $1 AND collection = '" + collection + "'"); kept != are {
			r.t.Errorf("%d %s are counted, there are %d", kept, collection, are)
		}
	}
}

func TestBlocksThatTheDatabaseLostAreMadeAgain(t *testing.T) {
	t.Parallel()
	end := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	made := map[string]string{}
	r, n := story(t, func(r *replica) {
		r.consumer("lost")
		made["consumer"] = r.block(`{"name":"named","consumer":"shop","description":"fraud"}`)
		made["gone"] = r.block(`{"consumer":"lost"}`)
		made["key"] = r.block(`{"api_key":"kept","expires_at":"` + end.Add(-time.Microsecond).Format(time.RFC3339Nano) + `"}`)
		made["range"] = r.block(`{"address_range":"192.0.2.0/24"}`)
		made["wide"] = r.block(`{"address_range":"2001:db8::/33"}`)
		idp := r.apply(publish.Create, "issuers", "", `{"name":"login","issuer":"https://login.example.com","jwks_url":"https://login.example.com/jwks",`+
			`"audiences":["https://api.example.com"],"consumer":{"name_claim":"client_id"}}`).ID
		made["token"] = r.block(`{"token":{"issuer":"` + idp + `","id":"t-1"}}`)
		made["subject"] = r.block(`{"subject":{"issuer":"` + idp + `","subject":"alice"}}`)
		made["expired"] = r.block(`{"address_range":"198.51.100.0/24","expires_at":"2020-01-01T00:00:00Z"}`)
	})
	r.open(n.evidence(r))
	r.recall(n)
	shop, _ := r.get(directory.Consumers, "shop")
	if got := r.blockOf(made["consumer"]); got.GetConsumer() != shop.GetId() || got.GetExpiresAt() != nil ||
		!strings.HasPrefix(got.GetName(), "block-") || !strings.Contains(got.GetDescription(), "from node node_a in epoch 2") {
		t.Errorf("the consumer's is %v", got)
	}
	if got := r.blockOf(made["key"]); got.GetApiKey() != r.apiKey("kept").GetId() || !got.GetExpiresAt().AsTime().Equal(end) {
		t.Errorf("the key's is %v", got)
	}
	if got := r.blockOf(made["range"]); got.GetAddressRange() != "192.0.2.0/24" {
		t.Errorf("the range's is %v", got)
	}
	if got := r.blockOf(made["token"]); got.GetToken().GetId() != "t-1" || r.blockOf(made["subject"]).GetSubject().GetIssuer() != got.GetToken().GetIssuer() {
		t.Errorf("the token's is %v", got)
	}
	r.blockOf(made["gone"]) // although whom it is about is lost
	if _, ok := r.get(directory.Blocks, made["expired"]); ok {
		t.Error("a block is made again that blocks nobody")
	}
	again := r.node("node_b")
	for name, block := range made {
		key := digest.KeyOf(directory.Blocks, block)
		if name != "expired" && !bytes.Equal(again.Entries[key], n.Entries[key]) {
			t.Errorf("the %s's entry is %x, it was %x", name, again.Entries[key], n.Entries[key])
		}
	}
	if taken := r.epoch().Taken; taken != 7 {
		t.Errorf("%d taken", taken)
	}
	r.consistent()
	r.counted()
}

func TestBlocksLastAsLongAsTheLongerHistorySays(t *testing.T) {
	t.Parallel()
	r := start(t)
	soon, later := time.Now().Add(time.Hour).UTC().Truncate(time.Second), time.Now().Add(2*time.Hour).UTC().Truncate(time.Second)
	until := func(at time.Time) string { return `"expires_at":"` + at.Format(time.RFC3339) + `"` }
	ids := map[string]string{}
	for name, end := range map[string]string{"prolonged": until(soon), "for ever": until(soon), "shortened": until(later), "lifted": until(later), "same": until(soon)} {
		ids[name] = r.block(`{"address_range":"192.0.2.0/24",` + end + `}`)
	}
	restore := postgrestest.Dump(t, r.url)
	r.apply(publish.Patch, directory.Blocks, ids["prolonged"], `{`+until(later)+`}`)
	r.apply(publish.Patch, directory.Blocks, ids["for ever"], `{"expires_at":null}`)
	r.apply(publish.Patch, directory.Blocks, ids["shortened"], `{`+until(soon)+`}`)
	r.apply(publish.Delete, directory.Blocks, ids["lifted"], "")
	n := r.node("node_a")
	restore()
	r = r.another()
	r.open(n.evidence(r))
	r.recall(n)
	for name, want := range map[string]time.Time{"prolonged": later, "shortened": later, "lifted": later, "same": soon} {
		if got := r.blockOf(ids[name]).GetExpiresAt().AsTime(); !got.Equal(want) {
			t.Errorf("%s: it ends at %s, want %s", name, got, want)
		}
	}
	if got := r.blockOf(ids["for ever"]); got.GetExpiresAt() != nil {
		t.Errorf("for ever: it ends at %s", got.GetExpiresAt().AsTime())
	}
	if taken := r.epoch().Taken; taken != 2 {
		t.Errorf("%d taken", taken)
	}
	r.consistent()
	r.counted()
}

func TestWhatIsTakenBackIsProvedAsRecalled(t *testing.T) {
	t.Parallel()
	r, n := story(t, func(r *replica) {
		r.revoke("revoked")
		r.apply(publish.Patch, directory.Consumers, "shop", `{"suspended":true}`)
		r.apply(publish.Patch, directory.APIKeys, "shortened", `{"expires_at":"2999-01-01T00:00:00Z"}`)
		r.block(`{"address_range":"192.0.2.0/24"}`)
	})
	r.open(n.evidence(r))
	r.recall(n)
	const recalled = "FROM denials d JOIN denial_commits c ON c.environment = d.environment AND c.sequence = d.commit_sequence WHERE d.environment = $1"
	if all := r.rows("SELECT count(*) " + recalled); all != 4 {
		t.Errorf("%d denials are recorded", all)
	}
	if so := r.rows("SELECT count(DISTINCT d.collection) " + recalled + " AND d.cause = 'recalled' AND c.author_id = 'system' AND d.lifted_by = 0"); so != 3 {
		t.Errorf("of %d collections as recalled", so)
	}
	r.counted()
}

func TestOfTwoReplicasThatTakeTheSameBackOneMakesIt(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.consumer("shop")
	restore := postgrestest.Dump(t, r.url)
	for i := range 20 {
		r.block(fmt.Sprintf(`{"address_range":"192.0.2.%d/32"}`, i))
	}
	early := r.node("node_early")
	r.consumer("later") // another state, so that both are asked
	late := r.node("node_late")
	restore()
	r = r.another()
	r.open(early.evidence(r))
	var both sync.WaitGroup
	for _, n := range []node{early, late} {
		at := r.another()
		both.Go(func() {
			if _, err := at.recalled(n, func(h *edgev1.Holdings) *edgev1.Holdings { return h }); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if blocks := r.rows("SELECT count(*) FROM blocks WHERE environment = $1"); blocks != 20 {
		t.Errorf("%d blocks", blocks)
	}
	if taken := r.epoch().Taken; taken != 20 {
		t.Errorf("%d taken", taken)
	}
	r.consistent()
	r.counted()
}

func TestNoLimitSpeaksAgainstWhatIsTakenBack(t *testing.T) {
	t.Parallel()
	r, n := story(t, func(r *replica) { r.block(`{"address_range":"192.0.2.0/24"}`) })
	most, _ := limits.Most(directory.Blocks)
	if _, err := r.db.Pool().Exec(t.Context(), "INSERT INTO directory_counts VALUES ($1, 'blocks', $2) ON CONFLICT (environment, collection) DO UPDATE SET objects = excluded.objects", r.env, int64(most)); err != nil {
		t.Fatal(err)
	}
	r.open(n.evidence(r))
	r.recall(n)
	if kept := r.rows("SELECT objects FROM directory_counts WHERE environment = $1 AND collection = 'blocks'"); kept != int(most)+1 {
		t.Errorf("%d are counted, of at most %d", kept, most)
	}
}

// A node of an early build refuses a block's entry. It must not keep a block from the others, whom it was made for.
func TestANodeThatDoesNotKnowBlocksKeepsNoneFromBeingTakenBack(t *testing.T) {
	t.Parallel()
	made := ""
	r, n := story(t, func(r *replica) { made = r.block(`{"address_range":"192.0.2.0/24"}`) })
	token := fleet.JoinToken{
		ID: id.Text(id.JoinToken, id.New(time.Now())), Environment: r.env, Name: "old", Lookup: "lookup", Digest: make([]byte, 32),
		ExpiresAt: time.Now().Add(time.Hour), MaxUses: 1, CreatedAt: time.Now(),
	}
	if err := r.db.Fleet().InsertJoinToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	early := fleet.LaneReport{Session: id.New(time.Now()), Node: r.enrol(token.ID), Lane: edgev1.Lane_LANE_CONFIGURATION, Connected: true, Capability: 1}
	if _, err := r.db.Fleet().Report(t.Context(), []fleet.LaneReport{early}, time.Minute); err != nil {
		t.Fatal(err)
	}
	r.open(n.evidence(r))
	r.recall(n)
	r.blockOf(made)
}

// The fleet's entry says who is there now: it is no denial, and is settled again by whoever comes first.
func TestWhoIsInTheFleetIsNoDenialAndSettledAnewInTheNewEpoch(t *testing.T) {
	t.Parallel()
	r := start(t)
	token := fleet.JoinToken{
		ID: id.Text(id.JoinToken, id.New(time.Now())), Environment: r.env, Name: "rack", Lookup: "lookup", Digest: make([]byte, 32),
		ExpiresAt: time.Now().Add(time.Hour), MaxUses: 10, CreatedAt: time.Now(),
	}
	if err := r.db.Fleet().InsertJoinToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	before := r.enrol(token.ID)
	r.apply(publish.Create, "policies", "", `{"name":"l","kind":"rate-limit","config":{"by":[{"address":true}],"windows":[{"requests":10,"window":"1s"}],"scope":"fleet"},"attached_to":[{"environment":true}]}`)
	restore := postgrestest.Dump(t, r.url)
	r.enrol(token.ID)
	r.settle()
	n := r.node("node_a")
	restore()
	first := r // it has seen the lost history
	r = r.another()
	r.open(n.evidence(r))
	r.recall(n)
	if taken := r.epoch().Taken; taken != 0 || r.rows("SELECT count(*) FROM denials WHERE environment = $1") != 0 {
		t.Errorf("%d taken", taken)
	}
	after := r.enrol(token.ID)
	for _, at := range []*replica{first, r} {
		at.settle()
		if got := at.members(); len(got) != 2 || got[0] != before || got[1] != after {
			t.Errorf("in the fleet are %v, want %s and %s", got, before, after)
		}
		at.consistent()
	}
}

func (r *replica) enrol(token string) string {
	r.t.Helper()
	now := time.Now()
	node := fleet.Newcomer{ID: id.Text(id.Node, id.New(now)), Name: "n", JoinToken: token, BusKey: id.Text(id.Node, id.New(now)), EnrolledAt: now, CertificateExpires: now.Add(time.Hour)}
	if err := r.db.Fleet().Enrol(r.t.Context(), node); err != nil {
		r.t.Fatal(err)
	}
	return node.ID
}

func (r *replica) settle() {
	r.t.Helper()
	if err := r.publisher.SettleFleets(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// members are the nodes that the directory says to be in the fleet.
func (r *replica) members() (nodes []string) {
	r.t.Helper()
	var entry directoryv1.Entry
	if err := proto.Unmarshal(r.node("node_new").Entries[directory.FleetKey()], &entry); err != nil {
		r.t.Fatal(err)
	}
	for _, raw := range entry.GetFleet().GetNodes() {
		nodes = append(nodes, id.Text(id.Node, id.ID(raw)))
	}
	return nodes
}
