package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/sallyport/sallyport/proto/problem"
)

// Parameters of argon2id: those that OWASP's Password Storage Cheat Sheet recommends first.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	saltSize     = 16
	hashSize     = 32
)

// argonPrefix is in front of each digest (PHC string format). Another one is another build's, and not taken.
var argonPrefix = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$", argon2.Version, argonMemory, argonTime, argonThreads)

const (
	leastPassword = 12   // characters
	mostPassword  = 1024 // bytes

	// hashesAtOnce bounds memory: each takes 19 MiB. hashesWaiting bounds who waits for that, and hashWait for how long.
	hashesAtOnce  = 2
	hashesWaiting = 64
	hashWait      = 5 * time.Second
)

var errDigest = errors.New("the digest of a password isn't one that this build makes")

// Passwords makes and checks digests of passwords, a few at a time. It is safe for concurrent use.
type Passwords struct {
	slots   chan struct{}
	waiting atomic.Int64
	decoy   string
}

// NewPasswords returns Passwords that nobody waits for.
func NewPasswords() *Passwords {
	p := &Passwords{slots: make(chan struct{}, hashesAtOnce)}
	p.decoy = digestPassword(rand.Text())
	return p
}

// Digest returns what is kept of a password.
func (p *Passwords) Digest(ctx context.Context, password string) (string, error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()
	return digestPassword(password), nil
}

// Verify tells whether a password is the one of a digest. With no digest it is no password's, and takes as long.
func (p *Passwords) Verify(ctx context.Context, digest, password string) (bool, error) {
	leave, err := p.enter(ctx)
	if err != nil {
		return false, err
	}
	defer leave()
	given := digest
	if digest == "" || len(password) > mostPassword {
		given, password = p.decoy, ""
	}
	same, err := verifyPassword(given, password)
	return same && digest != "", err
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

func digestPassword(password string) string {
	var salt [saltSize]byte
	rand.Read(salt[:]) // never fails: the runtime ends the process instead
	hash := argon2.IDKey([]byte(password), salt[:], argonTime, argonMemory, argonThreads, hashSize)
	return argonPrefix + base64.RawStdEncoding.EncodeToString(salt[:]) + "$" + base64.RawStdEncoding.EncodeToString(hash)
}

func verifyPassword(digest, password string) (bool, error) {
	rest, ours := strings.CutPrefix(digest, argonPrefix)
	saltText, hashText, parted := strings.Cut(rest, "$")
	salt, saltErr := base64.RawStdEncoding.Strict().DecodeString(saltText)
	hash, hashErr := base64.RawStdEncoding.Strict().DecodeString(hashText)
	if !ours || !parted || saltErr != nil || hashErr != nil || len(salt) != saltSize || len(hash) != hashSize {
		return false, errDigest
	}
	given := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, hashSize)
	return subtle.ConstantTimeCompare(given, hash) == 1, nil
}

// checkPassword returns what is wrong with a password that somebody chose. It asks for length alone (NIST SP 800-63B-4 section 3.1.1.2),
// and that it isn't what is known of them.
func checkPassword(pointer, password string, account *Account) error {
	violation := problem.Violation{Pointer: pointer, Code: problem.ViolationInvalidValue, Allowed: "12 characters to 1,024 bytes"}
	switch {
	case utf8.RuneCountInString(password) < leastPassword:
		violation.Code, violation.Detail = problem.ViolationTooShort, "must have at least 12 characters"
	case len(password) > mostPassword:
		violation.Code, violation.Detail = problem.ViolationTooLong, "must have at most 1,024 bytes"
	case strings.EqualFold(password, account.Name) || account.Email != "" && strings.EqualFold(password, account.Email):
		violation.Detail = "must not be the user's own name or address"
	default:
		return nil
	}
	return problem.Invalid(violation)
}
