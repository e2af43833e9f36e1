package publish

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/catalog"
	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/proto/certificate"
	"github.com/sallyport/sallyport/proto/digest"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// checkPairs refuses certificates whose private key isn't in the secret that they name, and warns of secrets in which a certificate's
// key isn't any more. Nodes would answer none of their hosts. A secret may be changed first: it is no reason to refuse it.
func (w *writing) checkPairs(ctx context.Context) error {
	if !w.refusals.Empty() {
		return nil // what is refused already may be what doesn't fit
	}
	if w.candidate != nil {
		for _, e := range w.candidate.Edits() {
			if e.After == nil || e.After.Collection != catalog.Certificates {
				continue
			}
			if err := w.checkPair(ctx, e.After); err != nil {
				return err
			}
		}
	}
	for _, s := range w.rows.order {
		if s.t.Collection == directory.Secrets && s.message != nil && s.before != nil && s.value != nil {
			if err := w.checkCertificatesOf(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writing) checkPair(ctx context.Context, o *catalog.Object) error {
	m := o.Message.(*configv1.Certificate)
	value, known, err := w.secretValue(ctx, m.GetPrivateKey())
	if err != nil || !known {
		return err // an unknown one is refused as a reference
	}
	if flaw := pairFlaw(m, value); flaw != nil {
		w.refusals.Invalid(w.candidate.Origin(o.Collection, o.ID), problem.Violation{
			Pointer: "/private_key", Code: problem.ViolationInvalidValue, Detail: flaw.Error(), Given: form.Given(m.GetPrivateKey()),
			Allowed: "a secret that holds the certificate's private key in PEM",
		})
	}
	return nil
}

func pairFlaw(m *configv1.Certificate, secret []byte) error {
	chain, err := certificate.Parse(m.GetChain())
	if err == nil { // else its chain is refused
		_, err = chain.Pair(secret)
	}
	return err
}

// secretValue returns a secret's value as the batch leaves it.
func (w *writing) secretValue(ctx context.Context, secret string) (value []byte, known bool, err error) {
	if s, ok := w.rows.byID[rowKey{directory.Secrets, secret}]; ok && s.value != nil {
		return s.value, s.message != nil, nil
	}
	entry, known, err := w.tx.Entry(ctx, w.batch.Environment, digest.KeyOf(directory.Secrets, secret))
	if err != nil || !known {
		return nil, false, err
	}
	plain, err := directory.Unseal(w.sealer, w.batch.Environment, entry)
	if err != nil {
		return nil, false, err
	}
	var e directoryv1.Entry
	if proto.Unmarshal(plain, &e) != nil {
		return nil, false, fmt.Errorf("secret %s of %s can't be read", secret, w.batch.Environment) // the cause could quote it
	}
	return e.GetSecret().GetValue(), true, nil
}

// checkCertificatesOf warns of certificates whose key a secret's new value isn't. Those that the batch changes are checked themselves.
func (w *writing) checkCertificatesOf(ctx context.Context, s *row) error {
	referrers, err := w.tx.Referrers(ctx, w.batch.Environment, directory.Secrets, s.id)
	if err != nil {
		return fmt.Errorf("list who refers to %s: %w", s.id, err)
	}
	for _, r := range referrers {
		if r.Collection != catalog.Certificates || w.edits(r.Collection, r.ID) {
			continue
		}
		found, err := w.catalog.Get(ctx, w.batch.Environment, r.Collection, r.ID)
		if err != nil {
			var gone *problem.Error
			if errors.As(err, &gone) && gone.Code == problem.NotFound {
				continue // deleted meanwhile
			}
			return fmt.Errorf("read a certificate of %s: %w", s.id, err)
		}
		if m := found.Message.(*configv1.Certificate); pairFlaw(m, s.value) != nil {
			w.notes = append(w.notes, fmt.Sprintf("The private key of the certificate %q isn't in the secret %q any more: nodes answer none of its hosts until it is, or the certificate is changed.",
				m.GetName(), s.message.GetName()))
		}
	}
	return nil
}

// edits tells whether the batch changes an object of the configuration.
func (w *writing) edits(collection, id string) bool {
	if w.candidate == nil {
		return false
	}
	for _, e := range w.candidate.Edits() {
		if o := e.After; o != nil && o.Collection == collection && o.ID == id {
			return true
		}
		if o := e.Before; o != nil && o.Collection == collection && o.ID == id {
			return true
		}
	}
	return false
}
