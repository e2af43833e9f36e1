package access

// LooksLikeToken tells whether a text is one that an access token could have: somebody who presents it meant ours. It returns the id
// that the text names, which proves nothing.
func LooksLikeToken(text string) (tokenID string, ok bool) { return parseSecret(text) }
