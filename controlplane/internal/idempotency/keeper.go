package idempotency

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/sallyport/sallyport/proto/problem"
)

const (
	// Retention is how long a key is remembered.
	Retention = 24 * time.Hour
	// MaxReply is the size of an answer that is kept, in bytes. A larger one is told to be lost.
	MaxReply = 1 << 20
	// maxKey is how long a key may be.
	maxKey = 255
	// maxKeys is how many keys an actor may have at a time.
	maxKeys = 10_000
	// keepTimeout bounds what is written once an operation has ended.
	keepTimeout = 5 * time.Second
	// sweepEvery is how often old keys are forgotten, and sweepLimit how many at a time.
	sweepEvery = 10 * time.Minute
	sweepLimit = 1000
	// materialName is what digests of requests are keyed with: they may hold secrets that a plain digest would let be guessed.
	materialName = "idempotency-digest"
	materialSize = 32
)

// Request is what comes under a key.
type Request struct {
	Actor     string // id
	Operation string // of the API's document
	Path      string
	Key       string
	Parts     []string // what else tells it from another request: query, conditions, media type
	Body      []byte
	Lease     time.Duration // how long it may take
}

// Reply is an answer that is kept.
type Reply struct {
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	Body   []byte            `json:"body"`
	Held   []Held            `json:"held"`
}

// Held is what its caller might do when an answer was given: it is for those who still may.
type Held struct {
	Environment string   `json:"environment"` // as in a grant
	Team        string   `json:"team"`
	Permissions []string `json:"permissions"`
}

// State is how far a key's request has come.
type State string

// The states.
const (
	Reserved  State = "reserved"  // an attempt is at it
	Committed State = "committed" // it was carried out; its answer isn't kept, or not yet
	Kept      State = "kept"      // its answer is kept
)

// Record is a key as the database has it.
type Record struct {
	State   State
	Request []byte // keyed digest
	Leased  bool   // its holder is taken to be at it
	Made    Made
	Sealed  []byte // the answer
}

// Wanted is a reservation as it is asked for.
type Wanted struct {
	Scope            Scope
	Holder           Holder
	Actor            string
	Request          []byte
	Lease, Retention time.Duration
	Most             int // keys of the actor
}

// Store keeps keys.
type Store interface {
	// Reserve takes a key that nobody has, that was forgotten, or whose holder is taken for dead and committed nothing.
	Reserve(ctx context.Context, w Wanted) (bool, error)
	// Key returns one; false when there is none.
	Key(ctx context.Context, scope Scope) (Record, bool, error)
	// Keep keeps the answer of a holder's request.
	Keep(ctx context.Context, scope Scope, holder Holder, sealed []byte) error
	// Release gives a key back under which nothing was committed, or else ends its lease.
	Release(ctx context.Context, scope Scope, holder Holder) error
	// Forget removes keys that are older than age, at most limit, and returns how many it removed.
	Forget(ctx context.Context, age time.Duration, limit int) (int, error)
}

// Vault seals answers, and has what digests are keyed with.
type Vault interface {
	Seal(purpose string, plaintext []byte) ([]byte, error)
	Open(purpose string, sealed []byte) ([]byte, error)
	Material(ctx context.Context, name string, generate func() ([]byte, error)) ([]byte, error)
}

// Keeper reserves keys and keeps answers. It is safe for concurrent use.
type Keeper struct {
	store Store
	vault Vault
	mac   []byte
	log   *slog.Logger
}

// Load returns the keeper of a store.
func Load(ctx context.Context, store Store, vault Vault, log *slog.Logger) (*Keeper, error) {
	mac, err := vault.Material(ctx, materialName, func() ([]byte, error) {
		key := make([]byte, materialSize)
		rand.Read(key) // never fails: the runtime ends the process instead
		return key, nil
	})
	if err != nil {
		return nil, fmt.Errorf("idempotency: %w", err)
	}
	return &Keeper{store: store, vault: vault, mac: mac, log: log}, nil
}

// CheckKey returns what is wrong with a key; nil when nothing is.
func CheckKey(key string) error {
	if key != "" && len(key) <= maxKey && !strings.ContainsFunc(key, func(r rune) bool { return r < '!' || r > '~' }) {
		return nil
	}
	return problem.Invalid(problem.Violation{
		Pointer: "/Idempotency-Key", Code: problem.ViolationInvalidFormat, Detail: "The key must be one word of visible ASCII characters, given once.",
		Allowed: "1 to 255 characters from ! to ~",
	})
}

