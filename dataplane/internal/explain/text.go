package explain

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/apikey"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Bounds of an explanation. All of them together stay below what an answer may have.
const (
	maxMisses  = 10
	maxStages  = 256
	maxScopes  = 64
	maxQuotas  = 64
	maxTargets = 64
	maxFields  = 128
	maxText    = 2 << 10 // bytes of one text
	maxRule    = 64
	maxMessage = 200
	maxBody    = 4 << 10
	// maxHeaderText bounds what all values of a header have together, in bytes.
	maxHeaderText = 32 << 10
)

// mask stands for a value that may be a secret. Who asked knows it; who looks over their shoulder, or keeps the answer, shan't.
const mask = "•••"

// telling are parts of the names of fields and parameters whose values may be secrets. Lower case.
var telling = [...]string{"auth", "cookie", "key", "token", "secret", "passw", "session", "signature", "credential", "jwt", "assertion"}

// safe are names with such a part by which the gateway itself speaks. Lower case.
var safe = [...]string{"www-authenticate", "x-sallyport-credential"}

// mayBeSecret tells whether a field or parameter of a name may hold a secret.
func mayBeSecret(name string) bool {
	name = strings.ToLower(name)
	return !slices.Contains(safe[:], name) &&
		slices.ContainsFunc(telling[:], func(part string) bool { return strings.Contains(name, part) })
}

// withoutSecrets masks the parameters of a value that is an address with a query (Location, Referer), by their names, and keys of this
// gateway under any name.
func withoutSecrets(address string) string {
	before, query, _ := strings.Cut(address, "?")
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		plain := string(pipeline.AppendDecoded(nil, name))
		switch {
		case apikey.Check(plain):
			pairs[i] = mask
		case mayBeSecret(plain), apikey.Check(string(pipeline.AppendDecoded(nil, value))):
			pairs[i] = name + "=" + mask
		}
	}
	return before + "?" + strings.Join(pairs, "&")
}

// headerOf returns fields as they may be shown.
func headerOf(fields []pipeline.Field) []*edgev1.HeaderField {
	var shown []*edgev1.HeaderField
	left := maxHeaderText
	for _, f := range fields[:min(len(fields), maxFields)] {
		value := text(f.Value)
		switch {
		case mayBeSecret(f.Name):
			value = mask
		case strings.Contains(value, "?"):
			value = text(withoutSecrets(f.Value))
		}
		if left -= len(value); left < 0 {
			break
		}
		shown = append(shown, &edgev1.HeaderField{Name: text(f.Name), Value: value})
	}
	slices.SortStableFunc(shown, func(a, b *edgev1.HeaderField) int { return strings.Compare(a.GetName(), b.GetName()) })
	return shown
}

// given returns values of a name as they may be shown; "" when there are none.
func given(name string, values []string) string {
	if len(values) > 0 && mayBeSecret(name) {
		return mask
	}
	return list(values)
}

// text returns a text that a message can hold, and that shares no memory.
func text(s string) string { return clip(s, maxText) }

func clip(s string, most int) string {
	return strings.Clone(strings.ToValidUTF8(s[:min(len(s), most)], "\uFFFD"))
}
