package samples

import (
	"strings"

	"github.com/sallyport/sallyport/proto/apikey"
)

// minSecret is from how many bytes on a cookie without anything but letters, digits and what tokens are made of is taken for a credential.
const minSecret = 16

// Bare takes out of a sample what is, or looks like, a credential: fields in which there is one, cookies, arguments and fields that are named like
// one, and whatever has the form of an API key. What stands in its place has its length, and nothing that a rule would find.
//
// Stages that authenticate have taken what they checked out of the request before. Values that are passed on to the service, or that the gateway knows
// nothing of, are recognised by their names and forms; what isn't is sealed like the rest.
func Bare(s *Sample) {
	kept := s.Header[:0]
	form := false
	for _, f := range s.Header {
		name := strings.ToLower(f.Name)
		switch {
		case name == "authorization" || name == "proxy-authorization":
			continue
		case name == "cookie":
			f.Value = bareCookies(f.Value)
		case name == "content-type":
			form = strings.HasPrefix(strings.ToLower(f.Value), "application/x-www-form-urlencoded")
		case secret(name):
			f.Value = standIn(len(f.Value))
		}
		f.Value = withoutKeys(f.Value)
		kept = append(kept, f)
	}
	clear(s.Header[len(kept):])
	s.Header = kept
	s.Path = withoutKeys(s.Path)
	s.Query = withoutKeys(bareArguments(s.Query))
	if s.Body == nil {
		return
	}
	body := string(s.Body)
	if form {
		body = bareArguments(body)
	}
	s.Body = []byte(withoutKeys(body))
}

// secretWords are what names of credentials hold.
var secretWords = [...]string{
	"token", "secret", "passw", "pwd", "auth", "session", "sessid", "api-key", "api_key", "apikey", "credential", "csrf", "xsrf", "jwt", "signature",
}

// secret tells whether something is named like a credential. The name is in lower case.
func secret(name string) bool {
	for _, word := range secretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return name == "sid" || strings.HasSuffix(name, ".sid") || strings.HasSuffix(name, "_sid")
}

// standIn is a text of this length that no rule finds anything in.
func standIn(length int) string { return strings.Repeat("x", length) }

func bareCookies(text string) string {
	pairs := strings.Split(text, ";")
	for i, pair := range pairs {
		name, value, found := strings.Cut(pair, "=")
		if found && (secret(strings.ToLower(name)) || opaque(value)) {
			pairs[i] = name + "=" + standIn(len(value))
		}
	}
	return strings.Join(pairs, ";")
}

// opaque tells whether a cookie may be a token by its form.
func opaque(value string) bool {
	return len(value) >= minSecret && !strings.ContainsFunc(value, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("-_.~+/=%:|", r)
	})
}

// bareArguments takes the values of credentials out of a query or form.
func bareArguments(text string) string {
	pairs := strings.Split(text, "&")
	for i, pair := range pairs {
		if name, value, found := strings.Cut(pair, "="); found && secret(strings.ToLower(name)) {
			pairs[i] = name + "=" + standIn(len(value))
		}
	}
	return strings.Join(pairs, "&")
}

// withoutKeys takes out what has the form of an API key, or begins like one: callers put keys where none belong.
func withoutKeys(text string) string {
	at := strings.Index(text, apikey.Scheme)
	if at < 0 {
		return text
	}
	var out strings.Builder
	for ; at >= 0; at = strings.Index(text, apikey.Scheme) {
		key := text[at:]
		if end := strings.IndexFunc(key, notOfKey); end >= 0 {
			key = key[:end]
		}
		out.WriteString(text[:at])
		out.WriteString(standIn(len(key)))
		text = text[at+len(key):]
	}
	out.WriteString(text)
	return out.String()
}

func notOfKey(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '_' && r != '-'
}
