package main

// idempotencyKey is the parameter that every POST takes.
const idempotencyKey = "#/components/parameters/idempotency_key"

// addIdempotencyKeys gives each POST the header that makes it safe to repeat. It is the server's, not an operation's own. What somebody does
// to sign in, or to how they do, isn't repeated so.
func addIdempotencyKeys(paths document) {
	for _, name := range sortedKeys(paths) {
		post, ok := paths[name].(document)["post"].(document)
		if !ok || post["x-permission"] == "public" || post["x-permission"] == "signed-in" {
			continue
		}
		parameters, _ := post["parameters"].([]any)
		post["parameters"] = append(parameters, document{"$ref": idempotencyKey})
	}
}
