package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/password"
	"github.com/sallyport/sallyport/proto/resource"
)

// rows are the directory's objects that a batch changes or refers to, as it leaves them.
type rows struct {
	byID  map[rowKey]*row
	names map[rowKey]string // by name → id, of all that are known
	order []*row            // changed ones, as they were first touched
	lost  map[rowKey]bool   // objects whose body couldn't be read
	teams map[string]string // by id and by name → id, of those referred to
}

type rowKey struct{ collection, key string }

// row is one object.
type row struct {
	t       *directory.Type
	id      string
	origin  catalog.Origin
	before  *directory.Row    // nil: it is new
	message directory.Message // nil: it is deleted
	touched bool

	key      digest.Key       // of the entry
	value    []byte           // of a secret that gets a new one
	consumer string           // of an API key, as the database has it for it or for the one it takes the place of
	text     string           // of an API key or password made here
	pepper   uint32           // that its digest was made with
	compared *password.Digest // of a password: what it is compared by; nil: as its entry has it
	reset    bool             // of a password: it is a new one

	after    *directory.Row   // once checked
	entry    *directory.Entry // the new entry; nil: it stays
	sequence uint64           // of the new entry
}

func newRows() *rows {
	return &rows{byID: make(map[rowKey]*row), names: make(map[rowKey]string), lost: make(map[rowKey]bool), teams: make(map[string]string)}
}

// add takes a row in as it is in the database.
func (r *rows) add(t *directory.Type, found directory.Row) {
	k := rowKey{t.Collection, found.Message.GetId()}
	if _, known := r.byID[k]; known {
		return
	}
	s := &row{t: t, id: k.key, before: &found, message: found.Message, key: found.Key}
	if c, ok := found.Message.(credential); ok {
		s.consumer = c.GetConsumer()
	}
	r.byID[k] = s
	r.names[rowKey{t.Collection, found.Message.GetName()}] = k.key
}

// find returns the object that has an id or name after the operations so far.
func (r *rows) find(collection, key string) (*row, bool) {
	if !id.LooksLikeID(key) {
		found, ok := r.names[rowKey{collection, key}]
		if !ok {
			return nil, false
		}
		s := r.byID[rowKey{collection, found}]
		return s, s.message != nil && s.message.GetName() == key
	}
	s, ok := r.byID[rowKey{collection, key}]
	return s, ok && s.message != nil
}

// Has and Resolve make the rows catalog.Elsewhere.

// Has tells whether a collection is the directory's, or that of teams.
func (r *rows) Has(collection string) bool {
	_, ok := directory.ByCollection(collection)
	return ok || collection == resource.Teams
}

// Resolve returns the id of an object that is there after the batch.
func (r *rows) Resolve(collection, key string) (string, bool) {
	if collection == resource.Teams {
		found, ok := r.teams[key]
		return found, ok
	}
	if s, ok := r.find(collection, key); ok {
		return s.id, true
	}
	return key, r.lost[rowKey{collection, key}]
}

// put stages an object's new message, which has its id.
func (r *rows) put(t *directory.Type, m directory.Message, origin catalog.Origin) *row {
	k := rowKey{t.Collection, m.GetId()}
	s, ok := r.byID[k]
	if !ok {
		s = &row{t: t, id: k.key}
		r.byID[k] = s
	}
	r.touch(s, origin)
	s.message = asKept(m)
	n := rowKey{t.Collection, m.GetName()}
	if holder, taken := r.names[n]; !taken || !r.holds(rowKey{t.Collection, holder}, m.GetName()) {
		r.names[n] = k.key
	}
	return s
}

// asKept cuts times to what Postgres keeps, so that an object reads as it was answered, under the same ETag.
func asKept(m directory.Message) directory.Message {
	switch m := m.(type) {
	case *adminv1.ApiKey:
		m.ExpiresAt = timeAsKept(m.GetExpiresAt())
	case *adminv1.Block:
		m.ExpiresAt = timeAsKept(m.GetExpiresAt())
	case *adminv1.Password:
		m.ExpiresAt = timeAsKept(m.GetExpiresAt())
	}
	return m
}

func timeAsKept(t *timestamppb.Timestamp) *timestamppb.Timestamp {
	if !t.IsValid() {
		return t
	}
	return timestamppb.New(t.AsTime().Truncate(time.Microsecond))
}

// holds tells whether an object has a name after the operations so far.
func (r *rows) holds(k rowKey, name string) bool {
	s, ok := r.byID[k]
	return ok && s.message != nil && s.message.GetName() == name
}

func (r *rows) touch(s *row, origin catalog.Origin) {
	s.origin = origin
	if !s.touched {
		s.touched = true
		r.order = append(r.order, s)
	}
}

// changes returns what is to be written.
func (r *rows) changes() []RowChange {
	var changes []RowChange
	for _, s := range r.order {
		if s.changed() {
			changes = append(changes, RowChange{Collection: s.t.Collection, Before: s.before, After: s.after})
		}
	}
	return changes
}

func (s *row) changed() bool { return s.after != s.before }

// entries returns the new entries, in the order in which they get their sequences.
func (r *rows) entries() []directory.Entry {
	var entries []directory.Entry
	for _, s := range r.order {
		if s.entry != nil {
			entries = append(entries, *s.entry)
		}
	}
	return entries
}

