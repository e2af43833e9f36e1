package publish

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/password"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

const (
	// maxPasswords bounds what one batch may make a replica compute: some seconds.
	maxPasswords = 100
	// hashingAtOnce is how many batches compute at a time, 19 MiB each.
	hashingAtOnce = 2

	leastPassword, mostPassword = 8, 512 // bytes, as the field rules say
)

// errNothingToCompare can't come of a batch that wasn't refused.
var errNothingToCompare = errors.New("there is nothing to compare the password by")

// newPassword is what an operation sets a password to.
type newPassword struct {
	digest *password.Digest // nil: it sets none
	made   string           // by the server; "": it was given
}

// digestPasswords makes the digests of what a batch sets passwords to, by operation. They take long on purpose, so that it is done before anything is
// locked. What isn't a password is refused later, and costs nothing here.
func (p *Publisher) digestPasswords(ctx context.Context, operations []Operation) ([]newPassword, error) {
	set := make([]newPassword, len(operations))
	texts, n := make([]string, len(operations)), 0
	for i, op := range operations {
		if op.Collection != directory.Passwords || op.Verb == Delete {
			continue
		}
		if texts[i], set[i].made = givenPassword(op); texts[i] != "" {
			n++
		}
	}
	if n == 0 {
		return set, nil
	}
	if n > maxPasswords {
		return nil, problem.Errorf(problem.TooLarge, "a batch sets at most %d passwords, not %d: each takes a while to digest", maxPasswords, n)
	}
	select {
	case p.hashing <- struct{}{}:
		defer func() { <-p.hashing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a turn to digest passwords: %w", ctx.Err())
	}
	for i, text := range texts {
		if text == "" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("digest passwords: %w", err)
		}
		digest := password.New(text)
		set[i].digest = &digest
	}
	return set, nil
}

// givenPassword returns what an operation sets a password to, and that once more if it had to be made: nothing is given for a new object. "":
// nothing that could be one.
func givenPassword(op Operation) (text, made string) {
	var body struct {
		Password *string `json:"password"`
	}
	if json.Unmarshal(op.Body, &body) != nil {
		return "", ""
	}
	switch {
	case body.Password != nil && *body.Password != "":
		if n := len(*body.Password); n < leastPassword || n > mostPassword {
			return "", ""
		}
		return *body.Password, ""
	case op.Verb == Patch:
		return "", ""
	}
	made = rand.Text()
	return made, made
}

// setPassword gives a staged object a new password, and takes its text out of the message.
func (w *writing) setPassword(s *row, m *adminv1.Password, to newPassword) {
	m.Password = ""
	s.compared, s.text, s.reset = to.digest, to.made, true
	m.PasswordSetAt = timestamppb.New(w.now)
}

// resolvePassword refuses a username that another has, and that one is changed. What a password that stays is compared by it reads from its
// entry.
func (w *writing) resolvePassword(ctx context.Context, s *row, m *adminv1.Password) error {
	if s.before == nil {
		return w.claimUsername(ctx, s, m)
	}
	if was := s.before.Message.(*adminv1.Password).GetUsername(); m.GetUsername() != was {
		w.refusals.Invalid(s.origin, problem.Violation{
			Pointer: "/username", Code: problem.ViolationImmutable, Given: form.Given(m.GetUsername()), Allowed: was,
			Detail: "a username can't be changed; make a new password and delete this one",
		})
		return nil
	}
	if s.compared != nil || s.reset {
		return nil
	}
	entry, known, err := w.tx.Entry(ctx, w.batch.Environment, s.before.Key)
	if err != nil {
		return fmt.Errorf("read the entry of %s: %w", s.id, err)
	}
	if !known {
		w.refusals.Invalid(s.origin, problem.Violation{
			Pointer: "/password", Code: problem.ViolationRequired, Detail: "must be given: what it was compared by is lost, with the root key that it was sealed under",
		})
		return nil
	}
	digest, err := directory.PasswordDigest(w.sealer, w.batch.Environment, entry)
	s.compared = &digest
	return err
}

// claimUsername refuses a username that is taken: before the batch, or by another object of it.
func (w *writing) claimUsername(ctx context.Context, s *row, m *adminv1.Password) error {
	_, taken, err := w.tx.Entry(ctx, w.batch.Environment, directory.PasswordKey(m.GetUsername()))
	if err != nil {
		return fmt.Errorf("look for a username: %w", err)
	}
	for _, other := range w.rows.order {
		if other == s {
			break
		}
		if theirs, ok := other.message.(*adminv1.Password); ok && theirs.GetUsername() == m.GetUsername() {
			taken = true
		}
	}
	if taken {
		w.refusals.Add(catalog.Refusal{Code: problem.NameTaken, Violation: problem.Violation{
			Pointer: s.origin.Body + "/username", Code: string(problem.NameTaken), Given: form.Given(m.GetUsername()),
			Detail: "another password of the environment has this username, or had it before the batch; change that one, or take another username",
		}})
	}
	return nil
}

// passwordDenies is denies for a password: a new one ends who was let in by the one before.
func (s *row) passwordDenies(m *adminv1.Password, now time.Time) (cause Cause, at time.Time, lifts bool) {
	if s.before == nil {
		return "", now, false
	}
	before := s.before.Message.(*adminv1.Password)
	alive := after(before.GetExpiresAt(), now)
	switch {
	case s.reset && alive:
		return CauseRotated, now, false
	case s.reset:
		return "", now, false // it was dead already
	case !earlier(m.GetExpiresAt(), before.GetExpiresAt()):
		return "", now, earlier(before.GetExpiresAt(), m.GetExpiresAt())
	case !alive:
		return "", now, false
	}
	return CauseExpiry, latest(now, m.GetExpiresAt()), false
}
