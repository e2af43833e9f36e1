package main

import (
	"strings"

	"github.com/sallyport/sallyport/proto/resource"
)

// collection is what the template of a collection's paths is rendered with.
type collection struct {
	Collection  string // path segment: "api-keys"
	One, Many   string // in operation ids: "ApiKey", "ApiKeys"
	Object      string // schema of its objects
	Article     string // "a" or "an"
	Words       string // "API key"
	Plural      string // "API keys"
	Tag         string
	Read, Write string // permissions
	Binding     string // "team": held for a team, they suffice for what is that team's; "": they must be held throughout
	Delete      string // what deleting it is called
	Shown       string // what is shown in the answer to a creation alone
}

// collections returns every plain collection: each resource of the configuration, and the objects of
// the directory.
func collections() []collection {
	var all []collection
	for _, t := range resource.Types() {
		if !t.Singleton {
			all = append(all, configurationCollection(t))
		}
	}
	return append(all,
		collection{
			Collection: "consumers", One: "Consumer", Many: "Consumers", Object: "Consumer",
			Article: "a", Words: "consumer", Plural: "consumers", Tag: "directory",
			Read: "consumers.read", Write: "consumers.write", Binding: "team", Delete: "Delete",
		},
		collection{
			Collection: "api-keys", One: "ApiKey", Many: "ApiKeys", Object: "ApiKey",
			Article: "an", Words: "API key", Plural: "API keys", Tag: "directory",
			Read: "credentials.read", Write: "credentials.write", Binding: "team", Delete: "Revoke",
			Shown: "The key is shown this once.",
		},
		collection{
			Collection: "passwords", One: "Password", Many: "Passwords", Object: "Password",
			Article: "a", Words: "password", Plural: "passwords", Tag: "directory",
			Read: "credentials.read", Write: "credentials.write", Binding: "team", Delete: "Revoke",
			Shown: "A password that the server makes is shown this once; one that is given is shown to nobody.",
		},
		collection{
			Collection: "secrets", One: "Secret", Many: "Secrets", Object: "Secret",
			Article: "a", Words: "secret", Plural: "secrets", Tag: "directory",
			Read: "secrets.read", Write: "secrets.write", Binding: "team", Delete: "Delete",
			Shown: "Its value is never shown.",
		},
		collection{
			Collection: "blocks", One: "Block", Many: "Blocks", Object: "Block",
			Article: "a", Words: "block", Plural: "blocks", Tag: "directory",
			Read: "blocks.read", Write: "blocks.write", Delete: "Delete",
		},
	)
}

func configurationCollection(t *resource.Type) collection {
	words := strings.ReplaceAll(t.Singular, "-", " ")
	binding := ""
	if resource.HasTeam(t.New()) {
		binding = "team"
	}
	objects := "configuration"
	switch t.Collection {
	case "guardrails", "waf-exclusions": // who is bound by them may not lift them; opening the WAF is a job of its own
		objects = t.Collection
	}
	return collection{
		Collection: t.Collection, One: camel(t.Singular), Many: camel(t.Collection),
		Object:  string(t.New().ProtoReflect().Descriptor().Name()),
		Article: article(words), Words: words, Plural: strings.ReplaceAll(t.Collection, "-", " "), Tag: "configuration",
		Read: objects + ".read", Write: objects + ".write", Binding: binding, Delete: "Delete",
	}
}

// camel turns "address-lists" into "AddressLists".
func camel(kebab string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(kebab, "-") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

func article(words string) string {
	if strings.ContainsRune("aeio", rune(words[0])) {
		return "an"
	}
	return "a"
}