// assign gives the new entries the sequences behind a head's, and returns how many there are.
func (r *rows) assign(head uint64) uint64 {
	var n uint64
	for _, s := range r.order {
		if s.entry == nil {
			continue
		}
		n++
		s.sequence = head + n
		if s.after != nil {
			s.after.Sequence = s.sequence
		}
	}
	return n
}

// finish makes the row and the entry of a touched object.
func (s *row) finish(sealer directory.Sealer, environment string, now time.Time) error {
	if s.message == nil {
		if s.before != nil {
			gone := directory.Tombstone(s.before.Key)
			s.entry = &gone
		}
		return nil
	}
	entry, err := s.makeEntry(sealer, environment)
	if err != nil {
		return fmt.Errorf("%s %s: %w", s.t.Singular, s.id, err)
	}
	if s.before != nil && (entry == nil || entry.Hash == s.before.Hash) {
		entry = nil
		if proto.Equal(s.message, s.before.Message) {
			s.after = s.before
			return nil
		}
	}
	stamp(s.message, s.before, now)
	s.entry, s.after = entry, &directory.Row{Message: s.message, Pepper: s.pepper}
	if s.before != nil {
		*s.after = directory.Row{Message: s.message, Key: s.before.Key, Hash: s.before.Hash, Sequence: s.before.Sequence}
	}
	if entry != nil {
		s.after.Key, s.after.Hash = entry.Key, entry.Hash
	}
	return nil
}

// makeEntry returns the entry as the object has it now; nil when a secret's value stays.
func (s *row) makeEntry(sealer directory.Sealer, environment string) (*directory.Entry, error) {
	var entry directory.Entry
	var err error
	switch m := s.message.(type) {
	case *adminv1.Consumer:
		entry, err = directory.Consumer(m)
	case *adminv1.ApiKey:
		entry, err = directory.APIKey(m, s.key)
	case *adminv1.Block:
		entry, err = directory.Block(m)
	case *adminv1.Secret:
		if s.value == nil {
			return nil, nil
		}
		entry, err = directory.Secret(sealer, environment, s.id, s.value)
	case *adminv1.Password:
		if s.compared == nil {
			return nil, errNothingToCompare
		}
		entry, err = directory.Password(sealer, environment, m, *s.compared)
	default:
		err = fmt.Errorf("no entry is made of a %T", m)
	}
	return &entry, err
}

// lockRows locks what the batch changes in the directory, and what it refers to there.
func (w *writing) lockRows(ctx context.Context) error {
	change, share := w.wantedRows()
	if err := w.lockTeams(ctx, share[resource.Teams]); err != nil {
		return err
	}
	for _, t := range directory.Types() {
		for _, wanted := range []struct {
			keys map[string]bool
			lock Lock
		}{{change[t.Collection], LockChange}, {share[t.Collection], LockShare}} {
			if len(wanted.keys) == 0 {
				continue
			}
			found, err := w.tx.LockRows(ctx, w.batch.Environment, t.Collection, sortedKeys(wanted.keys), wanted.lock)
			if err != nil {
				return fmt.Errorf("lock %s: %w", t.Collection, err)
			}
			for _, r := range found {
				w.rows.add(t, r)
			}
		}
	}
	return nil
}

// wantedRows returns the ids and names of rows to change, or whose name is wanted, and of those referred to.
func (w *writing) wantedRows() (change, share map[string]map[string]bool) {
	change, share = make(map[string]map[string]bool), make(map[string]map[string]bool)
	want := func(in map[string]map[string]bool, collection, key string) {
		if key == "" {
			return
		}
		if in[collection] == nil {
			in[collection] = make(map[string]bool)
		}
		in[collection][key] = true
	}
	for _, op := range w.batch.Operations {
		if !w.rows.Has(op.Collection) {
			continue
		}
		body := peek(op)
		want(change, op.Collection, op.Key)
		want(change, op.Collection, body.Name)
		if op.Collection == directory.APIKeys || op.Collection == directory.Passwords || op.Collection == directory.Blocks {
			want(share, directory.Consumers, body.Consumer)
		}
		if op.Collection == directory.Blocks {
			want(share, directory.APIKeys, body.APIKey)
		}
		if op.Collection == directory.Consumers || op.Collection == directory.Secrets {
			want(share, resource.Teams, body.Team)
			for _, team := range w.bounds(op.Collection).Teams {
				want(share, resource.Teams, team)
			}
		}
	}
	if p := w.batch.Proposal; p != nil && p.Base != nil {
		for _, v := range p.Base.Objects {
			if w.rows.Has(v.Collection) {
				want(share, v.Collection, v.Key())
			}
		}
	}
	if w.candidate != nil {
		for _, r := range w.candidate.ReferencesElsewhere() {
			want(share, r.Collection, r.Value)
		}
	}
	return change, share
}

// peeked is what of a body tells which rows it is about.
type peeked struct {
	Name     string `json:"name"`
	Consumer string `json:"consumer"`
	APIKey   string `json:"api_key"`
	Team     string `json:"team"`
}

// peek reads what can be read of a body: it is decoded, and refused, elsewhere.
func peek(op Operation) peeked {
	var p peeked
	if json.Unmarshal(op.Body, &p) != nil {
		return p // what was read before the error
	}
	return p
}

func sortedKeys(set map[string]bool) []string {
	keys := make([]string, 0, len(set))
	for k := range set {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