// Begin reserves a request's key, or returns the answer that it was given before. Its errors are *problem.Error: IdempotencyMismatch,
// IdempotencyInProgress, IdempotencyReplyLost, LimitReached, Unavailable.
func (k *Keeper) Begin(ctx context.Context, r Request) (*Reservation, *Reply, error) {
	if err := CheckKey(r.Key); err != nil {
		return nil, nil, err
	}
	mine := &Reservation{Scope: scopeOf(r)}
	rand.Read(mine.Holder[:]) // never fails: the runtime ends the process instead
	digest := k.digest(r)
	for range 2 { // a second time when the key was given back between the two looks
		reserved, err := k.store.Reserve(ctx, Wanted{
			Scope: mine.Scope, Holder: mine.Holder, Actor: r.Actor, Request: digest, Lease: r.Lease, Retention: Retention, Most: maxKeys,
		})
		if err != nil {
			return nil, nil, err
		}
		if reserved {
			return mine, nil, nil
		}
		record, found, err := k.store.Key(ctx, mine.Scope)
		if err != nil {
			return nil, nil, err
		}
		if found {
			reply, err := k.replay(mine.Scope, record, digest)
			return nil, reply, err
		}
	}
	return nil, nil, problem.Errorf(problem.LimitReached, "you have used %d idempotency keys within 24 h, as many as are remembered", maxKeys)
}

// replay returns the answer that a key's request was given.
func (k *Keeper) replay(scope Scope, record Record, digest []byte) (*Reply, error) {
	switch {
	case !hmac.Equal(record.Request, digest):
		return nil, problem.Errorf(problem.IdempotencyMismatch, "this key came with another request; a new request needs a new key")
	case record.State == Kept:
		return k.open(scope, record.Sealed)
	case record.Leased || record.State == Reserved:
		return nil, problem.Errorf(problem.IdempotencyInProgress, "the first request with this key is under way; ask again with the same key")
	default:
		return nil, problem.Errorf(problem.IdempotencyReplyLost,
			"the first request with this key was carried out and its answer was lost: %s; nothing was done again", record.Made)
	}
}

// String says what was made, for people.
func (m Made) String() string {
	var parts []string
	if m.Revision > 0 {
		parts = append(parts, fmt.Sprintf("it made revision %d", m.Revision))
	}
	if m.Sequence > 0 {
		parts = append(parts, fmt.Sprintf("it brought the directory to sequence %d", m.Sequence))
	}
	if len(m.Objects) > 0 {
		parts = append(parts, "it changed "+strings.Join(m.Objects, ", "))
	}
	if len(parts) == 0 {
		return "it made no revision, entry or object of its own"
	}
	return strings.Join(parts, ", ")
}

func (k *Keeper) open(scope Scope, sealed []byte) (*Reply, error) {
	plain, err := k.vault.Open(SealedFor(scope), sealed)
	if err != nil {
		return nil, fmt.Errorf("open a kept answer: %w", err)
	}
	reply := new(Reply)
	if err := json.Unmarshal(plain, reply); err != nil {
		return nil, fmt.Errorf("read a kept answer: %w", err)
	}
	return reply, nil
}

// Keep keeps the answer to an operation that succeeded. What fails here is logged: the operation was carried out, and its caller is
// answered; whoever repeats it is told that the answer was lost.
func (k *Keeper) Keep(ctx context.Context, r *Reservation, reply Reply) {
	if len(reply.Body) > MaxReply {
		k.Release(ctx, r)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	if err := k.keep(ctx, r, reply); err != nil {
		k.log.WarnContext(ctx, "can't keep an answer for its idempotency key", "error", err)
	}
}

func (k *Keeper) keep(ctx context.Context, r *Reservation, reply Reply) error {
	plain, err := json.Marshal(reply)
	if err != nil {
		return err
	}
	sealed, err := k.vault.Seal(SealedFor(r.Scope), plain)
	if err != nil {
		return err
	}
	return k.store.Keep(ctx, r.Scope, r.Holder, sealed)
}

// Release gives a key back: the operation was refused or failed, and can be tried again. Where something was committed all the same, the key
// stays, and says so.
func (k *Keeper) Release(ctx context.Context, r *Reservation) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	if err := k.store.Release(ctx, r.Scope, r.Holder); err != nil {
		k.log.WarnContext(ctx, "can't give an idempotency key back; it comes free by itself", "error", err)
	}
}

// Run forgets old keys until ctx ends. Every replica does; they don't mind each other.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := k.Sweep(ctx); err != nil && ctx.Err() == nil {
			k.log.Warn("can't forget old idempotency keys; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sweep forgets what is older than [Retention].
func (k *Keeper) Sweep(ctx context.Context) error {
	for {
		n, err := k.store.Forget(ctx, Retention, sweepLimit)
		if err != nil || n < sweepLimit {
			return err
		}
	}
}

// SealedFor binds a kept answer to its place.
func SealedFor(scope Scope) string { return "idempotency/" + hex.EncodeToString(scope[:]) }

func scopeOf(r Request) Scope {
	return Scope(sha256.Sum256(joined([]byte(r.Actor), []byte(r.Operation), []byte(r.Path), []byte(r.Key))))
}

func (k *Keeper) digest(r Request) []byte {
	parts := [][]byte{[]byte(r.Operation), []byte(r.Path)}
	for _, part := range r.Parts {
		parts = append(parts, []byte(part))
	}
	mac := hmac.New(sha256.New, k.mac)
	mac.Write(joined(append(parts, r.Body)...))
	return mac.Sum(nil)
}

// joined puts parts behind each other so that no two lists come to the same.
func joined(parts ...[]byte) []byte {
	var all []byte
	for _, part := range parts {
		all = binary.AppendUvarint(all, uint64(len(part)))
		all = append(all, part...)
	}
	return all
}
