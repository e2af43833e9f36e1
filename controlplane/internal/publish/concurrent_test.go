package publish_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	writers        = 16
	writesOfWriter = 24
)

// expected are the refusals that writers who get in each other's way may meet. Anything else, a 500
// above all, is a mistake.
var expected = map[problem.Code]bool{
	problem.NotFound: true, problem.NameTaken: true, problem.Referenced: true, problem.InvalidRequest: true,
}

// tally is what the writers were told.
type tally struct {
	lock      sync.Mutex
	revisions map[uint64]int
	sequences map[uint64]int // last of the batch
	refused   map[problem.Code]int
}

func (c *tally) add(t *testing.T, result publish.Result, err error) {
	t.Helper()
	c.lock.Lock()
	defer c.lock.Unlock()
	if err != nil {
		code := problem.CodeOf(err)
		c.refused[code]++
		if !expected[code] {
			t.Errorf("unexpected: %v", err)
		}
		return
	}
	if result.Revision != 0 {
		c.revisions[result.Revision]++
	}
	if result.Sequence != 0 {
		c.sequences[result.Sequence]++
	}
}

// TestNoTwoWritersBreakWhatOneMustNot runs 16 writers on two replicas against one small set of names, so
// that they meet: routes are added to services that others delete, keys and policies to consumers that others delete,
// batches of both lanes, rollbacks. Afterwards everything is recomputed.
func TestNoTwoWritersBreakWhatOneMustNot(t *testing.T) {
	t.Parallel()
	first := start(t)
	second := first.another()
	first.watchSequences()
	counted := &tally{revisions: map[uint64]int{}, sequences: map[uint64]int{}, refused: map[problem.Code]int{}}
	var wg sync.WaitGroup
	for n := range writers {
		r := first
		if n%2 == 1 {
			r = second
		}
		random := rand.New(rand.NewPCG(1, uint64(n)))
		wg.Go(func() {
			for range writesOfWriter {
				result, err := r.randomWrite(random)
				counted.add(t, result, err)
			}
		})
	}
	wg.Wait()
	t.Logf("%d revisions, %d batches with entries, refused: %v", len(counted.revisions), len(counted.sequences), counted.refused)

	at, err := first.db.Position(t.Context(), first.env)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "revisions told", uint64(len(counted.revisions)), at.Revision)
	for number, times := range counted.revisions {
		if times != 1 || number > at.Revision {
			t.Errorf("revision %d was told %d times", number, times)
		}
	}
	for sequence, times := range counted.sequences {
		if times != 1 {
			t.Errorf("sequence %d was told %d times", sequence, times)
		}
	}
	first.sequencesHaveNoGap()
	first.consistent()
	second.consistent()
	first.another().consistent() // which loads everything, as after a restart
}

// watchSequences has the database itself note every sequence that is written: an entry that is written
// again takes its earlier sequence with it.
func (r *replica) watchSequences() {
	r.t.Helper()
	_, err := r.db.Pool().Exec(r.t.Context(), `
		CREATE TABLE seen AS SELECT environment, sequence FROM directory_entries;
		CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (NEW.environment, NEW.sequence); RETURN NULL; END';
		CREATE TRIGGER see AFTER INSERT OR UPDATE ON directory_entries FOR EACH ROW EXECUTE FUNCTION see()`)
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *replica) sequencesHaveNoGap() {
	r.t.Helper()
	var seen, distinct, last int
	err := r.db.Pool().QueryRow(r.t.Context(), `SELECT count(*), count(DISTINCT sequence), max(sequence) FROM seen WHERE environment = $1`, r.env).Scan(&seen, &distinct, &last)
	if err != nil {
		r.t.Fatal(err)
	}
	env, err := r.db.Environment(r.t.Context(), r.env)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Logf("%d entries", seen)
	equal(r.t, "sequences written once", distinct, seen)
	equal(r.t, "the last sequence", last, seen)
	equal(r.t, "the counter", int(env.GetSequence()), seen)
}

// aclOf is an acl that is attached to a consumer, and lets it do anything.
func aclOf(consumer string) string {
	return fmt.Sprintf(`{"kind":"acl","config":{"allow":[{"consumers":[%q]}]},"attached_to":[{"consumer":%q}]}`, consumer, consumer)
}

// randomWrite writes something that is likely to meet another writer.
func (r *replica) randomWrite(random *rand.Rand) (publish.Result, error) {
	name := func(prefix string) string { return fmt.Sprintf("%s%d", prefix, random.IntN(6)) }
	write := func(ops ...publish.Operation) (publish.Result, error) {
		return r.publisher.Apply(context.Background(), publish.Batch{Environment: r.env, Author: author, Operations: ops})
	}
	s, c := name("s"), name("c")
	unique := fmt.Sprintf("r%d", random.Uint64())
	switch random.IntN(12) {
	case 0, 1:
		return write(put("services", s, fmt.Sprintf(`{"description":"%d","upstream":{"targets":[{"address":"127.0.0.1:8080"}]}}`, random.IntN(3))))
	case 2:
		return write(remove("services", s))
	case 3:
		return write(create("routes", route(unique, s, "/"+unique)))
	case 4:
		return write(put("services", s, service(s)), put("routes", name("r"), fmt.Sprintf(`{"service":%q,"paths":[{"exact":"/%s"}],"public":true}`, s, unique)))
	case 5:
		return write(remove("routes", name("r")))
	case 6:
		return write(put("consumers", c, fmt.Sprintf(`{"labels":{"n":"%d"}}`, random.IntN(3))), put("secrets", name("x"), fmt.Sprintf(`{"value":"%d"}`, random.IntN(3))))
	case 7:
		return write(remove("consumers", c))
	case 8:
		return write(create("api-keys", fmt.Sprintf(`{"consumer":%q}`, c)), put("services", s, service(s)))
	case 9:
		return write(put("policies", name("p"), aclOf(c)))
	case 10:
		return write(remove("policies", name("p")), put("services", s, service(s)))
	default:
		if random.IntN(4) == 0 {
			return r.publisher.Rollback(context.Background(), publish.Batch{Environment: r.env, RollbackTo: 1, Author: author, Force: true})
		}
		return write(put("consumers", c, `{}`), put("api-keys", name("k"), fmt.Sprintf(`{"consumer":%q,"scopes":["s%d"]}`, c, random.IntN(9))), remove("api-keys", name("k")))
	}
}

func TestReplicasThatTakeTurnsSeeEachOther(t *testing.T) {
	t.Parallel()
	first := start(t)
	second := first.another()
	first.must(create("services", service("shared")))
	for i := range 20 {
		writer, reader := first, second
		if i%2 == 1 {
			writer, reader = second, first
		}
		name := fmt.Sprintf("r%d", i)
		writer.must(create("routes", route(name, "shared", "/"+name)), create("consumers", fmt.Sprintf(`{"name":%q}`, name)))
		if _, err := reader.catalog.Get(t.Context(), first.env, "routes", name); err != nil {
			t.Errorf("the other replica doesn't see it: %v", err)
		}
		same(t, "twin on the other replica", found(reader.refused(create("routes", route("twin", "shared", "/"+name)))), []string{"/paths/0 duplicate_match"})
	}
	equal(t, "delete on the second", second.refused(remove("services", "shared")).Code, problem.Referenced)
	first.consistent()
	second.consistent()
}
