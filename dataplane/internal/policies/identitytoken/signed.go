package identitytoken

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/claims"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/identitykey"
	contract "github.com/sallyport/sallyport/proto/policy/identitytoken"
	"github.com/sallyport/sallyport/proto/resource/form"
	"github.com/sallyport/sallyport/proto/resource/jsontree"
)

const (
	// leastLife is for how long a token is good although the caller's own ends sooner: else the service would get one that ends on the way.
	leastLife = 30 * time.Second
	// maxClaims bounds what is said again of the caller's token, in bytes.
	maxClaims = 4 << 10

	bearer = "Bearer "
	// rehearsed stands for a token in a dry run.
	rehearsed = "(signed when a request is sent)"
)

var (
	errNoKey     = errors.New("the directory has no identity keys")
	errLifetime  = fmt.Errorf("lifetime: not between %v and %v", leastLife, identitykey.MostLifetime)
	errAlgorithm = errors.New("algorithm: none that this build knows")
	errIssuer    = errors.New("issuer: none")
)

// signed tells of a caller by a token. It is immutable.
type signed struct {
	directory *directory.Directory
	memory    *memory
	space     [sha256.Size]byte // what this policy says is kept apart from what others do
	header    string
	prefix    string
	algorithm identitykey.Algorithm
	issuer    string
	audience  string // "": the service's name
	lifetime  time.Duration
	bySubject bool
	claims    []claim
}

// claim is one that is said again.
type claim struct {
	path claims.Path
	name string
}

func newSigned(env pipeline.Env, config *policyv1.SignedIdentity) (*signed, error) {
	s := &signed{
		directory: env.Directory, header: config.GetHeader(), issuer: config.GetIssuer(), audience: config.GetAudience(),
		lifetime:  config.GetLifetime().AsDuration().Truncate(time.Second),
		bySubject: config.GetSubject() == policyv1.IdentitySubject_IDENTITY_SUBJECT_TOKEN,
	}
	switch {
	case s.issuer == "":
		return nil, errIssuer
	case s.lifetime < leastLife || s.lifetime > identitykey.MostLifetime:
		return nil, errLifetime
	}
	switch config.GetAlgorithm() {
	case policyv1.IdentityAlgorithm_IDENTITY_ALGORITHM_ES256:
		s.algorithm = identitykey.ES256
	case policyv1.IdentityAlgorithm_IDENTITY_ALGORITHM_EDDSA:
		s.algorithm = identitykey.EdDSA
	case policyv1.IdentityAlgorithm_IDENTITY_ALGORITHM_UNSPECIFIED:
		return nil, errAlgorithm
	default:
		return nil, errAlgorithm
	}
	if contract.IsAuthorization(s.header) {
		s.prefix = bearer
	}
	for _, c := range config.GetClaims() {
		s.claims = append(s.claims, claim{path: claims.NewPath(c.GetClaim()), name: contract.NameOf(c)})
	}
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("write it: %w", err)
	}
	s.space = sha256.Sum256(append(content, env.PolicyID[:]...))
	s.memory, err = memoryOf(env.Parts)
	return s, err
}

// maxKey is how long what a caller's token is found by mostly is at most.
const maxKey = 1 << 10

func (s *signed) tell(ex *pipeline.Exchange, who *pipeline.Identity) error {
	if ex.Dry {
		ex.Request.Header.Add(s.header, rehearsed)
		return nil
	}
	signer := s.directory.IdentityKeys().Signer(ex.Now)
	if signer == nil {
		return errNoKey
	}
	ends := s.ends(ex.Now, who)
	var room [maxKey]byte
	key := s.appendKey(room[:0], ex, who, ends)
	t := s.memory.find(key, signer.ID(s.algorithm), ex.Now)
	if t == nil {
		var err error
		if t, err = s.sign(ex, who, signer, ends); err != nil {
			return err
		}
		s.memory.keep(key, t)
	}
	ex.Request.Header.Add(s.header, t.value)
	return nil
}

// ends returns when the caller's own token ends, in seconds since 1970, if that is sooner than one of ours would; else 0.
func (s *signed) ends(now time.Time, who *pipeline.Identity) int64 {
	expires := seconds(who.Claims.Get("exp"))
	if expires == 0 || expires >= now.Add(s.lifetime).Unix() {
		return 0
	}
	return expires
}

// seconds reads a time (RFC 7519, section 2); 0: there is none.
func seconds(v *jsontree.Value) int64 {
	if v == nil || v.Kind != jsontree.Number {
		return 0
	}
	if whole, err := strconv.ParseInt(v.Text, 10, 64); err == nil {
		return whole
	}
	const most = 1 << 53
	if fraction, err := strconv.ParseFloat(v.Text, 64); err == nil && fraction > 0 && fraction < most {
		return int64(fraction)
	}
	return 0
}

// appendKey appends all that a token says but its times, in a form that stands for nothing else.
func (s *signed) appendKey(b []byte, ex *pipeline.Exchange, who *pipeline.Identity, ends int64) []byte {
	b = append(b, s.space[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(ends)) // #nosec G115 -- compared, not counted with
	b = append(b, who.Consumer.ID[:]...)
	b = appendPiece(b, who.Consumer.Name)
	b = appendPiece(b, s.audienceOf(ex))
	for _, scope := range who.Scopes.All() {
		b = appendPiece(b, scope)
	}
	b = append(b, 0xff) // no length begins so
	if who.Claims == nil {
		return b
	}
	b = appendPiece(b, who.Claims.Issuer())
	b = appendPiece(b, who.Claims.Subject())
	for i := range s.claims {
		b = appendValue(b, who.Claims.At(s.claims[i].path))
	}
	return b
}

// appendPiece appends a text behind its length.
func appendPiece(b []byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(text))), text...) // #nosec G115 -- far below 4 GiB
}

