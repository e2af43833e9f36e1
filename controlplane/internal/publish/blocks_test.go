package publish_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	"github.com/sallyport/sallyport/controlplane/internal/publish"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// blockEntries returns the blocks as nodes are told them, by name of what they are about.
func (r *replica) blockEntries() map[string]*directoryv1.Block {
	r.t.Helper()
	blocks := make(map[string]*directoryv1.Block)
	for _, b := range r.allBlocks() {
		switch {
		case len(b.GetConsumer()) > 0:
			blocks[id.Text(id.Consumer, id.ID(b.GetConsumer()))] = b
		case len(b.GetApiKey()) > 0:
			blocks[id.Text(id.APIKey, id.ID(b.GetApiKey()))] = b
		default:
			blocks[b.GetAddressRange()] = b
		}
	}
	return blocks
}

// allBlocks returns all blocks as nodes are told them.
func (r *replica) allBlocks() (blocks []*directoryv1.Block) {
	r.t.Helper()
	_, err := r.db.Lanes(r.vault).DirectoryEntries(r.t.Context(), r.env, func(c *edgev1.EntryChange) error {
		var entry directoryv1.Entry
		if err := proto.Unmarshal(c.GetEntry(), &entry); err != nil {
			return err
		}
		if b := entry.GetBlock(); b != nil {
			blocks = append(blocks, b)
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return blocks
}

func TestABlockBecomesAnEntryOfWhomItIsAbout(t *testing.T) {
	t.Parallel()
	r := start(t)
	result := r.must(
		create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"web","consumer":"app"}`),
		create("blocks", `{"name":"a","consumer":"app"}`), create("blocks", `{"api_key":"web","expires_at":"2999-01-01T00:00:00Z"}`),
		create("blocks", `{"name":"c","address_range":"192.0.2.0/24","description":"scans us"}`),
	)
	app, web := result.Outcomes[0].ID, result.Outcomes[1].ID
	blocks := r.blockEntries()
	if len(blocks) != 3 || blocks[app] == nil || blocks[web] == nil || blocks["192.0.2.0/24"] == nil {
		t.Fatalf("nodes are told %v", blocks)
	}
	equal(t, "expiry of the key's", blocks[web].GetExpiresAtMs(), int64(32472144000000))
	equal(t, "expiry of the consumer's", blocks[app].GetExpiresAtMs(), 0)
	named, err := r.directory.Get(t.Context(), r.env, "blocks", result.Outcomes[3].Name)
	if err != nil || named.Message.(*adminv1.Block).GetApiKey() != web {
		t.Errorf("a block that the server named: %v, %v", named, err)
	}
	r.must(patch("blocks", "a", `{"expires_at":"2999-01-01T00:00:00.000001Z"}`))
	equal(t, "expiry within a millisecond", r.blockEntries()[app].GetExpiresAtMs(), int64(32472144000001))
	before := r.count("directory_entries")
	again := r.must(patch("blocks", "c", `{"description":"scans us again"}`))
	equal(t, "entries that a reason makes", again.Sequence, 0)
	equal(t, "entries", r.count("directory_entries"), before)
	r.must(remove("blocks", "a"), remove("blocks", "c"))
	if blocks := r.blockEntries(); len(blocks) != 1 {
		t.Errorf("after deletes nodes are told %v", blocks)
	}
	r.consistent()
}

func TestABlockIsAboutOneThatThereIsAndStaysSo(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("consumers", `{"name":"app"}`), create("consumers", `{"name":"other"}`), create("api-keys", `{"name":"web","consumer":"app"}`),
		create("blocks", `{"name":"there","consumer":"app"}`), create("blocks", `{"name":"range","address_range":"192.0.2.0/24"}`))
	for body, want := range map[string]string{
		`{"name":"a"}`: " required",
		`{"name":"a","consumer":"app","address_range":"10.0.0.0/8"}`: " mutually_excluded",
		`{"name":"a","consumer":"app","api_key":"web"}`:              " mutually_excluded",
		`{"name":"a","consumer":"nobody"}`:                           "/consumer unknown_reference",
		`{"name":"a","api_key":"app"}`:                               "/api_key unknown_reference",
		`{"name":"a","address_range":"10.0.0.1"}`:                    "/address_range invalid_format",
		`{"name":"a","address_range":"10.0.0.1/8"}`:                  "/address_range invalid_format",
		`{"name":"a","address_range":"::ffff:10.0.0.0/104"}`:         "/address_range invalid_format",
		`{"name":"there","address_range":"10.0.0.0/8"}`:              " name_taken",
	} {
		refused := r.refused(create("blocks", body))
		if want == " name_taken" {
			equal(t, body, refused.Code, problem.NameTaken)
			continue
		}
		same(t, body, found(refused), []string{want})
	}
	for key, change := range map[string][2]string{
		"there": {`{"consumer":"other"}`, "/consumer immutable"},
		"range": {`{"address_range":"10.0.0.0/8"}`, "/address_range immutable"},
	} {
		same(t, change[0], found(r.refused(patch("blocks", key, change[0]))), []string{change[1]})
	}
	same(t, "another sort", found(r.refused(patch("blocks", "there", `{"consumer":null,"api_key":"web"}`))), []string{"/api_key immutable"})
	r.must(patch("blocks", "there", `{"consumer":"app","expires_at":"2999-01-01T00:00:00Z"}`), put("blocks", "range", `{"address_range":"192.0.2.0/24"}`))
	r.consistent()
}

// Were a block to go with whom it names, or to hold it, then either a restored key would live again, or a blocked one
// couldn't be revoked.
func TestABlockNeitherHoldsWhomItNamesNorGoesWithThem(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.must(create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"web","consumer":"app"}`),
		create("blocks", `{"name":"a","consumer":"app"}`), create("blocks", `{"name":"b","api_key":"web"}`))
	r.must(remove("api-keys", "web"), remove("consumers", "app"))
	equal(t, "blocks", len(r.blockEntries()), 2)
	r.must(patch("blocks", "a", `{"expires_at":"2999-01-01T00:00:00Z"}`), patch("blocks", "b", `{"description":"gone"}`))
	equal(t, "expiry", r.blockEntries()[made.Outcomes[0].ID].GetExpiresAtMs() > 0, true)
	r.must(remove("blocks", "a"), remove("blocks", "b"))
	r.consistent()
}

func TestBlocksAreListedByWhomTheyAreAbout(t *testing.T) {
	t.Parallel()
	r := start(t)
	made := r.must(create("consumers", `{"name":"app"}`), create("api-keys", `{"name":"web","consumer":"app"}`),
		create("blocks", `{"name":"a","consumer":"app","labels":{"why":"fraud"}}`), create("blocks", `{"name":"b","api_key":"web"}`), create("blocks", `{"name":"c","address_range":"::/0"}`))
	if warned := r.must(create("blocks", `{"name":"late","consumer":"app","expires_at":"2020-01-01T00:00:00Z"}`)); len(warned.Warnings) != 1 {
		t.Errorf("an expired block warns %v", warned.Warnings)
	}
	equal(t, "warnings about everybody", len(made.Warnings), 1)
	for name, tt := range map[string]struct {
		query listing.Query
		want  []string
	}{
		"all":            {listing.Query{}, []string{"a", "b", "c", "late"}},
		"consumer":       {listing.Query{Filter: map[string]string{"consumer": "app"}}, []string{"a", "late"}},
		"consumer by id": {listing.Query{Filter: map[string]string{"consumer": made.Outcomes[0].ID}}, []string{"a", "late"}},
		"key":            {listing.Query{Filter: map[string]string{"api_key": "web"}}, []string{"b"}},
		"nobody":         {listing.Query{Filter: map[string]string{"consumer": ""}}, nil},
		"labels":         {listing.Query{Labels: "why=fraud"}, []string{"a"}},
	} {
		page, err := r.directory.List(t.Context(), r.env, "blocks", tt.query)
		var names []string
		for _, o := range page.Items {
			names = append(names, o.Name)
		}
		if err != nil || !slices.Equal(names, tt.want) {
			t.Errorf("%s: %v, %v", name, names, err)
		}
	}
}

func TestADryRunOfABlockWritesNothing(t *testing.T) {
	t.Parallel()
	r := start(t)
	result, err := r.publisher.Apply(t.Context(), publish.Batch{
		Environment: r.env, Author: author, DryRun: true, Operations: []publish.Operation{create("blocks", `{"name":"a","address_range":"10.0.0.0/8"}`)},
	})
	if err != nil || len(result.Changes) != 1 || result.Sequence != 2 || result.Changes[0].Collection != directory.Blocks {
		t.Errorf("%+v, %v", result, err)
	}
	equal(t, "blocks", r.count("blocks"), 0)
	equal(t, "denials", r.count("denials"), 0)
}
