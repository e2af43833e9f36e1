package directory

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"time"

	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Token is what is known of an issuer's token that somebody showed: by what its issuer names it and its bearer, and when it ends. It is
// immutable, and made once per token rather than per request.
type Token struct {
	Issuer id.ID
	// Key is the thumbprint (RFC 7638) of the key that signed it. The directory doesn't look at it.
	Key [32]byte
	// ID is its claim "jti"; "": it has none.
	ID string
	// Subject is its claim "sub"; "": it has none.
	Subject string
	// ExpiresMs is when it ends, the issuer's clock skew included, in milliseconds since 1970; 0: never.
	ExpiresMs int64
}

// issued is what a block on tokens names: one of them, or a subject.
type issued struct {
	issuer id.ID
	text   string
}

// maxIssued bounds what a block names, in bytes.
const maxIssued = 256

// issuedSeed keeps who writes tokens from making many of them lie in one place.
var issuedSeed = maphash.MakeSeed()

// key is where blocks of it are looked up. Two may share one: terms say what they are about.
func (i *issued) key() (key id.ID) {
	key = i.issuer
	of := binary.BigEndian.Uint64(key[8:]) ^ maphash.String(issuedSeed, i.text)
	binary.BigEndian.PutUint64(key[8:], of)
	return key
}

// issued tells whether a token or a subject is blocked.
func (m *targets) issued(issuer id.ID, text string, now int64) bool {
	if m == nil || text == "" {
		return false
	}
	of := issued{issuer: issuer, text: text}
	found, _ := m.get(of.key())
	for i := range found {
		if *found[i].issued == of && found[i].holds(now) {
			return true
		}
	}
	return false
}

// AdmitToken holds a verified token against its end, its consumer's state and the blocks on either, at a time. It returns the code of what
// keeps its bearer out; "": nothing does. consumer may be nil: nobody known. It takes no lock and doesn't allocate.
func (d *Directory) AdmitToken(token *Token, consumer *Consumer, now time.Time) problem.Code {
	return d.state.Load().admitToken(token, consumer, consumer != nil, now.UnixMilli())
}

func (s *state) admitToken(token *Token, consumer *Consumer, known bool, at int64) problem.Code {
	if token.ExpiresMs != 0 && at >= token.ExpiresMs {
		return problem.CredentialExpired
	}
	if code := s.admit(consumer, known, at); code != "" {
		return code
	}
	b := s.blocks.Load()
	if b != nil && (b.tokens.issued(token.Issuer, token.ID, at) || b.subjects.issued(token.Issuer, token.Subject, at)) {
		return problem.Blocked
	}
	return ""
}

// takeIssued takes over a block's target of an issuer's.
func (f *fact) takeIssued(sort targetSort, issuer []byte, text string) error {
	if len(issuer) != len(id.ID{}) {
		return fmt.Errorf("%w: target of an issuer of %d bytes", ErrMalformed, len(issuer))
	}
	if text == "" || len(text) > maxIssued {
		return fmt.Errorf("%w: target of %d bytes, at least 1 and at most %d", ErrMalformed, len(text), maxIssued)
	}
	f.issued = &issued{issuer: id.ID(issuer), text: text}
	f.target = target{sort: sort, key: f.issued.key()}
	return nil
}

// issuedBy returns what the block of a record names.
func (s *state) issuedBy(r *record) *issued {
	m := s.blocks.Load().of(r.target().sort, 0)
	if m == nil {
		return nil
	}
	found, _ := m.get(r.target().key)
	for i := range found {
		if found[i].block == r.id {
			return found[i].issued
		}
	}
	return nil
}

// nameIssued says in a block's entry what it names; nil names nothing.
func (i *issued) nameIssued(block *directoryv1.Block, sort targetSort) {
	if i == nil {
		return
	}
	if sort == targetToken {
		block.Target = &directoryv1.Block_Token{Token: &directoryv1.IssuedToken{Issuer: i.issuer[:], Id: i.text}}
		return
	}
	block.Target = &directoryv1.Block_Subject{Subject: &directoryv1.IssuedSubject{Issuer: i.issuer[:], Subject: i.text}}
}
