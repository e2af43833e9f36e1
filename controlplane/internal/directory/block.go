package directory

import (
	"fmt"
	"time"

	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/resource"
	"github.com/sallyport/sallyport/proto/resource/form"
)

// Block returns a block's entry.
func Block(m *adminv1.Block) (Entry, error) {
	raw, err := id.Parse(id.Block, m.GetId())
	if err != nil {
		return Entry{}, fmt.Errorf("block: %w", err)
	}
	body := &directoryv1.Block{Id: raw[:]}
	switch {
	case m.GetConsumer() != "":
		target, err := id.Parse(id.Consumer, m.GetConsumer())
		if err != nil {
			return Entry{}, fmt.Errorf("block %s: consumer: %w", m.GetId(), err)
		}
		body.Target = &directoryv1.Block_Consumer{Consumer: target[:]}
	case m.GetApiKey() != "":
		target, err := id.Parse(id.APIKey, m.GetApiKey())
		if err != nil {
			return Entry{}, fmt.Errorf("block %s: api_key: %w", m.GetId(), err)
		}
		body.Target = &directoryv1.Block_ApiKey{ApiKey: target[:]}
	case m.GetToken() != nil:
		issuer, err := id.Parse(id.Issuer, m.GetToken().GetIssuer())
		if err != nil {
			return Entry{}, fmt.Errorf("block %s: token.issuer: %w", m.GetId(), err)
		}
		body.Target = &directoryv1.Block_Token{Token: &directoryv1.IssuedToken{Issuer: issuer[:], Id: m.GetToken().GetId()}}
	case m.GetSubject() != nil:
		issuer, err := id.Parse(id.Issuer, m.GetSubject().GetIssuer())
		if err != nil {
			return Entry{}, fmt.Errorf("block %s: subject.issuer: %w", m.GetId(), err)
		}
		body.Target = &directoryv1.Block_Subject{Subject: &directoryv1.IssuedSubject{Issuer: issuer[:], Subject: m.GetSubject().GetSubject()}}
	default:
		body.Target = &directoryv1.Block_AddressRange{AddressRange: m.GetAddressRange()}
	}
	if m.GetExpiresAt() != nil {
		// 0 means never on a node, as with API keys. A block doesn't end before its time: up, to the next millisecond.
		body.ExpiresAtMs = max(m.GetExpiresAt().AsTime().Add(time.Millisecond-time.Nanosecond).UnixMilli(), 1)
	}
	return open(digest.KeyOf(Blocks, m.GetId()), &directoryv1.Entry{Body: &directoryv1.Entry_Block{Block: body}})
}

// capabilityOfIssued is the least one of a node that understands blocks of what an issuer vouches for.
const capabilityOfIssued = 5

// checkBlock returns what is wrong with whom a block is about. Whether a consumer or API key is there is found out elsewhere.
func checkBlock(m *adminv1.Block) []problem.Violation {
	targets := 0
	for _, given := range []bool{m.GetConsumer() != "", m.GetApiKey() != "", m.GetAddressRange() != "", m.GetToken() != nil, m.GetSubject() != nil} {
		if given {
			targets++
		}
	}
	const named = "consumer, api_key, address_range, token, subject"
	switch {
	case targets == 0:
		return []problem.Violation{{Code: problem.ViolationRequired, Detail: "must say whom it is about; give one of " + named}}
	case targets > 1:
		return []problem.Violation{{Code: problem.ViolationMutuallyExcluded, Detail: "must be about one only; give one of " + named}}
	case m.GetAddressRange() != "":
		return resource.CheckRange("/address_range", m.GetAddressRange())
	}
	return nil
}

// CheckTarget refuses that a block is about somebody else than it was. Names are ids by then.
func CheckTarget(given, before *adminv1.Block) []problem.Violation {
	var violations []problem.Violation
	for _, f := range []struct{ pointer, given, was string }{
		{"/consumer", given.GetConsumer(), before.GetConsumer()},
		{"/api_key", given.GetApiKey(), before.GetApiKey()},
		{"/address_range", given.GetAddressRange(), before.GetAddressRange()},
		{"/token/issuer", given.GetToken().GetIssuer(), before.GetToken().GetIssuer()},
		{"/token/id", given.GetToken().GetId(), before.GetToken().GetId()},
		{"/subject/issuer", given.GetSubject().GetIssuer(), before.GetSubject().GetIssuer()},
		{"/subject/subject", given.GetSubject().GetSubject(), before.GetSubject().GetSubject()},
	} {
		if f.given != "" && f.given != f.was {
			violations = append(violations, problem.Violation{
				Pointer: f.pointer, Code: problem.ViolationImmutable, Given: form.Given(f.given), Allowed: f.was,
				Detail: "whom a block is about can't be changed; make a new block and delete this one",
			})
		}
	}
	return violations
}
