package signin

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/password"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	leastPassword = 12   // characters
	mostPassword  = 1024 // bytes

	// hashesAtOnce bounds memory: each takes 19 MiB. hashesWaiting bounds who waits for that, and hashWait for how long.
	hashesAtOnce  = 2
	hashesWaiting = 64
	hashWait      = 5 * time.Second
)

var errDigest = errors.New("the digest of a password isn't one that this build makes")

// Passwords makes and checks digests of passwords (package password of the contract), a few at a time. It is safe for concurrent use.
type Passwords struct {
	slots   chan struct{}
	waiting atomic.Int64
	decoy   password.Digest
}

// NewPasswords returns Passwords that nobody waits for.
func NewPasswords() *Passwords {
	return &Passwords{slots: make(chan struct{}, hashesAtOnce), decoy: password.Nobody()}
}

// Digest returns what is kept of a password.
func (p *Passwords) Digest(ctx context.Context, chosen string) (string, error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return digestText(password.New(chosen)), nil
}

// Verify tells whether a password is the one of a digest. With no digest it is no password's, and takes as long.
func (p *Passwords) Verify(ctx context.Context, digest, given string) (bool, error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	if digest == "" || len(given) > mostPassword {
		p.decoy.Fits("")
		return false, nil
	}
	kept, err := readDigest(digest)
	return err == nil && kept.Fits(given), err
}

// enter waits for its turn.
func (p *Passwords) enter(ctx context.Context) (leave func(), err error) {
	if p.waiting.Add(1) > hashesWaiting {
		p.waiting.Add(-1)
		return nil, problem.Errorf(problem.Unavailable, "too many people sign in at this moment; try again")
	}
	defer p.waiting.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
		return func() { <-p.slots }, nil
	case <-ctx.Done():
		return nil, problem.Wrap(ctx.Err(), problem.Unavailable, "too many people sign in at this moment; try again")
	}
}

// digestCost is what the digests of this build cost; digestPrefix says so in front of each. Another one is another build's, and not taken:
// it would take another time than the decoy.
var (
	digestCost   = costOf(password.Nobody())
	digestPrefix = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$", argon2.Version, digestCost.GetMemoryKib(), digestCost.GetPasses())
)

func costOf(d password.Digest) *directoryv1.Argon2Id { return d.Message() }

// digestText returns a digest as the database keeps it (PHC string format).
func digestText(d password.Digest) string {
	m := d.Message()
	return digestPrefix + base64.RawStdEncoding.EncodeToString(m.GetSalt()) + "$" + base64.RawStdEncoding.EncodeToString(m.GetHash())
}

// readDigest reads what digestText wrote, and nothing else.
func readDigest(text string) (password.Digest, error) {
	rest, ours := strings.CutPrefix(text, digestPrefix)
	saltText, hashText, parted := strings.Cut(rest, "$")
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(saltText)
	hash, hashErr := base64.RawStdEncoding.Strict().DecodeString(hashText)
	d, err := password.Of(&directoryv1.Argon2Id{MemoryKib: digestCost.GetMemoryKib(), Passes: digestCost.GetPasses(), Salt: salt, Hash: hash})
	if !ours || !parted || saltErr != nil || hashErr != nil || err != nil {
		return password.Digest{}, errDigest
	}
	return d, nil
}

// checkPassword returns what is wrong with a password that somebody chose. It asks for length alone (NIST SP 800-63B-4 section 3.1.1.2),
// and that it isn't what is known of them.
func checkPassword(pointer, chosen string, account *Account) error {
	violation := problem.Violation{Pointer: pointer, Code: problem.ViolationInvalidValue, Allowed: "12 characters to 1,024 bytes"}
	switch {
	case utf8.RuneCountInString(chosen) < leastPassword:
		violation.Code, violation.Detail = problem.ViolationTooShort, "must have at least 12 characters"
	case len(chosen) > mostPassword:
		violation.Code, violation.Detail = problem.ViolationTooLong, "must have at most 1,024 bytes"
	case strings.EqualFold(chosen, account.Name) || account.Email != "" && strings.EqualFold(chosen, account.Email):
		violation.Detail = "must not be the user's own name or address"
	default:
		return nil
	}
	return problem.Invalid(violation)
}