// appendValue appends a value in a form that stands for it alone. Where it is a text it isn't escaped, which is what takes time.
func appendValue(b []byte, v *jsontree.Value) []byte {
	switch {
	case v == nil:
		return append(b, 0xff)
	case v.Kind == jsontree.String || v.Kind == jsontree.Number:
		return appendPiece(append(b, byte(v.Kind)), v.Text)
	case v.Kind == jsontree.Array:
		b = binary.BigEndian.AppendUint32(append(b, byte(v.Kind)), uint32(len(v.Items))) // #nosec G115 -- as above
		for i := range v.Items {
			b = appendValue(b, &v.Items[i])
		}
		return b
	}
	return appendJSON(append(b, byte(v.Kind)), v) // says itself where it ends
}

func (s *signed) audienceOf(ex *pipeline.Exchange) string {
	if s.audience != "" || ex.Route == nil {
		return s.audience
	}
	return ex.Route.ServiceName
}

// sign makes a token that begins now.
func (s *signed) sign(ex *pipeline.Exchange, who *pipeline.Identity, signer *identitykey.Key, ends int64) (*token, error) {
	begins := ex.Now.Unix()
	expires := begins + int64(s.lifetime/time.Second)
	if ends != 0 {
		expires = max(ends, begins+int64(leastLife/time.Second))
	}
	b := make([]byte, 0, maxKey)
	b = append(b, s.prefix...)
	start := len(b)
	b = base64.RawURLEncoding.AppendEncode(b, []byte(`{"alg":"`+s.algorithm.String()+`","kid":"`+signer.ID(s.algorithm)+`","typ":"JWT"}`))
	b = append(b, '.')
	b = base64.RawURLEncoding.AppendEncode(b, s.appendClaims(nil, ex, who, begins, expires))
	signature, err := signer.AppendSignature(nil, s.algorithm, b[start:])
	if err != nil {
		return nil, fmt.Errorf("sign an identity token: %w", err)
	}
	b = append(b, '.')
	b = base64.RawURLEncoding.AppendEncode(b, signature)
	half := time.Duration(expires-begins) * time.Second / 2
	return &token{
		value: string(b), signer: signer.ID(s.algorithm), renewAt: ex.Now.Add(half).UnixNano(), expires: time.Unix(expires, 0).UnixNano(),
	}, nil
}

// appendClaims appends what a token says, as JSON.
func (s *signed) appendClaims(b []byte, ex *pipeline.Exchange, who *pipeline.Identity, begins, expires int64) []byte {
	self := id.Text(id.Consumer, who.Consumer.ID)
	subject := self
	if s.bySubject {
		subject = string(appendSubject(nil, who))
	}
	b = form.AppendString(append(b, `{"iss":`...), s.issuer)
	b = form.AppendString(append(b, `,"sub":`...), subject)
	b = form.AppendString(append(b, `,"aud":`...), s.audienceOf(ex))
	b = strconv.AppendInt(append(b, `,"iat":`...), begins, 10)
	b = strconv.AppendInt(append(b, `,"nbf":`...), begins, 10)
	b = strconv.AppendInt(append(b, `,"exp":`...), expires, 10)
	b = form.AppendString(append(b, `,"consumer":{"id":`...), self)
	b = form.AppendString(append(b, `,"name":`...), who.Consumer.Name)
	b = append(b, '}')
	if who.Scopes.Len() > 0 {
		b = form.AppendString(append(b, `,"scope":`...), string(appendScopes(nil, who)))
	}
	if who.Claims != nil {
		b = appendText(b, `,"idp":`, who.Claims.Issuer())
		b = appendText(b, `,"idp_sub":`, who.Claims.Subject())
	}
	return append(s.appendForwarded(b, who.Claims), '}')
}

// appendForwarded appends the claims that are said again, as far as there is room.
func (s *signed) appendForwarded(b []byte, from *claims.Claims) []byte {
	left := maxClaims
	for i := range s.claims {
		v := from.At(s.claims[i].path)
		if v == nil {
			continue
		}
		before := len(b)
		b = append(form.AppendString(append(b, ','), s.claims[i].name), ':')
		b = appendJSON(b, v)
		if size := len(b) - before; size > left {
			b = b[:before]
		} else {
			left -= size
		}
	}
	return b
}

// appendText appends a member, unless its text is empty.
func appendText(b []byte, lead, text string) []byte {
	if text == "" {
		return b
	}
	return form.AppendString(append(b, lead...), text)
}

// appendJSON writes a value as it was read.
func appendJSON(b []byte, v *jsontree.Value) []byte {
	switch v.Kind {
	case jsontree.String:
		return form.AppendString(b, v.Text)
	case jsontree.Array:
		b = append(b, '[')
		for i := range v.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, &v.Items[i])
		}
		return append(b, ']')
	case jsontree.Object:
		b = append(b, '{')
		for i := range v.Members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(form.AppendString(b, v.Members[i].Name), ':')
			b = appendJSON(b, &v.Members[i].Value)
		}
		return append(b, '}')
	case jsontree.Null:
		return append(b, "null"...)
	case jsontree.Number, jsontree.Bool:
	}
	return appendScalar(b, v)
}
